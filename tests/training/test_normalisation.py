"""Inputs normalised per speaker or session, through training."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ser.errors import ParamsError
from ser.features.normalisation import GroupStatistics
from ser.models import lstm
from ser.training import fold as folds
from ser.training import model_selection
from ser.training import plan as plans
from ser.training.recipe import TrainingParams
from tests.rounding import NETWORK
from tests.training.support import CAME_FROM, make_context, make_plan

pytestmark = pytest.mark.numeric


@pytest.fixture
def by_speaker(fold_data, utterances):
    return dataclasses.replace(fold_data, group_of={u.id: u.speaker for u in utterances})


def plan_of(training=None, **recipe):
    return make_plan(training, **{"normalisation": "speaker", **recipe})


def train(plan, data):
    return folds.train_fold(plan, data, make_context())


def own_frames(data, id_, part):
    """An utterance's frames, normalised by its speaker's in a part; in plain NumPy."""
    speaker = data.group_of[id_]
    ids = [other for other in data.fold.part(part) if data.group_of[other] == speaker]
    frames = np.concatenate([data.store[other] for other in ids]).astype(np.float64)
    return (data.store[id_] - frames.mean(axis=0)) / frames.std(axis=0)


def test_test_speakers_are_normalised_by_themselves(by_speaker, tmp_path):
    plan = plan_of(num_epochs=3)
    result = train(plan, by_speaker)
    saved = folds.save(result, tmp_path / "fold", fold=1, seed=0, came_from=CAME_FROM)
    model = plans.build_model(plan, feature=by_speaker.store.spec, head="linear").eval()
    model.load_state_dict(load_file(saved.weights))
    table = saved.read_predictions().set_index("utterance_id")
    columns = [c for c in table if c.startswith("probability_")]
    for part in ("dev", "test"):
        for id_ in by_speaker.fold.part(part):
            frames = torch.from_numpy(own_frames(by_speaker, id_, part)).float()
            with torch.inference_mode():
                said = model(frames.unsqueeze(0), torch.tensor([len(frames)])).logits[0]
            expected = said.double().log_softmax(dim=0).numpy()
            found = np.log(table.loc[id_, columns].to_numpy(dtype=float))
            np.testing.assert_allclose(found, expected, atol=4 * NETWORK)


def test_a_speakers_level_is_no_hint_and_no_hindrance(by_speaker):
    """Every speaker is moved and stretched; by themselves they are the same as before."""
    rng = np.random.default_rng(0)
    speakers = sorted(set(by_speaker.group_of.values()))
    moved = {s: (rng.normal(size=6) * 20, rng.uniform(0.5, 4.0, size=6)) for s in speakers}

    class Moved:
        spec, num_bins = by_speaker.store.spec, by_speaker.store.num_bins
        copies = by_speaker.store.copies
        num_frames = staticmethod(by_speaker.store.num_frames)

        def __getitem__(self, id_):
            offset, factor = moved[by_speaker.group_of[id_]]
            return (factor * by_speaker.store[id_] + offset).astype(np.float32)

    other = dataclasses.replace(by_speaker, store=Moved())
    plan = plan_of(num_epochs=8, patience=8)
    for data in (by_speaker, other):
        table = train(plan, data).predictions
        test = table[table["part"] == "test"]
        assert (test["truth"] == test["prediction"]).mean() > 0.8


def test_the_statistics_that_are_kept_are_of_each_part(by_speaker, tmp_path):
    for name, training, parts in (
        ("chosen", TrainingParams(), ("dev", "test", "train")),
        ("refitted", TrainingParams(refit=True), ("test", "train")),
    ):
        result = train(plan_of(training, num_epochs=1), by_speaker)
        saved = folds.save(result, tmp_path / name, fold=1, seed=0, came_from=CAME_FROM)
        found = GroupStatistics.load(saved.statistics)
        of_part = {p: {by_speaker.group_of[i] for i in by_speaker.fold.part(p)} for p in parts}
        if name == "refitted":
            of_part["train"] |= {by_speaker.group_of[i] for i in by_speaker.fold.dev}
        expected = [f"{p}/{speaker}" for p in parts for speaker in of_part[p]]
        assert list(found.groups) == sorted(expected)


def test_test_utterances_change_no_weight_and_no_choice(by_speaker):
    """Transductive: they are normalised by one another, and nothing else is."""

    class Louder:
        spec, num_bins = by_speaker.store.spec, by_speaker.store.num_bins
        copies = by_speaker.store.copies
        num_frames = staticmethod(by_speaker.store.num_frames)

        def __getitem__(self, id_):
            rows = by_speaker.store[id_]
            return rows**3 if id_ in by_speaker.fold.test else rows

    honest, wrong = (
        train(plan_of(), data)
        for data in (by_speaker, dataclasses.replace(by_speaker, store=Louder()))
    )
    assert honest.fit.history == wrong.fit.history
    for name, tensor in honest.fit.weights.items():
        assert torch.equal(tensor, wrong.fit.weights[name])
    assert not honest.predictions.equals(wrong.predictions)


def test_a_model_that_wants_its_inputs_as_they_are_is_refused(by_speaker, monkeypatch):
    monkeypatch.setattr(lstm.LstmModel, "normalises_inputs", False)
    with pytest.raises(ParamsError, match=r"recipes\.lstm\.normalisation: speaker .* write `norm"):
        train(plan_of(), by_speaker)
    train(plan_of(normalisation="fold", num_epochs=1), by_speaker)


def test_whose_statistics_they_are_must_be_known(fold_data):
    with pytest.raises(ValueError, match="normalisation: session needs the data's group_of"):
        model_selection.select(
            plan_of(normalisation="session"), fold_data.development, make_context()
        )
