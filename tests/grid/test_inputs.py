import dataclasses
import fnmatch
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ser import lineage
from ser.data import splits
from ser.data.protocols import SplitParams
from ser.errors import FileError, LeakageError, ParamsError, StaleFeaturesError
from ser.grid import inputs
from ser.losses import ccc
from ser.models import lstm
from tests import synthetic
from tests.grid.support import make_soft_plan, make_vad_plan, write_inputs
from tests.training.support import make_plan


def load(paths, **feature_params):
    return inputs.load(paths, "mfcc", feature_params=feature_params)


def test_inputs_are_the_content_and_the_digests_of_the_files(root):
    unused = synthetic.utterance("unused", emotion=None, label="xxx", sha256="f" * 64)
    utterances = synthetic.corpus(num_sessions=3)
    rated = {"valence": 2.5, "arousal": None, "dominance": 4.0}
    utterances[0] = dataclasses.replace(utterances[0], **rated)
    paths = write_inputs(root, [*utterances, unused])
    found = load(paths)
    assert found.feature == "mfcc"
    assert found.emotions == ("angry", "happy", "neutral", "sad")
    assert [fold.number for fold in found.folds] == [1, 2, 3]
    assert found.label_of["Ses01F_happy_0"] == 1
    assert found.speaker_of["Ses02M_sad_1"] == "Ses02M"
    assert found.session_of["Ses02M_sad_1"] == "Ses02"
    assert "unused" not in found.label_of
    np.testing.assert_array_equal(found.rating_of[utterances[0].id], [2.5, np.nan, 4.0])
    assert found.rating_of.keys() == found.label_of.keys()
    assert found.digests == {
        "manifest": lineage.sha256_file(paths.manifest),
        "split": lineage.sha256_file(paths.splits),
        "features": lineage.digest_folder(paths.features("mfcc")),
    }


def test_a_split_report_of_another_manifest_is_refused(paths):
    paths.manifest.write_bytes(paths.manifest.read_bytes().replace(b"words of", b"other words of"))
    with pytest.raises(StaleFeaturesError, match=r"another manifest .* run `dvc repro split`"):
        load(paths)


def test_a_split_report_of_other_folds_is_refused(paths):
    lines = paths.splits.read_text().splitlines(keepends=True)
    paths.splits.write_text("".join(lines[:-1]))
    with pytest.raises(StaleFeaturesError, match=r"split_report\.json: it speaks of another split"):
        load(paths)


def test_features_of_other_params_are_refused_with_the_cure(paths):
    with pytest.raises(StaleFeaturesError, match=r"hop_ms.* run `dvc repro extract`"):
        load(paths, hop_ms=10.0)


def test_features_of_another_extractor_are_refused(paths):
    paths.features("mfcc").rename(paths.features("log_mel"))
    with pytest.raises(StaleFeaturesError, match="extractor 'mfcc', but 'log_mel'"):
        inputs.load(paths, "log_mel", feature_params={})


@pytest.mark.parametrize("name", ["corpus_card", "split_report"])
@pytest.mark.parametrize("damage", ["missing", "half"])
def test_a_file_that_cannot_be_read_is_named(paths, name, damage):
    path = getattr(paths, name)
    text = json.dumps({"a": 1})
    path.unlink() if damage == "missing" else path.write_text(text[:-1])
    said = "no such file" if damage == "missing" else "it is not a (corpus card|split report)"
    with pytest.raises(FileError, match=rf"{path.name}: {said}.*; `dvc repro` makes it"):
        load(paths)


def test_a_corpus_without_ratings_is_refused_where_a_loss_wants_them(paths):
    data = load(paths)
    inputs.require_ratings(make_plan(), data)
    with pytest.raises(ParamsError) as refused:
        inputs.require_ratings(make_vad_plan(), data)
    assert str(refused.value) == (
        "losses.ccc.targets: vad learns from ratings of valence, arousal, dominance, but corpus "
        "demo has no rating of valence, arousal, dominance in the train part of fold 1; write "
        "`targets: categories`, or use a corpus with ratings, as iemocap or demo"
    )


def test_a_dimension_without_a_rating_in_one_train_part_is_refused(root):
    utterances = synthetic.corpus(num_sessions=3, rated=True)
    inputs.require_ratings(make_vad_plan(), load(write_inputs(root / "whole", utterances)))
    # Of three sessions one trains: the fold that tests Ses03 and chooses on Ses01.
    gap = [dataclasses.replace(u, arousal=None) if u.session == "Ses02" else u for u in utterances]
    data = load(write_inputs(root / "gap", gap))
    with pytest.raises(ParamsError, match=r"has no rating of arousal in the train part of fold 3;"):
        inputs.require_ratings(make_vad_plan(), data)


def test_votes_are_read_and_learnt_where_targets_are_soft(root):
    utterances = synthetic.corpus(num_sessions=3, voted=True)
    data = load(write_inputs(root / "voted", utterances))
    assert data.share_of(make_plan()) is None
    assert data.share_of(make_soft_plan()) == synthetic.share_of(utterances)
    inputs.require_votes(make_plan(), data)
    inputs.require_votes(make_soft_plan(), data)


def test_a_corpus_without_votes_is_refused_where_targets_are_soft(paths):
    data = load(paths)
    inputs.require_votes(make_plan(), data)
    with pytest.raises(ParamsError) as refused:
        inputs.require_votes(make_soft_plan(), data)
    assert str(refused.value) == (
        "training.targets: soft learns from the votes of raters, but corpus demo has no votes for "
        "angry, happy, neutral, sad in the train part of fold 1; write `targets: hard`, or use a "
        "corpus with votes, as iemocap, cremad or demo"
    )


def test_a_loss_that_learns_no_shares_is_refused_where_targets_are_soft(root):
    data = load(write_inputs(root / "voted", synthetic.corpus(num_sessions=3, voted=True)))
    with pytest.raises(ParamsError) as refused:
        inputs.require_votes(make_soft_plan(loss="aam"), data)
    assert str(refused.value) == (
        "training.targets: soft has no meaning for the loss aam, which learns one class per "
        "utterance and no shares of votes; take the cell lstm-aam out of `cells` (and of "
        "`tuning.cells`), or write `targets: hard`"
    )


def test_the_sources_are_all_that_training_imports_but_for_what_is_pinned_otherwise():
    project = Path(__file__).parents[2]
    plan = SimpleNamespace(model="lstm", loss="focal")
    listed = inputs.sources(plan, project)
    assert {"ser/models/lstm.py", "ser/nn/heads.py", "ser/losses/focal.py"} <= set(listed)
    assert {"ser/nn/ratings.py", "ser/metrics.py"} <= set(listed)
    assert {"ser/training/fit.py", "ser/training/augment.py", "ser/batch.py"} <= set(listed)
    assert not {"ser/losses/aam.py", "ser/lineage.py", "ser/models/vggish.py"} & set(listed)
    everything = lineage.imported_sources(
        project, ["ser/grid/cell.py", "ser/models/lstm.py", "ser/losses/focal.py"]
    )
    unused = [p for p in inputs._PINNED_OTHERWISE if not fnmatch.filter(everything, p)]
    assert unused == []
    again = [p for p in inputs._PINNED_OTHERWISE if p in lineage.DECIDES_NOTHING]
    assert again == []


def test_whose_statistics_normalise_an_utterance(paths):
    found = load(paths)
    assert found.group_of("fold") is None
    assert found.group_of("speaker") is found.speaker_of
    assert found.group_of("session") is found.session_of


def test_a_normalisation_that_the_model_has_no_use_for_is_refused(paths, monkeypatch):
    data, plan = load(paths), make_plan(normalisation="speaker")
    inputs.require_normalising(plan, data)
    monkeypatch.setattr(lstm.LstmModel, "normalises_inputs", False)
    with pytest.raises(ParamsError, match=r"recipes\.lstm\.normalisation: speaker .* as they are"):
        inputs.require_normalising(plan, data)
    inputs.require_normalising(make_plan(), data)
    by_corpus = make_plan(normalisation="corpus")
    with pytest.raises(
        ParamsError, match=r"recipes\.lstm\.normalisation: corpus .*`normalisation: f"
    ):
        inputs.require_normalising(by_corpus, data)
    across = dataclasses.replace(by_corpus, is_across=True)
    with pytest.raises(
        ParamsError, match=r"cross_corpus\.normalisation: corpus .* recipe`, so that"
    ):
        inputs.require_normalising(across, data)


def test_sessions_that_are_not_known_normalise_nothing(paths):
    data = load(paths)
    first, *others = data.session_of.items()
    gap = dataclasses.replace(data, session_of=dict(others))
    inputs.require_normalising(make_plan(normalisation="session"), data)
    inputs.require_normalising(make_plan(normalisation="speaker"), gap)
    with pytest.raises(ParamsError, match=r"normalisation: session .* not say that of 1; write"):
        inputs.require_normalising(make_plan(normalisation="session"), gap)
    assert first


def test_a_recipe_that_draws_from_copies_that_were_not_extracted_is_refused(paths):
    data = load(paths)
    for copies in (None, {"clean": 1.0}):
        inputs.require_copies(make_plan(copies=copies), data)
    with pytest.raises(StaleFeaturesError, match=r"no copy 'speed_0\.9', but: clean; write it"):
        inputs.require_copies(make_plan(copies={"clean": 0.5, "speed_0.9": 0.5}), data)


@pytest.mark.parametrize("protocol", ["session", "random"])
def test_a_babble_that_would_cross_parts_is_refused(root, protocol):
    corpus = synthetic.corpus(per_speaker=6)
    paths = write_inputs(root, corpus)
    folds = splits.split(corpus, SplitParams(protocol=protocol))
    data = dataclasses.replace(load(paths), folds=tuple(folds))
    of_copy = data.store.of_copy

    class Babbling:
        hears = "voices"

    data.store.of_copy = lambda copy: Babbling if copy == "babble_10db" else of_copy(copy)
    plan = make_plan(copies={"clean": 0.5, "babble_10db": 0.5})
    inputs.require_copies(make_plan(copies={"clean": 1.0}), data)
    if protocol == "session":
        inputs.require_copies(plan, data)
    else:
        with pytest.raises(LeakageError, match=r"set split\.protocol to session or speaker"):
            inputs.require_copies(plan, data)


def ratings_alone(root):
    """Inputs of a corpus of ratings, nobody's dominance."""
    utterances = [
        dataclasses.replace(u, emotion=None, dominance=None)
        for u in synthetic.corpus(num_sessions=3, rated=True)
    ]
    paths = write_inputs(root, utterances)
    card = synthetic.card(emotions=(), counts={}, rated={"valence": 24, "arousal": 24})
    card.write(paths.corpus_card)
    return load(paths)


def test_a_loss_and_a_corpus_must_agree_on_whether_there_are_classes(tmp_path, paths):
    alone = ratings_alone(tmp_path / "alone")
    plan = dataclasses.replace(
        make_plan(), loss="ccc", loss_params=ccc.Params(targets="ratings"), emotions=()
    )
    inputs.require_ratings(plan, alone)
    with pytest.raises(
        ParamsError, match=r"cross_entropy learns classes, and corpus\.emotions is em"
    ):
        inputs.require_ratings(make_plan(), alone)
    with pytest.raises(ParamsError, match=r"targets: ratings learns no classes, and .* has 4"):
        inputs.require_ratings(
            dataclasses.replace(plan, emotions=make_plan().emotions), load(paths)
        )


def test_features_are_read_once_and_in_full_where_it_must_be_so(paths, monkeypatch):
    shard = next(paths.features("mfcc").glob("shard-*.npy"))
    for path in paths.features("mfcc").iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    first = load(paths)
    inputs.require_unchanged(first)
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(shard, (1_600_000_000, 1_600_000_000))
    again = load(paths)
    assert again.digests == first.digests
    in_full = inputs.load(paths, "mfcc", feature_params={}, in_full=True)
    assert in_full.digests["features"] == lineage.digest_folder(paths.features("mfcc"))
    with pytest.raises(StaleFeaturesError, match="its files were changed although sizes and times"):
        inputs.require_unchanged(again)
    inputs.require_unchanged(load(paths))
