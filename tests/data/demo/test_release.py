"""The demo corpus on disk: the same bytes each time, the shape of IEMOCAP, complete or absent."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.data.corpora import demo
from ser.data.demo import release
from ser.data.demo.plan import PlannedTurn
from ser.errors import CorpusError

PARAMS = demo.Params(utterances_per_session=24)


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("raw") / "demo"
    release.generate(root, PARAMS)
    return root


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The same corpus in place of an earlier one, and the ids in the order they were seen."""
    target, seen = tmp_path_factory.mktemp("again") / "demo", []
    target.mkdir()
    (target / release.MARKER).write_text("{}")
    (target / "Session9").mkdir()

    def watch(turns: Iterable[PlannedTurn]) -> Iterator[PlannedTurn]:
        for turn in turns:
            seen.append(turn.id)
            yield turn

    release.generate(target, PARAMS, watch)
    return target, seen


def recordings(root: Path) -> list[Path]:
    return [path for path in sorted(root.glob("*/sentences/wav/*/*.wav")) if path.name[0] != "."]


def test_the_same_params_give_the_same_bytes(root: Path, again: tuple[Path, list[str]]) -> None:
    assert digests(again[0]) == digests(root)


def test_another_seed_gives_other_recordings(root: Path, tmp_path: Path) -> None:
    release.generate(tmp_path / "other", PARAMS.model_copy(update={"seed": 1}))
    ours, others = digests(root), digests(tmp_path / "other")
    shared = {path for path in ours.keys() & others.keys() if "/sentences/wav/" in path}
    assert all(ours[path] != others[path] for path in shared if "/._" not in path)


def test_recordings_are_16_bit_mono_of_one_to_five_seconds_and_all_differ(root: Path) -> None:
    paths = recordings(root)
    assert len(paths) == 120
    for path in paths:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert 0.9 <= info.duration <= 5.0
    assert len({path.read_bytes() for path in paths}) == 120


def test_other_sampling_rates_can_be_asked_for(tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"sampling_rate": 22_050})
    release.generate(tmp_path / "demo", params)
    waveform, sampling_rate = soundfile.read(recordings(tmp_path / "demo")[0])
    assert sampling_rate == 22_050
    assert np.abs(waveform).max() > 0.02


def test_the_tree_has_what_makes_the_real_one_hard(root: Path) -> None:
    for pattern in (
        "Session1/dialog/EmoEvaluation/._*.txt",
        "Session1/dialog/transcriptions/._*.txt",
        "Session1/dialog/avi/DivX/._*",
        "Session1/dialog/MOCAP_head/*",
        "Session1/dialog/wav/Ses01*.wav",
        "Session1/sentences/wav/*/._*.wav",
        "Session2/dialog/EmoEvaluation/Attribute/Ses02*_atr.txt",
        "Session2/dialog/EmoEvaluation/Categorical/Ses02*_cat.txt",
        "Session2/dialog/EmoEvaluation/Self-evaluation/Ses02*_cat.txt",
        "Session3/dialog/EmoEvaluation/Ses03M_impro05a.txt",
        "Session3/dialog/EmoEvaluation/Ses03M_impro08b.txt",
        "Session5/dialog/EmoEvaluation/Ses05M_script01_1b.txt",
    ):
        assert any(root.glob(pattern)), pattern


def test_the_tree_says_that_it_is_synthetic_and_with_which_params(root: Path) -> None:
    assert (root / "README.txt").read_text().startswith("SYNTHETIC SPEECH")
    assert json.loads((root / release.MARKER).read_text()) == {
        "distinctness": 1.0,
        "name": "demo",
        "sampling_rate": 16_000,
        "seed": 0,
        "utterances_per_session": 24,
    }


def test_progress_sees_every_utterance(again: tuple[Path, list[str]]) -> None:
    _, seen = again
    assert seen == sorted(set(seen), key=seen.index)
    assert len(seen) == 120


def test_an_earlier_demo_corpus_is_replaced_without_leftovers(
    root: Path, again: tuple[Path, list[str]]
) -> None:
    target, _ = again
    assert digests(target).keys() == digests(root).keys()
    assert not (target / "Session9").exists()
    assert [path.name for path in target.parent.iterdir()] == ["demo"]


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("final")
    with pytest.raises(CorpusError, match=r"holds files that are not a demo corpus"):
        release.generate(tmp_path, PARAMS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "demo").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CorpusError, match="is a link"):
        release.generate(tmp_path / "demo", PARAMS)


def test_an_interrupted_generation_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(turns: Iterable[PlannedTurn]) -> Iterator[PlannedTurn]:
        yield from list(turns)[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release.generate(tmp_path / "demo", PARAMS, interrupt)
    assert list(tmp_path.iterdir()) == []
