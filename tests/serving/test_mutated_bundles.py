"""Whatever stands in bundle.json: a bundle is loaded and answers, or is refused in a sentence."""

import copy
import json

import numpy as np
import pytest

from ser.errors import SerError
from ser.registry import bundle as bundles
from ser.serving.audio_input import Waveform
from ser.serving.predictor import Predictor
from tests.serving.support import RATE, speech, write_bundle

DELETED = object()
VALUES = (
    DELETED,
    None,
    True,
    -1,
    0,
    0.5,
    1e308,
    float("nan"),
    "x",
    "",
    "..",
    [],
    ["x"],
    {},
    {"x": 1},
)


def places(value, path=()):
    """Yield the path to every value below the top."""
    items = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def mutated(content, path, value):
    """A copy with one value replaced."""
    changed = copy.deepcopy(content)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    if value is DELETED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return changed


@pytest.mark.parametrize(("cell", "num_mutations"), [("lstm-aam", 120), ("wav2vec2-focal", 30)])
def test_one_wrong_value_is_a_sentence_or_makes_no_difference(
    cell, num_mutations, trained, tmp_path
):
    folder, _ = write_bundle(cell, tmp_path / "bundle")
    path = folder / bundles.FILE
    content = json.loads(path.read_text())
    cases = [(place, value) for place in places(content) for value in VALUES]
    chosen = np.random.default_rng(0).permutation(len(cases))[:num_mutations]
    refused = 0
    for place, value in (cases[number] for number in chosen):
        path.write_text(json.dumps(mutated(content, place, value)))
        try:
            answer = Predictor.load(folder).predict(Waveform(speech(0.75), RATE))
        except SerError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"{'.'.join(map(str, place))} = {value!r}") from error
        else:
            assert sum(answer.whole.probabilities.values()) == pytest.approx(1.0)
    assert refused > num_mutations // 4


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '"x"', "{}", "\x00", "[" * 100_000])
def test_what_is_no_object_is_a_sentence(text, trained, tmp_path):
    folder, _ = write_bundle("lstm-aam", tmp_path / "bundle")
    (folder / bundles.FILE).write_text(text)
    with pytest.raises(SerError, match=r"bundle\.json"):
        Predictor.load(folder)
