from dataclasses import replace
from pathlib import Path

import pytest

from ser import provenance
from ser.evaluation import slices
from ser.params import read
from ser.promotion import model_card, registration
from ser.workflow.preset import Preset
from tests.promotion.support import cell_of
from tests.registry.support import ROBUSTNESS

CAME_FROM = {
    "ser.git_commit": "0a1b",
    "ser.git_dirty": "true",
    "ser.python": "3.11.7",
    "ser.platform": "Linux-6",
}


@pytest.fixture
def facts(trained):
    cell = cell_of("lstm-aam")
    params = read(Path("params.yaml"), Preset)
    packed = registration.pack_fold(cell, params, fold=None, seed=None)
    sliced = slices.table(cell.frame, slices.values_of(cell.utterances))
    return model_card.Facts(
        packed.source.bundle, registration.scores(cell), sliced, cell.split, cell.card, CAME_FROM
    )


def test_the_card_says_what_was_measured(facts):
    text = model_card.render(facts)
    assert f"| UAR | {100 * facts.scores.scores['uar']:.1f} % |" in text
    low = facts.scores.intervals["uar"].low
    assert f"{100 * low:.1f} % to" in text
    for emotion, recall in facts.scores.recall.items():
        assert f"| {emotion} | {100 * recall:.1f} % |" in text
    assert facts.bundle.training.run_key in text
    assert facts.bundle.training.described in text
    assert "48 utterances of 6 speakers" in text
    assert "gender minus that of the worse" in text


def test_the_card_says_where_the_weights_were_trained_as_far_as_it_is_known(facts):
    text = model_card.render(facts)
    assert "commit `0a1b` (with uncommitted changes),\n" in text
    torch = facts.bundle.tags["ser.torch"]
    assert f"Python 3.11.7,\ntorch {torch}, Linux-6." in text
    of_lock = {**provenance.UNKNOWN, "ser.git_commit": "0a1b", "ser.git_commit_of": "dvc.lock"}
    text = model_card.render(replace(facts, came_from=of_lock))
    assert "commit `0a1b` (the first whose dvc.lock has these weights),\n" in text
    unknown = model_card.render(replace(facts, came_from=provenance.UNKNOWN))
    assert "commit `unknown`,\n" in unknown


def test_texts_of_users_are_shown_and_never_read_as_markup(facts):
    said = {"licence": "<img src=x>", "citation": "a | b"}
    sliced = facts.slices.assign(value="<b>|*s*")
    text = model_card.render(replace(facts, card=facts.card.model_copy(update=said), slices=sliced))
    assert "&lt;img src=x&gt; |" in text
    assert "a \\| b |" in text
    assert "&lt;b&gt;\\|\\*s\\* |" in text
    assert "<img" not in text


def test_the_card_says_what_gets_no_emotion(facts):
    text = model_card.render(facts)
    assert "of which less than 0.0 % is speech" in text
    assert f"of {facts.bundle.hearing.num_compared}\nutterances of its dev part" in text
    seen = facts.bundle.hearing.model_copy(update={"compared_with": "left-out speakers"})
    refit = replace(facts, bundle=facts.bundle.model_copy(update={"hearing": seen}))
    assert "utterances of speakers that were left out" in model_card.render(refit)
    old = replace(facts, bundle=facts.bundle.model_copy(update={"hearing": None}))
    assert "gives one of them to any sound" in model_card.render(old)


def test_synthetic_speech_is_said_first(facts):
    text = model_card.render(facts)
    assert "**Synthetic speech.**" in text.partition("##")[0]
    real = replace(facts, card=facts.card.model_copy(update={"synthetic": False}))
    assert "Synthetic" not in model_card.render(real)


def test_a_speaker_dependent_protocol_is_said(facts):
    split = facts.split.model_copy(update={"speaker_independent": False})
    text = model_card.render(replace(facts, split=split))
    assert "**speaker-dependent**" in text


def test_a_refit_has_no_test_part_of_its_own(facts):
    training = facts.bundle.training.model_copy(update={"fold": None})
    bundle = facts.bundle.model_copy(update={"training": training})
    refit = replace(facts, bundle=bundle)
    assert "has no test part of its own" in model_card.render(refit)
    assert "has no test part of its own" not in model_card.render(facts)


SEEN = "Both come from the fits that chose the epoch, which had not seen dev"


def test_a_refitted_fold_is_said_with_its_scores_and_its_temperature(facts):
    text = model_card.render(facts)
    assert "refitted" not in text
    assert SEEN not in text
    bundle = facts.bundle
    training = bundle.training.model_copy(update={"refit": True})
    params = {**bundle.params, "training": {**bundle.params["training"], "refit": True}}
    bundle = bundle.model_copy(update={"training": training, "params": params})
    text = model_card.render(replace(facts, bundle=bundle))
    assert f"refitted on its train and dev parts, {training.num_epochs} epochs" in text
    assert "Each fold that is scored here was refitted" in text
    assert SEEN in text


def test_what_a_refit_on_all_parts_was_calibrated_with_is_said(facts):
    training = facts.bundle.training.model_copy(update={"fold": None})
    bundle = facts.bundle.model_copy(update={"training": training})
    assert SEEN in model_card.render(replace(facts, bundle=bundle))


def test_how_steady_it_is_stands_there_once_it_is_measured(facts):
    card = model_card.render(facts)
    assert "Not measured yet: `ser promote`" in card
    shown = model_card.with_robustness(card, ROBUSTNESS)
    assert "Not measured yet" not in shown
    assert "Asked about 60 utterances, 6 speakers" in shown
    assert "| `telephone` | 95.0 % [90.0 %, 98.0 %] | 1.0 % [-1.0 %, 2.0 %] |" in shown
    assert "| `gain_-6db` | 95.0 % [90.0 %, 98.0 %] |  |" in shown
    assert "UAR of the same utterances as they are: 70.0 %." in shown


def test_all_else_of_the_card_stays_and_a_second_measurement_replaces_the_first(facts):
    card = model_card.render(facts)
    first = model_card.with_robustness(card, ROBUSTNESS.model_copy(update={"uar": 0.1}))
    second = model_card.with_robustness(first, ROBUSTNESS)
    assert second == model_card.with_robustness(card, ROBUSTNESS)
    parts = [text.partition("## How steady it is")[::2] for text in (card, second)]
    assert parts[0][0] == parts[1][0]
    rest = [after.partition("\n## How it answers")[2] for _, after in parts]
    assert rest[0] == rest[1] != ""


def test_a_card_without_the_section_gets_it_at_its_end():
    shown = model_card.with_robustness("# old\n\n## Limits\n\nnone\n", ROBUSTNESS)
    assert shown.startswith("# old\n\n## Limits\n\nnone\n\n## How steady it is\n")
    assert shown.endswith("as they are: 70.0 %.\n")
