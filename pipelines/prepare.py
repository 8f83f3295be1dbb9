"""Stage prepare: raw corpus -> data/manifest.jsonl, data/rejected.jsonl, data/corpus.json."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from ser import components, stage_program
from ser.contracts import Corpus
from ser.data import classes, fold_lists, intake, manifest, speech_kind
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
    name = params.corpus.name
    root = project.raw(name)
    corpus: Corpus = components.load(components.CORPORA, name).build(params.corpus)
    parsed = fold_lists.parse(corpus, root, params.corpus.fold_lists)
    taken = intake.take_in(
        parsed,
        root=root,
        params=params.corpus,
        progress=partial(tqdm, desc="inspect recordings", unit="wav", disable=None),
    )
    # Written before anything is refused, so that the list is there to be read.
    manifest.write_rejections(project.rejected, taken.rejections)
    intake.enforce(taken, max_rejected=params.corpus.max_rejected)
    corpus.check(taken.utterances)
    speech_kind.require_known(taken.utterances, params.corpus.speech, corpus=name)
    classes.require_each(params.corpus.emotions, taken.utterances, corpus=name)
    manifest.write(project.manifest, taken.utterances)
    card = intake.describe(corpus, params.corpus, taken)
    card.write(project.corpus_card)
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
