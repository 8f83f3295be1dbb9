"""Stage cross_data: another corpus -> data/cross/<corpus>, its manifest and features."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ser import components, cross_folders, files, runtime
from ser.errors import ParamsError
from ser.features import other_corpus
from ser.features.extraction import AudioParams
from ser.grid.params import CrossCorpusParams
from ser.params import StageParams, parse_entry, read
from ser.project import Project, Words

logger = logging.getLogger("cross_data")


class Params(StageParams):
    """Sections read: audio, cross_corpus, and features of its cells."""

    audio: AudioParams
    features: Mapping[str, Any]
    cross_corpus: CrossCorpusParams


#: What is found by name: the family -> the word of dvc.yaml that names the component.
COMPONENTS = {components.CORPORA: "item.name"}


def reads(project: Project, words: Words) -> list[Path]:
    """Return both corpora, the code of extractors, the user's sounds and the checkpoints."""
    return [
        project.manifest,
        project.corpus_card,
        project.raw(words["corpus.name"]),
        project.raw(words["key"]),
        project.code(components.EXTRACTORS, "").parent,
        project.sounds,
        project.checkpoint(""),
    ]


def writes(project: Project, words: Words) -> list[Path]:
    """Return the folder of the corpus."""
    return [cross_folders.other(project, words["key"]).folder]


def run(params: Params, project: Project, *, name: str, where: str) -> None:
    """Prepare a corpus of the section and extract what its cells read.

    Raises:
        ParamsError: The section has no such corpus.
    """
    section = params.cross_corpus
    if name not in section.corpora:
        known = ", ".join(section.corpora) or "none"
        raise ParamsError(f"{where}: cross_corpus.corpora has no {name!r}; there are: {known}")
    wanted = sorted({cell.feature for cell in section.cells.values()})
    features = {
        feature: parse_entry(
            params.features, "features", components.EXTRACTORS, feature, where=where
        )
        for feature in wanted
    }
    folder = cross_folders.other(project, name)
    files.remove_folder(folder.folder)
    card = other_corpus.make(
        name,
        section.corpora[name],
        features,
        params.audio,
        project=project,
        folder=folder,
        progress=partial(tqdm, desc=name, unit="utt", disable=None),
    )
    logger.info("%s: %d utterances of %s", name, card.num_used, ", ".join(card.emotions))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", help="one of cross_corpus.corpora")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    options = parser.parse_args(argv)

    def stage() -> None:
        params = read(options.params, Params)
        run(params, Project(), name=options.corpus, where=str(options.params))

    return runtime.run_main(stage)


if __name__ == "__main__":
    raise SystemExit(main())
