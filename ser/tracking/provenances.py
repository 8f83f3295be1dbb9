"""The tags of runs that say where they came from; what DVC keeps of a cell does not say it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ser import lineage, provenance
from ser.contracts import RunSpec
from ser.project import Project
from ser.provenance import Provenance

#: The tag with the digest of the entries in dvc.lock of the stages that a run stands on.
LOCK_ENTRIES = "ser.dvc_lock_sha256"

_UPSTREAM = "ser.upstream_stages"


def described(spec: RunSpec, *said: Mapping[str, str]) -> RunSpec:
    """Return a run with the tags of where it came from.

    Args:
        spec: The run. What its own tags say stays: records of before say all of it.
        said: See `ser.provenance.Provenance.tags` and `lock_of`.
    """
    tags = {name: value for tags in said for name, value in tags.items()}
    return replace(spec, tags={**tags, **spec.tags})


def lock_of(tags: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the tag with what dvc.lock says now of the stages that a run stands on.

    Args:
        tags: Of the run.
        root: The project's root.

    Raises:
        ParamsError: dvc.lock is not YAML.
    """
    return {LOCK_ENTRIES: lineage.upstream_lock_sha256(root, upstream_of(tags))}


def upstream_of(tags: Mapping[str, str]) -> list[str]:
    """Return the stages that a run stands on, by their names in dvc.lock."""
    return [name for name in tags.get(_UPSTREAM, "").split(",") if name]


class Whence:
    """Says of the runs of a cell where they came from, when they are recorded again.

    A fold that is kept brings its own provenance. Else all that is known is the commit whose
    dvc.lock has the result, and a tag says that it is this one.

    Args:
        project: The checkout.
        output: What training left of the cell, which DVC versions.
    """

    def __init__(self, project: Project, output: Path) -> None:
        self._project, self._output = project, output
        self._locks: dict[str, dict[str, str]] = {}

    def described(self, spec: RunSpec, keys: Sequence[str]) -> RunSpec:
        """Return a run with the tags of where it came from.

        Args:
            spec: The run.
            keys: Run keys of the folds that it is made of.

        Raises:
            FileError: The provenance of a kept fold is damaged.
            ParamsError: dvc.lock is not YAML.
        """
        if spec.tags.keys() >= provenance.UNKNOWN.keys():
            return spec  # of before: it says all itself
        kept = [self.kept(key) for key in keys]
        files = [path for path in kept if path is not None]
        if files and len(files) == len(keys):
            said = provenance.tags_of([Provenance.read(path) for path in files])
        else:
            said = self._recorded
        stages = spec.tags.get(_UPSTREAM, "")
        if stages not in self._locks:  # the same of all runs of a cell, and dear to read
            self._locks[stages] = lock_of(spec.tags, self._project.root)
        return described(spec, said, self._locks[stages])

    def kept(self, key: str) -> Path | None:
        """Return the file with the provenance of a fold, or None where the fold is not kept."""
        path = self._project.kept_fold(key).provenance
        return path if path.is_file() else None

    @cached_property
    def _recorded(self) -> dict[str, str]:
        commit = provenance.recorded_by(self._project.root, self._output)
        if commit == lineage.NONE:
            return dict(provenance.UNKNOWN)
        said = {provenance.COMMIT: commit, provenance.COMMIT_OF: provenance.LOCK}
        return {**provenance.UNKNOWN, **said}
