"""Stage prepare: raw corpus -> data/manifest.jsonl, data/rejected.jsonl, data/corpus.json."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from ser import components, stage_program
from ser.data import preparation
from ser.params import StageParams, component
from ser.project import Project, Words

logger = logging.getLogger("prepare")


class Params(StageParams):
    """Sections read: corpus."""

    corpus: component(components.CORPORA)  # type: ignore[valid-type]


#: What is found by name: the family -> the word of dvc.yaml that names the component.
COMPONENTS = {components.CORPORA: "corpus.name"}


def reads(project: Project, words: Words) -> list[Path]:
    """Return the corpus."""
    return [project.raw(words["corpus.name"])]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the manifest, what was refused, and the corpus card."""
    return [project.manifest, project.rejected, project.corpus_card]


def run(params: Params, project: Project) -> None:
    """Take a corpus in, refuse what cannot be used, and write the manifest."""
    card = preparation.prepare(
        params.corpus,
        project,
        recordings=project.raw(params.corpus.name),
        progress=partial(tqdm, desc="inspect recordings", unit="wav", disable=None),
    )
    logger.info(
        "%s: %d utterances, %d %s, %d refused",
        params.corpus.name,
        card.num_utterances,
        card.num_used,
        f"of the study's emotions {card.counts}" if card.emotions else f"rated {card.rated}",
        card.num_rejected,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    return stage_program.main(run, Params, argv, description=__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
