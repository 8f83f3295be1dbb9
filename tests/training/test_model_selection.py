import dataclasses

import pytest
import torch

from ser.training import fold as folds
from ser.training import model_selection
from tests.training.support import make_context, make_plan


def test_training_a_cell_and_choosing_end_with_the_same_weights(fold_data):
    whole = folds.train_fold(make_plan(), fold_data, make_context()).fit
    chosen = model_selection.select(make_plan(), fold_data.development, make_context())
    assert chosen.fit.history == whole.history
    assert chosen.fit.best_epoch == whole.best_epoch
    held = chosen.model.state_dict()
    for name, tensor in whole.weights.items():
        assert torch.equal(chosen.fit.weights[name], tensor)
        assert torch.equal(held[name], tensor)


def test_what_decides_holds_nothing_of_the_test_part(fold_data):
    development = fold_data.development
    assert {f.name for f in dataclasses.fields(development)} == {
        "train", "dev", "store", "label_of", "rating_of", "group_of", "share_of",
    }  # fmt: skip
    assert not {*development.train, *development.dev} & set(fold_data.fold.test)


def test_an_utterance_without_a_label_cannot_be_chosen_on(fold_data):
    fold = fold_data.fold
    known = {id_: label for id_, label in fold_data.label_of.items() if id_ in fold.train}
    with pytest.raises(KeyError):
        model_selection.select(
            make_plan(), dataclasses.replace(fold_data.development, label_of=known), make_context()
        )
