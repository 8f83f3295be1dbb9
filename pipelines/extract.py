"""Stage extract: manifest and recordings -> data/features/<feature>."""

import argparse
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from ser import components, runtime
from ser import params as settings
from ser.data import manifest
from ser.features import extraction
from ser.features.extraction import ExtractionParams, Places
from ser.params import ComponentParams
from ser.project import Project, Words

logger = logging.getLogger("extract")


class Params(ExtractionParams):
    """Sections read: audio, corpus.name, and features.<feature>."""


#: What is found by name: the family -> the word of dvc.yaml that names the component.
COMPONENTS = {components.EXTRACTORS: "key"}


def reads(project: Project, words: Words) -> list[Path]:
    """Return the manifest, the recordings, the user's sounds and the checkpoint."""
    return [
        project.manifest,
        project.raw(words["corpus.name"]),
        project.sounds,
        project.checkpoint(words["item.weights"]),
    ]


def writes(project: Project, words: Words) -> list[Path]:
    """Return the store."""
    return [project.features(words["key"])]


def run(params: Params, feature_params: ComponentParams, project: Project, *, name: str) -> None:
    """Extract a feature of all utterances."""
    store = extraction.extract(
        manifest.read(project.manifest),
        name=name,
        params=feature_params,
        audio_params=params.audio,
        places=Places.of(project, name, corpus=params.corpus.name),
        progress=partial(tqdm, desc=f"extract {name}", unit="utt", disable=None),
    )
    logger.info("%s: %d utterances, %d bins a frame", name, len(store), store.num_bins)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("feature", help="a file of ser/features/extractors, e.g. mfcc")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    options = parser.parse_args(argv)

    def stage() -> None:
        chosen = settings.read_entry(
            options.params, "features", components.EXTRACTORS, options.feature
        )
        run(settings.read(options.params, Params), chosen, Project(), name=options.feature)

    return runtime.run_main(stage)


if __name__ == "__main__":
    raise SystemExit(main())
