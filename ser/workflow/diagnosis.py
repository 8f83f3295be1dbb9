"""What is wrong with an installation, a corpus link or a tracking store, and how to mend it."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser import lineage, provenance
from ser.errors import ParamsError, SerError
from ser.params import load_mapping, read
from ser.project import Project
from ser.report.functional_rows import FunctionalRows
from ser.wording import without_password
from ser.workflow import corpus_diagnosis, preset_head
from ser.workflow.finding import Finding, Level

if TYPE_CHECKING:
    from ser.workflow.preset import Preset

_MIN_PYTHON = (3, 11)
_LOW_DISK_GB = 5.0
_NO_DISK_GB = 1.0


def diagnose(root: Path, *, fix: bool = False) -> list[Finding]:
    """Look at everything that a command of this project stands on.

    Args:
        root: The project's root.
        fix: Also mend what can be mended without loss: close the runs of dead processes,
            correct the artifact paths of a moved project, put right what a killed DVC left, remove
            what killed writers left.

    Returns:
        Findings in a fixed order; with `fix`, as they are after mending.
    """
    findings = [
        _python(),
        *_versions(root / "constraints.txt"),
        _threads(),
        _disk(root),
        _git(root),
        *_folder(root),
        _dvc(root),
    ]
    findings += _left_by_kills(root, fix=fix)
    findings += _params(root)
    findings += _functionals(root)
    findings += _store(root, fix=fix)
    return findings


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _MIN_PYTHON:
        return Finding("fail", "python", f"{version} is too old", "install Python 3.11 or newer")
    return Finding("ok", "python", version)


def _versions(constraints: Path) -> Iterator[Finding]:
    """Compare installed packages with those the project pins."""
    if not constraints.is_file():
        yield Finding("warn", "versions", f"no {constraints.name}", "run from the project's root")
        return
    pins = {}
    for line in constraints.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\s*([A-Za-z0-9_.-]+)\s*==\s*([^\s;#]+)", line):
            pins[found[1]] = found[2]
    installed = lineage.package_versions([*provenance.PACKAGES, *pins])
    lost = [name for name in provenance.PACKAGES if installed[name] == lineage.NONE]
    # torch reports 2.11.0+cpu where 2.11.0 is pinned.
    other = [
        f"{name} {installed[name]} (pinned {pin})"
        for name, pin in pins.items()
        if installed[name] not in (lineage.NONE, pin) and installed[name].split("+")[0] != pin
    ]
    cure = "`.venv/bin/pip install -c constraints.txt -e .` installs the pinned versions"
    if lost:
        yield Finding("fail", "versions", f"not installed: {', '.join(lost)}", cure)
    if other:
        yield Finding("warn", "versions", f"differ: {', '.join(other)}", cure)
    if not lost and not other:
        yield Finding("ok", "versions", f"{len(pins)} pins agree")


def _threads() -> Finding:
    cpus = os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    detail = f"{cpus} CPUs, OMP_NUM_THREADS={asked or 'unset'}"
    if os.environ.get("OMP_WAIT_POLICY", "PASSIVE").upper() != "PASSIVE":
        cure = "`unset OMP_WAIT_POLICY`: spinning threads slow training up to a hundredfold"
        return Finding("warn", "threads", f"{detail}, threads spin while they wait", cure)
    if asked.isdigit() and int(asked) > cpus:
        return Finding(
            "warn", "threads", f"{detail}: more threads than CPUs", "`unset OMP_NUM_THREADS`"
        )
    return Finding("ok", "threads", detail)


def _disk(root: Path) -> Finding:
    free_gb = shutil.disk_usage(root).free / 1e9
    detail = f"{free_gb:.1f} GB free"
    if free_gb >= _LOW_DISK_GB:
        return Finding("ok", "disk", detail)
    level: Level = "warn" if free_gb >= _NO_DISK_GB else "fail"
    cure = "free some space; `dvc gc --workspace` drops cached data of other commits"
    return Finding(level, "disk", detail, cure)


def _git(root: Path) -> Finding:
    state = provenance.git_state(root)
    if state.commit == lineage.NONE:
        cure = "install git, then clone the project or `git init` and commit"
        return Finding("warn", "git", "no commit: runs cannot record the code's version", cure)
    suffix = ", with changes not committed" if state.dirty else ""
    return Finding("ok", "git", f"{state.commit[:12]}{suffix}")


def _folder(root: Path) -> Iterator[Finding]:
    """Look at the checkout's name: a folder `ser` hides the package from programs beside it."""
    place = root.resolve()
    if place.name == "ser":
        cure = (
            f"`mv {place} {place.with_name('speech-emotion')}`; in there, `rm -r .venv` and "
            f"`make setup`"
        )
        detail = f"it is called ser: `import ser` in {place.parent} finds it, and nothing in it"
        yield Finding("warn", "folder", detail, cure)


def _dvc(root: Path) -> Finding:
    has_git = (root / ".git").exists()
    config = [root / ".dvc" / name for name in ("config", "config.local")]
    text = "\n".join(path.read_text("utf-8") for path in config if path.is_file())
    if not (root / ".dvc").is_dir():
        cure = "`dvc init`" if has_git else "`dvc init --no-scm`"
        return Finding("fail", "dvc", "no .dvc folder: `dvc repro` refuses", cure)
    if not has_git and not re.search(r"no_scm\s*=\s*true", text, re.IGNORECASE):
        cure = "`dvc config --local core.no_scm true`"
        return Finding("fail", "dvc", ".dvc without .git: `dvc repro` refuses", cure)
    return Finding("ok", "dvc", "initialised")


def _left_by_kills(root: Path, *, fix: bool) -> Iterator[Finding]:
    """Look at what a killed DVC and killed writers leave behind."""
    # Here, not at the top: DVC takes its time.
    from ser.workflow import dvc_diagnosis, leftovers

    yield from dvc_diagnosis.examine(root, fix=fix)
    yield from leftovers.examine(root, fix=fix)


def _params(root: Path) -> Iterator[Finding]:
    """Look at params.yaml and at what it names on disk."""
    path = Project(root).params
    try:
        content = load_mapping(path)
        preset = _preset(path)
    except SerError as error:
        cure = "correct params.yaml, or `make use PRESET=emodb` for a fresh one"
        yield Finding("fail", "params.yaml", str(error), cure)
        return
    yield Finding("ok", "params.yaml", "valid")
    yield from corpus_diagnosis.examine(root, content)
    yield from _other_corpora(root, preset)
    yield _gpu(preset)
    yield from _precision(preset)
    yield from _weights(root, preset)
    yield from _needs(root, preset)
    yield from _remotes(root, preset)


def _preset(path: Path) -> "Preset":
    # Here, not at the top: it takes torch along.
    from ser.workflow.preset import Preset

    return read(path, Preset)


def _other_corpora(root: Path, preset: "Preset") -> Iterator[Finding]:
    """Look at the corpora that cells are trained or tested on beside their own."""
    from ser.workflow import cross_diagnosis

    yield from cross_diagnosis.examine(root, preset)


def _gpu(preset: "Preset") -> Finding:
    """Say on what cells train here."""
    from ser.workflow import gpu_diagnosis

    return gpu_diagnosis.examine(preset)


def _precision(preset: "Preset") -> Iterator[Finding]:
    """Say a precision that this machine cannot give, as a training would."""
    from ser.training import device

    try:
        device.require_precision(preset.training)
    except ParamsError as error:
        yield Finding("fail", "precision", str(error), "see the message")


def _weights(root: Path, preset: "Preset") -> list[Finding]:
    """Look at published weights where the stages do: in the project's root, and in the cache."""
    from ser.workflow import weights_diagnosis

    with chdir(root):
        return list(weights_diagnosis.examine(preset))


def _needs(root: Path, preset: "Preset") -> Iterator[Finding]:
    """Look at what the head of params.yaml says, where it is a copy of a preset."""
    from ser.workflow import needs_diagnosis

    try:
        head = preset_head.read(Project(root).params)
    except SerError as error:
        yield Finding("warn", "needs", str(error), "see the message")
        return
    if head is not None:
        yield from needs_diagnosis.examine(root, preset, head)


def _remotes(root: Path, preset: "Preset") -> Iterator[Finding]:
    """Look at where `dvc push` would send the corpus' words and features."""
    from ser.workflow import remote_diagnosis

    return remote_diagnosis.examine(root, preset)


def _functionals(root: Path) -> Iterator[Finding]:
    """Look for rows that openSMILE could have made by now; DVC does not see what is installed."""
    path = Project(root).functional_rows
    if not path.is_file() or lineage.package_versions(["opensmile"])["opensmile"] == lineage.NONE:
        return
    try:
        absent = FunctionalRows.read(path).absent
    except SerError:
        return  # `dvc repro` makes it anew
    if absent:
        detail = f"opensmile is installed, and yet the report has no {' and no '.join(absent)}"
        cure = "`dvc repro --force --single-item baselines`, then `make repro`"
        yield Finding("warn", "functionals", detail, cure)


def _store(root: Path, *, fix: bool) -> Iterator[Finding]:
    """Look at the tracking store: the database itself, then the runs in it."""
    from ser.tracking import health, place

    uri = place.default_uri(root)
    database = place.database_path(uri)
    if database is not None:
        if not database.exists():
            yield Finding("ok", "tracking store", f"{database} is not there yet; it makes itself")
            return
        if fix and (changed := health.relocate(database)):
            yield Finding("ok", "artifact paths", f"{changed} corrected")
        findings = _database(health.examine(database))
        yield from findings
        if any(finding.level == "fail" for finding in findings):
            return
    yield from _runs(root, uri, fix=fix)


def _database(found: Any) -> list[Finding]:
    """Turn an examination (`ser.tracking.health.Health`) into findings."""
    what = "tracking store"
    cure = f"move {found.path} aside and run `ser restore-runs`, which fills a new one from runs/"
    if found.problem or found.integrity != "ok":
        detail = f"{found.path} is damaged: {found.problem or found.integrity}"
        return [Finding("fail", what, detail, cure)]
    if found.schema != found.expected_schema:
        schema_cure = (
            f"install the pinned MLflow, or back up {found.path} and run "
            f"`mlflow db upgrade sqlite:///{found.path}`; if that fails, {cure}"
        )
        detail = f"schema {found.schema or 'missing'}, this MLflow needs {found.expected_schema}"
        return [Finding("fail", what, detail, schema_cure)]
    findings = [Finding("ok", what, f"{found.path}, schema {found.schema}")]
    if found.locked:
        wait = f"end the process that holds it (`fuser {found.path}` names it)"
        findings.append(Finding("fail", what, "another process holds the write lock", wait))
    if found.journal_mode != "wal":
        detail = f"journal mode {found.journal_mode}: readers block writers"
        mend = "nothing to do on a network disk; elsewhere the next run sets the write-ahead log"
        findings.append(Finding("warn", what, detail, mend))
    if found.moved_from:
        detail = f"artifacts are recorded under {', '.join(found.moved_from)}; the project moved"
        findings.append(Finding("fail", "artifact paths", detail, "`ser doctor --fix`"))
    return findings


def _runs(root: Path, uri: str, *, fix: bool) -> Iterator[Finding]:
    """Look for runs that a killed process left behind."""
    from ser.tracking import stale

    try:
        runs = stale.stale_runs(root)
        if runs and fix:
            stale.close_stale(root, runs)
    except SerError as error:
        yield Finding("fail", "tracking store", str(error), "see the message")
        return
    names = ", ".join(f"{run.name} ({run.run_id}; {run.why})" for run in runs)
    if not runs:
        yield Finding("ok", "runs", f"none left behind in {without_password(uri)}")
    elif fix:
        yield Finding("ok", "runs", f"closed as killed: {names}")
    else:
        detail = f"still RUNNING though their process is gone: {names}"
        yield Finding("warn", "runs", detail, "`ser doctor --fix` closes them")
