"""A tiny project in a folder: its commands in order, its states, and what it holds."""

import fnmatch
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks import tiny

ROOT = Path(__file__).parents[2]

#: Not part of a state: no command changes them.
_CODE = ("ser", "pipelines", "dvc.yaml", "constraints.txt", ".git")

#: What may differ between two runs of a command that end the same: scratch, stores, caches.
_FREE = (
    *("work/*", "mlruns/*", "mlflow.db", ".dvc/*"),
    *("__pycache__/*", "*/__pycache__/*"),
)

#: What `benchmarks.tiny` leaves out: copies of recordings, and weights that the pipeline makes.
_CHANGES = {
    "synthetic_weights": {
        "wav2vec2": {"architecture": "wav2vec2", "hidden_size": 32, "num_layers": 2, "conv_dim": 8}
    },
    "features": {"mfcc": {"hop_ms": 20.0, "copies": ["clean", "speed_0.9"]}},
    "recipes": {
        "lstm": {
            "num_epochs": 3,
            "batch_size": 16,
            "learning_rate": 0.01,
            "copies": {"clean": 0.5, "speed_0.9": 0.5},
        }
    },
    "training": {"seeds": [0], "balance": "class_weights", "device": "cpu", "num_threads": 1},
    "robustness": {
        "without_copies": {
            "lstm-cross_entropy": {"model": "lstm", "loss": "cross_entropy", "feature": "mfcc"}
        }
    },
    # Every gate lets every model through, however slow the machine is just then.
    "gates": {
        "num_utterances": 20,
        "min_uar_low": 0.0,
        "non_inferiority_margin": 1.0,
        "min_class_recall": 0.0,
        "min_stability": 0.0,
        "max_uar_loss": 1.0,
        "min_speaker_wa": 0.0,
        "max_gender_gap": 1.0,
        "max_ece": 1.0,
        "max_real_time_factor": 1000.0,
    },
}

#: Recordings that `predict-batch` answers for.
_BATCH = "data/raw/demo/Session1/sentences/wav"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the campaign.

    Args:
        name: Shown, e.g. `train@lstm-focal`.
        main: The program, run in the project's root.
        outputs: What it writes, relative; DVC removes these before it runs a stage.
        by_dvc: Whether DVC runs it, and so removes its outputs by itself.
        is_interrupted: Whether it is one of those that are; else it only leads to the next.
    """

    name: str
    main: Callable[[], int | None]
    outputs: tuple[str, ...] = ()
    by_dvc: bool = False
    is_interrupted: bool = True


def make(root: Path) -> None:
    """Write the project's code and params into an empty folder."""
    tiny.copy_code(ROOT, root)
    shutil.copy(ROOT / "constraints.txt", root)
    text = yaml.safe_dump(tiny.params(ROOT) | _CHANGES, sort_keys=False)
    (root / "params.yaml").write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=root, check=True)


def stages(root: Path) -> list[Command]:
    """Return the stages of dvc.yaml under the project's params, each after what it reads."""
    import networkx
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        ordered = list(networkx.topological_sort(repo.index.graph.reverse()))
        named = [(stage.name, stage.cmd, stage.outs) for stage in ordered]
    found = []
    for name, cmd, outs in named:
        module, *words = [word for word in cmd.split() if word not in ("python", "-m")]
        found.append(Command(name, _program(module, words), tuple(str(o.def_path) for o in outs)))
    return found


def _program(module: str, words: list[str]) -> Callable[[], int | None]:
    def main() -> int | None:
        import importlib

        sys.argv = [module, *words]
        return importlib.import_module(module).main(words)

    return main


def ser(*words: str) -> Callable[[], int | None]:
    """Return the program `ser <words>`."""

    def main() -> int | None:
        from ser.cli import app

        sys.argv = ["ser", *words]
        app.main()
        return None

    return main


def dvc(*words: str) -> Callable[[], int | None]:
    """Return the program `dvc <words>`."""

    def main() -> int | None:
        from dvc.cli import main as program

        sys.argv = ["dvc", *words]
        return int(program(list(words)))

    return main


def with_dvc() -> list[Command]:
    """Return commands in which DVC works, from the beginning on, in order."""

    def leading(*words: str) -> Command:
        return Command(" ".join(words), dvc(*words[1:]), by_dvc=True, is_interrupted=False)

    return [
        leading("dvc", "repro", "prepare"),
        Command("dvc repro split", dvc("repro", "split"), by_dvc=True),
        leading("dvc", "repro", "tune"),
        # What `make repro` gives: it mends what is left, and so needs no `ser doctor` before it.
        Command("ser repro", ser("repro", "--jobs", "1")),
    ]


def after_stages() -> list[Command]:
    """Return what runs after the stages, in order."""
    answers = "answers.parquet"
    promote = ser("promote", "--allow-synthetic")
    return [
        Command("restore-runs", ser("restore-runs")),
        Command("register", ser("register", "lstm-cross_entropy")),
        Command("promote", promote),
        Command("register (2)", ser("register", "lstm-focal")),
        Command("promote (2)", promote),
        Command("rollback", ser("rollback")),
        Command("predict-batch", ser("predict-batch", _BATCH, "--out", answers), (answers,)),
    ]


def clear_state(root: Path) -> None:
    """Remove everything but the code."""
    for path in root.iterdir():
        if path.name in _CODE:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def copy_state(source: Path, target: Path) -> None:
    """Copy everything but the code into a folder that has none of it."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.name in _CODE:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, target / path.name, symlinks=True)
        else:
            shutil.copy2(path, target / path.name, follow_symlinks=False)


def remove_outputs(root: Path, command: Command) -> None:
    """Do what DVC does before it runs a stage."""
    for name in () if command.by_dvc else command.outputs:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def digests(root: Path) -> dict[str, str]:
    """Return path -> SHA-256 of every file that has to be the same whatever was interrupted."""
    found = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix()
        if name.split("/")[0] in _CODE or any(fnmatch.fnmatch(name, free) for free in _FREE):
            continue
        content = path.read_bytes()
        if name == "dvc.lock":
            # In which order DVC came to its stages is no part of what it recorded.
            content = json.dumps(yaml.safe_load(content), sort_keys=True).encode()
        found[name] = hashlib.sha256(content).hexdigest()
    return found


@dataclass(frozen=True, slots=True)
class Records:
    """What MLflow's store holds.

    Args:
        runs: Experiment, key and name -> number of runs.
        statuses: Status -> number of runs.
        versions: The registered versions.
        aliases: Alias -> version.
        tags: Name of a model, number of a version and key -> the tag's value, empty where another
            run of the same command has another one.
    """

    runs: Mapping[tuple[str, str, str], int]
    statuses: Mapping[str, int]
    versions: tuple[tuple[str, int], ...]
    aliases: Mapping[str, int]
    tags: Mapping[tuple[str, int, str], str]


def records(root: Path) -> Records:
    """Read the store with sqlite itself."""
    database = root / "mlruns" / "mlflow.db"
    if not database.exists():
        return Records({}, {}, (), {}, {})
    with closing(sqlite3.connect(database)) as connection:
        ask = connection.execute
        runs = ask(
            "select e.name, t.value, r.name, r.status from runs r"
            " join experiments e on e.experiment_id = r.experiment_id"
            " left join tags t on t.run_uuid = r.run_uuid and t.key = 'ser.run_key'"
            " where r.lifecycle_stage = 'active'"
        ).fetchall()
        versions = ask("select name, version from model_versions order by name, version").fetchall()
        tags = ask("select name, version, key, value from model_version_tags").fetchall()
        aliases = ask("select alias, version from registered_model_aliases").fetchall()
    return Records(
        dict(Counter((experiment, key or "", name) for experiment, key, name, _ in runs)),
        dict(Counter(status for *_, status in runs)),
        tuple(versions),
        dict(aliases),
        {tuple(key): "" if _is_free(key[-1]) else value for *key, value in tags},
    )


def _is_free(tag: str) -> bool:
    """Return whether a tag says when something was done, or in which run."""
    # The files of a logged model name its run.
    return tag.endswith(("_at", "_run_id", ".model_sha256"))
