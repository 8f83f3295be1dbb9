"""Where a result came from: the commit, the machine and the packages. No DVC output holds it.

Another commit or machine does not make another result, so what is trained is the same to the byte
wherever it is trained. Who trained a fold writes this beside it, and the fold's run shows it.
"""

import os
import platform
import socket
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from ser import lineage
from ser.files import JsonArtefact
from ser.lineage import NONE
from ser.project import Project

#: Packages that a result is made with; `ser doctor` misses those that are not installed.
PACKAGES: tuple[str, ...] = (
    "accelerate",
    "dvc",
    "librosa",
    "mlflow",
    "numpy",
    "optuna",
    "pandas",
    "scikit-learn",
    "scipy",
    "soundfile",
    "soxr",
    "torch",
    "torchaudio",
    "transformers",
)

#: The tag of a run that names the commit of its code; of a cell whose folds are of several, all.
COMMIT = "ser.git_commit"

#: The tag of a run whose commit is not that of its code: what was looked at instead.
COMMIT_OF = "ser.git_commit_of"

#: Its value: the commit is the first one whose dvc.lock has the result.
LOCK = Project().lock.name

_DIRTY = "ser.git_dirty"

#: What the tags of a run say where nothing is known.
UNKNOWN: Mapping[str, str] = dict.fromkeys(
    (COMMIT, _DIRTY, "ser.python", "ser.platform"), lineage.NONE
)

#: Between the values of a tag of a cell whose folds differ in it.
_SEPARATOR = ", "

_CPU_INFO = Path("/proc/cpuinfo")


class Provenance(JsonArtefact):
    """Where a fold was trained, and by what; kept in `provenance.json` beside it.

    Args:
        git_commit: Full hash of HEAD, or `none`.
        git_dirty: Whether files differed from it, untracked ones included.
        host: Name of the machine.
        platform: Its operating system, with the version.
        machine: Its kind of processor, e.g. `x86_64`.
        processor: The model of its processor, or `none` where the system does not say it.
        device: What trained: `cpu`, or the kind and the model of a GPU.
        num_cpus: Processors that the system shows, at least 1.
        python: Its version.
        packages: Name of a distribution -> its version, or `none` where it is not installed.
    """

    what: ClassVar[str] = "the provenance of a fold"
    cure: ClassVar[str] = "remove its folder, and `dvc repro` trains the fold again"
    sort_keys: ClassVar[bool] = True

    git_commit: str
    git_dirty: bool
    host: str
    platform: str
    machine: str
    processor: str
    device: str
    num_cpus: int
    python: str
    packages: Mapping[str, str]

    @property
    def tags(self) -> dict[str, str]:
        """The tags of a run that say it; what is long, or names the host, stays in the file."""
        return {
            COMMIT: self.git_commit,
            _DIRTY: str(self.git_dirty).lower(),
            "ser.python": self.python,
            "ser.platform": self.platform,
        }


def here(root: Path, *, device: str = NONE) -> Provenance:
    """Return the provenance of what this process makes; packages are not imported for it.

    Args:
        root: The project's root.
        device: What trains, see `Provenance`.
    """
    git = git_state(root)
    return Provenance(
        git_commit=git.commit,
        git_dirty=git.dirty,
        host=socket.gethostname(),
        platform=platform.platform(),
        machine=platform.machine(),
        processor=_processor(),
        device=device,
        num_cpus=os.cpu_count() or 1,
        python=platform.python_version(),
        packages=lineage.package_versions(PACKAGES),
    )


def tags_of(folds: Collection[Provenance]) -> dict[str, str]:
    """Return the tags of a cell: what its folds agree on; where they differ, all that they say.

    Args:
        folds: At least one.

    Returns:
        Tag -> value, or different values in alphabetical order, joined by a comma and a space. A
        cell is dirty if one of its folds is.
    """
    found = {}
    for tag in UNKNOWN:
        values = sorted({fold.tags[tag] for fold in folds})
        found[tag] = _SEPARATOR.join(values)
    return found | {_DIRTY: str(any(fold.git_dirty for fold in folds)).lower()}


def commits_of(tags: Mapping[str, str]) -> list[str]:
    """Return the commits that the tags of a run name; `none` is none of them."""
    said = tags.get(COMMIT, NONE).split(_SEPARATOR)
    return [commit for commit in said if commit != NONE]


@dataclass(frozen=True, slots=True)
class GitState:
    """Where the code stands.

    Args:
        commit: Full hash of HEAD, or `none` outside git and before the first commit.
        dirty: Whether files differ from that commit, untracked ones included.
    """

    commit: str
    dirty: bool


def git_state(root: Path) -> GitState:
    """Return the commit of a working tree and whether files differ from it."""
    head = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if head is None:
        return GitState(NONE, dirty=False)
    # The pipeline itself rewrites dvc.lock while it runs; that is no change of code.
    changes = _git(root, "status", "--porcelain", "--", ".", ":(exclude)dvc.lock")
    return GitState(head, dirty=bool(changes))


def has_commit(root: Path, commit: str) -> bool:
    """Return whether a commit exists in the repository of a working tree."""
    return _git(root, "cat-file", "-e", f"{commit}^{{commit}}") is not None


def recorded_by(root: Path, output: Path) -> str:
    """Return the first commit whose dvc.lock has an output of DVC as it is now.

    Its content is not read: what lies there is taken to be what dvc.lock says of it.

    Args:
        root: The project's root, where dvc.lock lies.
        output: An output of a stage, or something in one; as `root` relative or not.

    Returns:
        Full hash, or `none` where no commit has it: it is no output, it has not been committed yet,
        or there is no git. In a clone without its whole history, the oldest that there is.

    Raises:
        ParamsError: dvc.lock is not YAML.
    """
    if not output.is_relative_to(root):
        return NONE
    digest = _digest_of(lineage.lock_entries(root), output.relative_to(root).as_posix())
    lock = Project().lock.as_posix()
    found = digest and _git(root, "log", "--reverse", "--format=%H", f"-S{digest}", "--", lock)
    return found.splitlines()[0] if found else NONE


def _digest_of(stages: Mapping[str, Any], name: str) -> str | None:
    """Return DVC's digest of the output that a file or folder is, or is in; None without one."""
    for stage in stages.values():
        for out in stage.get("outs", ()):
            if PurePosixPath(name).is_relative_to(out["path"]):
                return str(out["md5"]) if "md5" in out else None
    return None


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints, or None where it is missing or refuses."""
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


def _processor() -> str:
    """Return the model of the processor; Python itself knows it on few systems."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or NONE
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or NONE
