"""Stage extract: manifest and recordings -> data/features/<feature>."""

import argparse
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from ser import params as settings
from ser import runtime
from ser.data import manifest
from ser.features import extraction
from ser.features.extraction import AudioParams
from ser.params import ComponentParams, StageParams

logger = logging.getLogger("extract")


class Params(StageParams):
    """Sections read: audio, and features.<feature>."""

    audio: AudioParams


def run(
    params: Params, feature_params: ComponentParams, *, manifest_file: Path, root: Path, out: Path
) -> None:
    """Extract the feature that the output folder is named after."""
    store = extraction.extract(
        manifest.read(manifest_file),
        name=out.name,
        params=feature_params,
        audio_params=params.audio,
        root=root,
        folder=out,
        progress=partial(tqdm, desc=f"extract {out.name}", unit="utt", disable=None),
    )
    logger.info("%s: %d utterances, %d bins a frame", out.name, len(store), store.num_bins)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True, help="the corpus' root")
    parser.add_argument(
        "--out", type=Path, required=True, help="the store; its name is the feature"
    )
    options = parser.parse_args(argv)

    def stage() -> None:
        run(
            settings.read(options.params, Params),
            settings.read_entry(
                options.params, "features", extraction.EXTRACTORS, options.out.name
            ),
            manifest_file=options.manifest,
            root=options.root,
            out=options.out,
        )

    return runtime.run_main(stage)


if __name__ == "__main__":
    raise SystemExit(main())
