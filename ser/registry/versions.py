"""Versions in MLflow's model registry, and the two aliases that lead to them.

`challenger` is the newest version, `champion` the one that is served. Which versions were
champion before stands in the tags of each champion, so that a rollback needs no other memory.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ser.errors import RegistryError
from ser.registry import model_files
from ser.registry import tags as tags_of
from ser.registry.alone import alone
from ser.registry.model_files import MODEL
from ser.registry.tags import BUNDLE
from ser.registry.version import CHALLENGER, CHAMPION, Version
from ser.tracking import store

PROMOTED, ROLLED_BACK = "ser.promoted_at", "ser.rolled_back_at"
#: The champion before, and those before that one, latest first: `2,1`. All of them stand on
#: each champion, because a version that is champion a second time has two predecessors.
_PREVIOUS, _EARLIER = "ser.previous_champion", "ser.earlier_champions"
_OVERTAKEN_BY = "ser.overtaken_by"
_NONE = "none"
_NO_TAGS: Mapping[str, str] = MappingProxyType({})


class OvertakenError(RegistryError):
    """Another version became champion while this one was judged; nothing was moved.

    Args:
        version: That was to be promoted.
        present: The champion of now, if any.
        expected: The champion that the version was judged against, if any.
    """

    def __init__(self, version: Version, present: Version | None, expected: Version | None) -> None:
        self.present = present
        if present is None:
            happened = "the champion was taken away meanwhile"
        elif present.number == version.number:
            happened = f"another process promoted {version.title} meanwhile"
        else:
            happened = f"{present.title} was promoted meanwhile"
        super().__init__(
            f"model {version.name}: {happened}: the champion is {_title(present)} now, but "
            f"{version.title} was judged against {_title(expected)}; nothing was moved, run "
            f"`ser promote --version {version.number}` to judge it again"
        )


@dataclass(frozen=True, slots=True)
class Registration:
    """What registering came to.

    Args:
        version: Its number.
        is_new: False where the same bundle was registered before.
    """

    version: int
    is_new: bool


def open_registry(root: Path, tracking_uri: str | None = None) -> "Registry":
    """Open the registry in the tracking store.

    Args:
        root: The project's root.
        tracking_uri: None is MLFLOW_TRACKING_URI or mlruns/mlflow.db.

    Raises:
        TrackingError: The store cannot be used.
    """
    uri = tracking_uri or store.default_uri(root)
    return Registry(store.connect(uri), uri, root)


@dataclass(frozen=True, slots=True)
class Registry:
    """The model registry of one store.

    Args:
        client: Speaks to it.
        uri: The store, named in errors.
        root: The project's root.
    """

    client: MlflowClient
    uri: str
    root: Path

    def register(
        self,
        name: str,
        *,
        source: str,
        run_id: str,
        tags: Mapping[str, str],
        description: str,
        about: str = "",
    ) -> Registration:
        """Make a version of logged files the challenger; the same bundle is one version.

        Args:
            name: Of the model, see `model_name`.
            source: MLflow's address of the files.
            run_id: MLflow's id of the run that logged them.
            tags: `ser.bundle_sha256` among them.
            description: The model card, Markdown; a version that is there keeps its own.
            about: Description of the registered model, Markdown; one that is there keeps its own.

        Raises:
            RegistryError: Another process keeps the registry's lock.
            TrackingError: The store fails.
        """
        same = {key: tags[key] for key in (BUNDLE, MODEL) if key in tags}
        with self._alone(name), store.translated(self.uri):
            self._require_model(name, about)
            found = next((v for v in self._versions(name) if same.items() <= v.tags.items()), None)
            # With its description at once: what was measured of a version found stands in its own.
            kept = found or self.client.create_model_version(
                name,
                source,
                run_id,
                tags=tags_of.own(tags),
                description=description,
                model_id=_logged_model(source),
            )
            number = int(kept.version)
            self.client.set_registered_model_alias(name, CHALLENGER, str(number))
        return Registration(number, is_new=found is None)

    def resolve(self, name: str, reference: str | int) -> Version | None:
        """Return a version by alias or number, or None if there is no such.

        Args:
            name: Of the model.
            reference: `champion`, `challenger`, or a number.

        Raises:
            TrackingError: The registry cannot be asked.
        """
        with store.translated(self.uri):
            try:
                if isinstance(reference, int):
                    found = self.client.get_model_version(name, str(reference))
                else:
                    found = self.client.get_model_version_by_alias(name, reference)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
            said = tags_of.every(self.client, found)
        return Version(name, int(found.version), str(found.run_id), str(found.source), said)

    def require(self, name: str, reference: str | int) -> Version:
        """Return a version by alias or number.

        Raises:
            RegistryError: There is no such version.
        """
        found = self.resolve(name, reference)
        if found is None:
            raise RegistryError(
                f"model {name}: there is no {_shown(reference)}; `ser register <model>-<loss>` "
                f"registers a trained cell, `ser promote` makes it champion"
            )
        return found

    def promote(
        self,
        version: Version,
        *,
        expected: Version | None,
        won: Mapping[str, str] = _NO_TAGS,
        lost: Mapping[str, str] = _NO_TAGS,
    ) -> None:
        """Move the alias champion to a version.

        The champions before are noted first: a crash before the alias moves leaves the old
        champion. That it was promoted is noted last: a crash never leaves it said of a version
        that is not champion.

        Args:
            version: The new champion.
            expected: The champion that it was judged against; None if there was none.
            won: Tags that the version gets once it is champion.
            lost: Tags that it gets where another version was faster.

        Raises:
            OvertakenError: Meanwhile another version has become champion.
            RegistryError: Another process keeps the registry's lock.
        """
        with self._alone(version.name):
            present = self.resolve(version.name, CHAMPION)
            is_champion = _number(present) == version.number
            if _number(present) != _number(expected):
                # Who promoted this very version has noted it there; nothing of that is undone.
                if not is_champion:
                    by = _NONE if present is None else str(present.number)
                    self.tag(version, {**lost, _OVERTAKEN_BY: by})
                raise OvertakenError(version, present, expected)
            if not is_champion:
                before = [] if present is None else [present.number, *champions_before(present)]
                self.tag(version, _remembered(before))
                self._make_champion(version)
            if not is_champion or PROMOTED not in version.tags:
                self.tag(version, {PROMOTED: _now()})
            self.tag(version, {**won, _OVERTAKEN_BY: _NONE})

    def end_challenge(self, champion: Version) -> None:
        """Take the alias challenger from a version that is champion; another's stays.

        The last step of a promotion: without a challenger, one that was interrupted could not be
        given again.

        Args:
            champion: The version that was promoted.

        Raises:
            RegistryError: Another process keeps the registry's lock.
        """
        with self._alone(champion.name):
            if _number(self.resolve(champion.name, CHALLENGER)) == champion.number:
                with store.translated(self.uri):
                    self.client.delete_registered_model_alias(champion.name, CHALLENGER)

    def rollback(self, name: str) -> tuple[Version, Version]:
        """Give the alias champion back to the version that had it before.

        That the present champion was rolled back is noted first, the alias moves last: a crash
        before that leaves the champion, and the same command does the rest.

        Returns:
            The champion that was left, and the champion of now. Once more goes one further
            back.

        Raises:
            RegistryError: There is no champion, none before it, that one was deleted or its
                files are not those that were registered, the champion changed meanwhile, or
                another process keeps the registry's lock.
        """
        seen, compared = self._champion_and_former(name)
        # Before the lock: to fetch a large model takes longer than others wait for it.
        model_files.require_unchanged(compared.uri, self.uri)
        with self._alone(name):
            present, target = self._champion_and_former(name)
            if (present.number, target.number) != (seen.number, compared.number):
                raise RegistryError(
                    f"model {name}: the champion is {present.title} now, and was {seen.title} a "
                    f"moment ago; nothing was moved, run `ser rollback` again if it is still meant"
                )
            self.tag(target, _remembered(champions_before(present)[1:]))
            # Before the alias moves: given again after that, this would go one further back.
            self.tag(present, {ROLLED_BACK: _now()})
            self._make_champion(target)
        return present, target

    def _champion_and_former(self, name: str) -> tuple[Version, Version]:
        """Return the champion and the one before it, or refuse where one of them is missing."""
        present = self.require(name, CHAMPION)
        before = champions_before(present)
        if not before:
            raise RegistryError(
                f"model {name}: {present.title} is the first champion; there is none before "
                f"it to go back to"
            )
        target = self.resolve(name, before[0])
        if target is None:
            raise RegistryError(
                f"model {name}: version {before[0]}, the champion before {present.title}, has "
                f"been deleted; promote another one: `ser promote --version N`"
            )
        return present, target

    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        with store.translated(self.uri):
            for key, value in tags.items():
                self.client.set_model_version_tag(version.name, str(version.number), key, value)

    def description(self, version: Version) -> str:
        """Return the model card of a version, Markdown."""
        with store.translated(self.uri):
            found = self.client.get_model_version(version.name, str(version.number))
        return str(found.description or "")

    def describe(self, version: Version, description: str) -> None:
        """Replace the model card of a version, Markdown."""
        with store.translated(self.uri):
            self.client.update_model_version(
                version.name, str(version.number), description=description
            )

    def _alone(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock of a model; see `ser.registry.alone`."""
        return alone(self.client, self.uri, self.root, name)

    def _make_champion(self, version: Version) -> None:
        """Move the alias, in one call."""
        with store.translated(self.uri):
            self.client.set_registered_model_alias(version.name, CHAMPION, str(version.number))

    def _versions(self, name: str) -> list[ModelVersion]:
        return list(self.client.search_model_versions(f"name = '{name}'"))

    def _require_model(self, name: str, about: str) -> None:
        """Create the registered model unless it is there; describe one that is not described."""
        try:
            self.client.create_registered_model(name, description=about)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            if about and not self.client.get_registered_model(name).description:
                self.client.update_registered_model(name, description=about)


def _logged_model(source: str) -> str | None:
    """Return the id in an address `models:/m-<id>`; a server refuses such a source without it."""
    id_ = source.removeprefix("models:/")
    return id_ if id_ != source and "/" not in id_ and "@" not in id_ else None


def champions_before(champion: Version) -> list[int]:
    """Return the numbers of the champions before a champion, latest first."""
    said = (champion.tags.get(key, _NONE) for key in (_PREVIOUS, _EARLIER))
    return [int(number) for text in said if text != _NONE for number in text.split(",")]


def _remembered(before: Sequence[int]) -> dict[str, str]:
    """Return the tags that hold the champions before, latest first."""
    earlier = ",".join(str(number) for number in before[1:])
    return {_PREVIOUS: str(before[0]) if before else _NONE, _EARLIER: earlier or _NONE}


def _number(version: Version | None) -> int | None:
    return None if version is None else version.number


def _title(version: Version | None) -> str:
    return "none" if version is None else version.title


def _shown(reference: str | int) -> str:
    return f"version {reference}" if isinstance(reference, int) else str(reference)


def _now() -> str:
    """Return the time; what happens to a version twice in a second is told apart by it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
