"""Measure what the gates want to know of a challenger; judge nothing."""

import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow.exceptions import MlflowException

from ser import lineage, tables
from ser.cell_folders import CellFolder
from ser.data import manifest, recordings
from ser.data.split_report import SplitReport
from ser.errors import FileError, RegistryError
from ser.evaluation import calibration, slices, summary
from ser.project import Project
from ser.promotion import pairing, questioning
from ser.promotion.pairing import Pair, Tested
from ser.promotion.questioning import Challenger
from ser.registry import bundle as bundles
from ser.registry import model_files
from ser.registry.evidence import Audit, Evidence
from ser.registry.gate_params import GateParams
from ser.registry.version import Version
from ser.registry.versions import Registry
from ser.tracking import store, verify
from ser.utterance import Utterance
from ser.wording import shown

#: Name of the artifact.
_PREDICTIONS = CellFolder(Path()).predictions.name

TRACKED = "tracked.parquet"
"""What a served model must answer; an artifact of the run that registered it."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where evidence is found.

    Args:
        registry: With the versions and the store of their runs.
        root: The project's root: its data must be those of the challenger.
        allow_synthetic: Whether synthetic results may be promoted.
        new_line: Why a new line of champions is begun, compared with none before; None: the
            challenger is compared with the present champion.
    """

    registry: Registry
    root: Path
    allow_synthetic: bool
    new_line: str | None = None

    @property
    def project(self) -> Project:
        """Where its files are."""
        return Project(self.root)

    def utterances(self) -> list[Utterance]:
        """Return the manifest."""
        return manifest.read(self.project.manifest)


def measure(
    challenger: Version, champion: Version | None, place: Workplace, params: GateParams
) -> Evidence:
    """Return the evidence for a challenger.

    Args:
        challenger: The version.
        champion: The present champion, if any.
        place: Where evidence is found.
        params: On how many utterances, and under which changes of a recording.

    Raises:
        RegistryError: The challenger's files are not those that were registered, the
            predictions of a version are no longer in the store, or it was tested on utterances
            that the manifest does not list.
        AudioError: A recording is missing.
        TrackingError: The store cannot be used.
    """
    utterances = place.utterances()
    speaker_of = {utterance.id: utterance.speaker for utterance in utterances}
    frame = tracked_cell(challenger, place.registry)
    _require_own(challenger, frame, speaker_of, place.project)
    asked = set(frame["utterance_id"])
    recordings.require(
        place.project.raw(challenger.tags["ser.corpus"]),
        [utterance for utterance in utterances if utterance.id in asked],
        why="a model that is judged is asked about them",
    )
    scores = summary.summarise(frame, speaker_of)
    sliced = slices.table(frame, slices.values_of(utterances))
    paired = _paired(challenger, champion, place, speaker_of)
    tracked = _artifact(challenger, place.registry, challenger.run_id, TRACKED, digest_tag(TRACKED))
    with tempfile.TemporaryDirectory() as name:
        # Fetched once: what is compared with its digest is what is asked.
        model = model_files.fetch(challenger.uri, place.registry.uri, Path(name))
        folder = model_files.bundle_of(model)
        size_mib, bundle = bundles.size_mib(folder), bundles.read(folder)
        questioned = Challenger(challenger, bundle, tracked, model, place.registry.uri)
        answers = questioning.question(questioned, utterances, params, place.project)
    calibrated, _ = calibration.calibrate(frame)
    return Evidence(
        model=str(bundle.params["model"]["name"]),
        uar_low=scores.intervals["uar"].low,
        champion=None if champion is None else champion.title,
        difference_low=paired.difference_low,
        shared=paired.shared,
        no_pair=paired.reason,
        new_line=place.new_line,
        class_recall=dict(scores.recall),
        speaker_wa=_by_value(sliced, "speaker", "wa"),
        gender_uar=_by_value(sliced, "gender", "uar"),
        ece=summary.summarise(calibrated, speaker_of).scores["ece"],
        audit=_audit(challenger, place.project),
        lineage_differences=_differences(challenger, place.root),
        served=answers.served,
        served_error=answers.served_error,
        robustness=answers.robustness,
        robustness_error=answers.robustness_error,
        size_mib=size_mib,
        synthetic=challenger.tags.get("ser.synthetic") != "false",
        allow_synthetic=place.allow_synthetic,
    )


def _require_own(
    challenger: Version, frame: pd.DataFrame, listed: Collection[str], project: Project
) -> None:
    """Refuse a version that was tested on what this folder's manifest does not list."""
    if other := sorted(set(frame["utterance_id"]) - set(listed)):
        raise RegistryError(
            f"model {challenger.name}: {challenger.title} was tested on {len(other)} utterances "
            f"that {project.manifest} does not list, e.g. {shown(other[0])}, so it cannot be "
            f"judged here; judge it where its corpus is, or register a cell of this one: `ser "
            f"register <model>-<loss>`"
        )


def tracked_cell(version: Version, registry: Registry) -> pd.DataFrame:
    """Return the predictions of a version's cell, as tracked: all folds and seeds.

    Raises:
        RegistryError: They are no longer in the store.
        TrackingError: The store cannot be asked.
    """
    run_id = version.tags["ser.cell_run_id"]
    return _artifact(version, registry, run_id, _PREDICTIONS, "ser.predictions_sha256")


def tested(version: Version, registry: Registry) -> Tested:
    """Return what the cell of a version was tested on, as tracked.

    Raises:
        RegistryError: Its predictions are no longer in the store.
        TrackingError: The store cannot be asked.
    """
    frame = tracked_cell(version, registry)
    return Tested(frame[frame["part"] == "test"], recordings_of(version, registry))


def recordings_of(version: Version, registry: Registry) -> dict[str, str] | None:
    """Return utterance id -> SHA-256 of the recording, of all that a version's cell tested.

    None of a version that was registered before this was kept.

    Raises:
        RegistryError: It was damaged, or changed.
        TrackingError: The store cannot be asked.
    """
    with store.translated(registry.uri):
        names = {item.path for item in registry.client.list_artifacts(version.run_id)}
    if pairing.FILE not in names:
        return None
    noted = _artifact(version, registry, version.run_id, pairing.FILE, digest_tag(pairing.FILE))
    return dict(zip(noted["utterance_id"], noted["sha256"], strict=True))


def digest_tag(name: str) -> str:
    """Return the tag that stands for a table that is kept with a registration.

    Example:
        >>> digest_tag("tracked.parquet")
        'ser.tracked_sha256'
    """
    return f"ser.{Path(name).stem}_sha256"


def _artifact(
    version: Version, registry: Registry, run_id: str, name: str, tag: str
) -> pd.DataFrame:
    """Return a table that a run holds, if it is still the one that its tag stands for."""
    where = f"model {version.name}: {name} of {version.title}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            path, noted = _fetched(registry, run_id, name, tag, folder)
            is_changed = noted not in (None, lineage.sha256_file(path))
            found = None if is_changed else tables.read_parquet(path, cure="it was damaged")
        except (_GoneError, FileError) as error:
            raise RegistryError(
                f"{where} is no longer in the store (run {run_id}): {error}; register the cell "
                f"anew, or, where it is the champion's that is lost, begin a new line with `ser "
                f'promote --new-line "why"`'
            ) from error
    if found is None:
        raise RegistryError(
            f"{where} is not what run {run_id} was recorded with: its SHA-256 is not the tag "
            f"{tag}; find out who can write to the artifacts of {registry.uri}, and register a "
            f"cell anew"
        )
    return found


class _GoneError(Exception):
    """A store answers that it does not have what was asked for."""


def _fetched(
    registry: Registry, run_id: str, name: str, tag: str, folder: str
) -> tuple[Path, str | None]:
    """Return an artifact of a run, fetched into a folder, and what a tag of the run says.

    Raises:
        _GoneError: The run or the artifact has gone.
        TrackingError: The store does not say whether it has.
    """
    with store.translated(registry.uri):
        try:
            path = Path(registry.client.download_artifacts(run_id, name, folder))
            noted = registry.client.get_run(run_id).data.tags.get(tag)
        except MlflowException as error:
            if not store.says_gone(error):
                raise
            raise _GoneError(str(error).partition("\n")[0]) from error
    return path, noted


def _paired(
    challenger: Version,
    champion: Version | None,
    place: Workplace,
    speaker_of: dict[str, str],
) -> Pair:
    """Compare with the champion; a pair of nothing without one, or where a new line begins."""
    if champion is None or place.new_line is not None:
        return Pair(None, None)
    new, old = (tested(version, place.registry) for version in (challenger, champion))
    return pairing.pair(new, old, speaker_of)


def _by_value(table: pd.DataFrame, slice_: str, score: str) -> dict[str, float]:
    rows = table[table["slice"] == slice_]
    return {str(k): float(v) for k, v in zip(rows["value"], rows[score], strict=True)}


def _audit(version: Version, project: Project) -> Audit | None:
    """Return what the split report says, matched with the files and the version's tags."""
    if not project.split_report.is_file():
        return None
    report = SplitReport.read(project.split_report)
    matches = {}
    for name, path, said in (
        ("split", project.splits, report.split_sha256),
        ("manifest", project.manifest, report.manifest_sha256),
    ):
        digest = lineage.sha256_file(path) if path.is_file() else lineage.NONE
        matches[name] = {said, version.tags.get(f"ser.{name}_sha256")} == {digest}
    shared = {
        speaker
        for fold in report.folds
        for parts, pair in fold.shared.items()
        if parts.endswith("-test")
        for speaker in pair.speaker
    }
    return Audit(
        split_matches=matches["split"],
        manifest_matches=matches["manifest"],
        num_shared_speakers=len(shared),
        protocol=report.protocol,
        speaker_independent=report.speaker_independent,
    )


def _differences(version: Version, root: Path) -> tuple[str, ...]:
    checks = verify.verify(version.tags["ser.cell_run_id"], root)
    return tuple(check.name for check in checks if not check.ok)
