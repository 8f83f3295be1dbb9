"""Whose champion answers: that of the corpus and classes of params.yaml, or nobody's by mistake."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ser import lineage
from ser.data import manifest, task
from ser.errors import RegistryError
from ser.project import Project
from ser.registry import identity
from ser.registry.bundle import Bundle
from ser.registry.version import Version, model_name

if TYPE_CHECKING:
    from ser.registry.versions import Registry


@dataclass(frozen=True, slots=True)
class ChampionLine:
    """The versions of one task under one protocol: a registered model.

    Args:
        task: See `ser.data.task`.
        model: Name of the registered model.
        former: Its name before names said more than the corpus; the same for most.
    """

    task: str
    model: str
    former: str

    @classmethod
    def of(cls, corpus: Mapping[str, Any], protocol: str) -> "ChampionLine":
        """Return the line of params.yaml.

        Args:
            corpus: The section `corpus`, defaults filled in.
            protocol: `split.protocol`.
        """
        named = task.of_section(corpus)
        return cls(named, model_name(named, protocol), model_name(corpus["name"], protocol))


def require(line: ChampionLine, registry: "Registry", reference: str | int) -> Version:
    """Return a version of a line by alias or number.

    Raises:
        RegistryError: There is none; says so where the former name has one.
    """
    found = registry.resolve(line.model, reference)
    if found is not None:
        return found
    former = None if line.former == line.model else registry.resolve(line.former, reference)
    # The short name is also that of the four classes; a version that says so is of those.
    if former is None or former.tags.get(task.TAG, line.task) != line.task:
        return registry.require(line.model, reference)
    raise RegistryError(
        f"model {line.model}: there is no {reference}; {line.former} has one, {former.title}, from "
        f"before names told classes and titles apart: name it with --model, or begin the new name "
        f"with `ser register <model>-<loss>` and `ser promote`"
    )


def require_own(version: Version, bundle: Bundle, line: ChampionLine) -> None:
    """Refuse a champion of other classes or of another corpus than those of params.yaml.

    Args:
        version: The champion.
        bundle: What it says of itself.
        line: That of params.yaml.

    Raises:
        RegistryError: It is another's.
    """
    if (own := identity.task_of(bundle)) != line.task:
        raise RegistryError(
            f"model {version.name}: its champion, {version.title}, is of {own} "
            f"({', '.join(bundle.emotions)}), params.yaml is of {line.task}; {_way_on(version)}"
        )


def is_of_manifest(version: Version, project: Project) -> bool:
    """Whether this folder's manifest is the very one of a version, or there is none."""
    path = project.manifest
    return not path.is_file() or lineage.sha256_file(path) == version.tags.get(
        "ser.manifest_sha256"
    )


def require_known_recordings(
    version: Version, registry: "Registry", project: Project, *, min_shared: float
) -> None:
    """Refuse a champion that was tested on other recordings than this folder's manifest lists.

    A folder without a manifest, and a version that does not say its recordings, pass: there is
    nothing to compare.

    Args:
        version: The champion.
        registry: Where it is.
        project: Whose manifest.
        min_shared: Least share, of the smaller of both, that both must list.

    Raises:
        RegistryError: Less is in both.
    """
    path = project.manifest
    if is_of_manifest(version, project):
        return
    # Here, not at the top: it brings all that training does.
    from ser.promotion import measuring

    tested = measuring.recordings_of(version, registry)
    if tested is None:
        return
    used = [one for one in manifest.read(path) if one.emotion is not None]
    num_known = sum(tested.get(one.id) == one.sha256 for one in used)
    num_smaller = min(len(tested), len(used))
    if num_known < min_shared * num_smaller:
        raise RegistryError(
            f"model {version.name}: its champion, {version.title}, was tested on other recordings "
            f"than {path} lists: {num_known} of {num_smaller} are the same, and gates.min_shared "
            f"is {min_shared:g}; {_way_on(version)}; a table of other recordings gets a "
            f"corpus.name of its own"
        )


def _way_on(version: Version) -> str:
    return (
        f"ask it by name with --model models:/{version.name}/{version.number}, or register a cell "
        f"of this corpus: `ser register <model>-<loss>`"
    )
