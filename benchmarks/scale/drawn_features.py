"""Extraction as far as it is bookkeeping: plan, shards, index, digests; the frames are drawn.

Takes the place of the stage `extract`, whose extractor takes as long as there is speech.
"""

import sys
from collections.abc import Sequence

import numpy as np

from benchmarks.scale.project import FEATURE
from ser import components, runtime, seeding
from ser import params as settings
from ser.data import manifest
from ser.features import store
from ser.features.collection import Frames, fill
from ser.features.extraction import AudioParams, build_extractor
from ser.project import Project
from ser.utterance import used_of

_NUM_FRAMES = range(4, 9)


def main(argv: Sequence[str]) -> int:  # noqa: ARG001
    """Make the feature store of the project in this folder, or find it finished."""
    project, rate = Project(), AudioParams().sampling_rate
    params = settings.read_entry(project.params, "features", components.EXTRACTORS, FEATURE)
    num_bins = build_extractor(FEATURE, params, sampling_rate=rate).num_bins
    sha256_of = {u.id: u.sha256 for u in used_of(manifest.read(project.manifest))}

    def drawn(id_: str) -> Frames:
        rng = np.random.default_rng(seeding.derive(id_))
        size = int(rng.integers(_NUM_FRAMES.start, _NUM_FRAMES.stop)), num_bins
        return rng.standard_normal(size, np.float32)

    kept = project.kept_copies(FEATURE)
    collection = store.collected(
        kept,
        list(sha256_of),
        meta={
            "extractor": FEATURE,
            "params": params.model_dump(mode="json"),
            "sampling_rate": rate,
            "dimension": num_bins,
            "dtype": "float32",
            "checkpoint": None,
            "revision": None,
        },
        decided_by={"recordings": sorted([id_, sha] for id_, sha in sha256_of.items())},
    )
    fill([(collection, drawn)])
    store.publish(kept, project.features(FEATURE), recordings=sha256_of)
    return 0


if __name__ == "__main__":
    runtime.configure()
    raise SystemExit(main(sys.argv[1:]))
