"""What `ser doctor` finds of DVC's remotes: whether what may not be passed on would go there.

A stage's outputs are pushed or not whatever the corpus is: dvc.yaml takes a plain true or false for
that, and no param. So it is said here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from dvc.config import Config, ConfigError

from ser import components
from ser.contracts import Corpus
from ser.data.corpora._base import CorpusParams
from ser.project import Project
from ser.wording import without_password
from ser.workflow.finding import Finding
from ser.workflow.preset import Preset

_WHAT = "remote"


def examine(root: Path, preset: Preset) -> Iterator[Finding]:
    """Look at where `dvc push` sends data, and at the licence of what it would send.

    Args:
        root: The project's root.
        preset: The whole of params.yaml.

    Yields:
        A finding per remote; none where DVC has no remote.
    """
    if not (root / ".dvc").is_dir():
        return
    try:
        remotes = cast(dict[str, dict[str, str]], Config(str(root / ".dvc"))["remote"])
    except ConfigError as error:
        yield Finding("fail", _WHAT, str(error), "correct .dvc/config and .dvc/config.local")
        return
    if not remotes:
        return
    kept = [params.name for params in _corpora(preset) if not _build(params).redistributable]
    for name, remote in remotes.items():
        shown = f"{name} ({without_password(remote.get('url', ''))})"
        if kept:
            yield _finding(root, shown, kept)
        else:
            yield Finding("ok", _WHAT, f"{shown}: what is pushed there may be passed on")


def _finding(root: Path, shown: str, kept: list[str]) -> Finding:
    project = Project(root)
    manifest, features = (
        path.relative_to(root).as_posix() for path in (project.manifest, project.all_features)
    )
    detail = (
        f"{shown}: not free to be passed on: {', '.join(kept)}; and `dvc push` takes {manifest}, "
        f"with what was said, and {features}, made from recordings, there"
    )
    cure = "see that those who may have the corpus, and nobody else, can read it; or do not push"
    return Finding("warn", _WHAT, detail, cure)


def _corpora(preset: Preset) -> Iterator[CorpusParams]:
    yield preset.corpus
    yield from preset.cross_corpus.corpora.values()


def _build(params: CorpusParams) -> Corpus:
    corpus: Corpus = components.load(components.CORPORA, params.parser_name).build(params)
    return corpus
