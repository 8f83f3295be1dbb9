"""Whom a challenger's gates ask, with stubs in place of models: one hears loudness, one nothing."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser.data import manifest
from ser.emotion import EMOTIONS
from ser.errors import RegistryError
from ser.project import Project
from ser.promotion import asking, measuring, questioning
from ser.promotion.questioning import Challenger
from ser.registry import gates, model_files, versions
from ser.registry.bundle import FILE, Bundle
from ser.registry.gate_params import GateParams
from tests.promotion.support import known_version
from tests.registry.support import GOOD

EMOTIONS = EMOTIONS[:4]
PARAMS = GateParams(
    stability_changes=("gain_-6db", "telephone", "trimmed"), uar_changes=("gain_-6db",)
)


@pytest.fixture
def utterances(trained):
    return manifest.read(Project().manifest)


@pytest.fixture
def challenger(trained, tmp_path):
    """The weights of fold 1."""
    version = known_version("lstm-aam", fold=1)
    registry = versions.open_registry(Path())
    model = model_files.fetch(version.source, registry.uri, tmp_path)
    bundle = Bundle.read(model_files.bundle_of(model) / FILE)
    tracked = measuring._artifact(
        version,
        registry,
        version.run_id,
        measuring.TRACKED,
        measuring.digest_tag(measuring.TRACKED),
    )
    return Challenger(version, bundle, tracked, model, registry.uri)


@pytest.fixture
def stub(monkeypatch, utterances):
    """Let a function of a question decide in place of every model; give what each was asked."""

    def use(decide):
        asked = []

        def ask(model_uri, questions, *, tracking_uri):
            asked.append((model_uri, questions))
            decided = [decide(question) for question in questions]
            return [
                {f"uncalibrated_{name}": 0.7 if name == emotion else 0.1 for name in EMOTIONS}
                | {"seconds": 0.01}
                for emotion in decided
            ]

        monkeypatch.setattr(asking, "ask", ask)
        return asked

    return use


def hears_loudness(question):
    """Another emotion for every 3 dB."""
    samples, _ = soundfile.read(question.path)
    level_db = 10 * np.log10(np.mean(np.square(samples)))
    return EMOTIONS[int(level_db // 3) % len(EMOTIONS)]


@pytest.fixture
def is_deaf(utterances):
    """Right whatever is heard."""
    truth_of = {utterance.id: utterance.emotion for utterance in utterances}
    return lambda question: truth_of[question.utterance_id]


def verdicts(answers):
    evidence = GOOD.model_copy(update={"robustness": answers.robustness})
    return {verdict.gate: verdict for verdict in gates.judge(evidence, PARAMS)}


def test_a_model_that_hears_loudness_fails_by_the_name_of_the_change(challenger, utterances, stub):
    stub(hears_loudness)
    answers = questioning.question(challenger, utterances, PARAMS, Project())
    assert answers.robustness.stability["gain_-6db"].value == 0.0
    verdict = verdicts(answers)["stability"]
    assert not verdict.passed
    assert verdict.measured == "0.000 [0.000, 0.074], gain_-6db"
    assert "fails under gain_-6db" in verdict.reason
    assert verdict.reason.endswith("recipes.lstm.copies")


def test_a_model_that_is_deaf_to_changes_passes(challenger, utterances, stub, is_deaf):
    stub(is_deaf)
    answers = questioning.question(challenger, utterances, PARAMS, Project())
    found = answers.robustness
    assert {(estimate.value, estimate.high) for estimate in found.stability.values()} == {
        (1.0, 1.0)
    }
    assert all(0.8 < estimate.low < 1.0 for estimate in found.stability.values())
    assert (found.uar, found.uar_loss["gain_-6db"].value) == (1.0, 0.0)
    assert 0.0 < found.uar_loss["gain_-6db"].high < 0.1
    assert all(verdicts(answers)[gate].passed for gate in ("stability", "robust_uar"))


def test_nobody_is_asked_about_what_it_was_trained_on_and_each_is_loaded_once(
    challenger, utterances, stub, is_deaf
):
    asked = stub(is_deaf)
    answers = questioning.question(challenger, utterances, PARAMS, Project())
    frame = pd.read_parquet("runs/lstm-aam/predictions.parquet")
    test = frame[frame["part"] == "test"]
    served, *others = asked
    assert served[0] == str(challenger.model)
    assert len({uri for uri, _ in asked}) == len(asked) == 3
    for fold, (_, questions) in enumerate((served, *others), start=1):
        own = set(test.loc[test["fold"] == fold, "utterance_id"])
        assert {question.utterance_id for question in questions} == own
        assert len(questions) == len(own) * (1 + len(PARAMS.changes))
    assert answers.robustness.num_utterances == len(test)
    assert answers.robustness.num_speakers == 6
    assert answers.robustness.weights == (
        "the served ones, of fold 1 and those of fold 2, fold 3, each about its own test part"
    )


def test_no_more_is_asked_than_the_params_say(challenger, utterances, stub, is_deaf):
    asked = stub(is_deaf)
    params = PARAMS.model_copy(update={"num_utterances": 9})
    answers = questioning.question(challenger, utterances, params, Project())
    changed = {q.utterance_id for _, questions in asked for q in questions if q.change != "clean"}
    assert len(changed) == answers.robustness.num_utterances == 9
    # The served weights answer for what was tracked of them too, as it is.
    assert answers.served.num_utterances >= 9


def test_a_cell_that_is_no_longer_here_leaves_the_served_weights_alone(
    challenger, utterances, stub, is_deaf, tmp_path
):
    stub(is_deaf)
    project = Project(tmp_path)
    project.data.mkdir()
    (project.data / "raw").symlink_to(Path("data/raw").resolve())
    found = questioning.question(challenger, utterances, PARAMS, project).robustness
    assert found.weights == "the served ones, of fold 1, each about its own test part"
    assert found.num_speakers == 2


def test_a_refit_without_its_folds_is_not_asked_about_what_it_was_trained_on(
    challenger, utterances, stub, is_deaf, tmp_path
):
    stub(is_deaf)
    project = Project(tmp_path)
    project.data.mkdir()
    (project.data / "raw").symlink_to(Path("data/raw").resolve())
    training = challenger.bundle.training.model_copy(update={"fold": None})
    refit = Challenger(
        challenger.version,
        challenger.bundle.model_copy(update={"training": training}),
        challenger.tracked,
        challenger.model,
        challenger.uri,
    )
    answers = questioning.question(refit, utterances, PARAMS, project)
    assert answers.served is not None
    assert answers.robustness is None
    assert "training.keep_weights: all" in answers.robustness_error


def test_what_no_user_may_ask_about_is_not_asked_about(challenger, utterances, stub):
    asked = stub(lambda _: "sad")
    some = set(challenger.tracked["utterance_id"].sort_values()[:3])
    lasting = [
        utterance
        if utterance.id in some
        else dataclasses.replace(utterance, num_samples=601 * utterance.sampling_rate)
        for utterance in utterances
    ]
    answers = questioning.question(challenger, lasting, PARAMS, Project())
    assert answers.served.num_utterances == 3
    ids = {question.utterance_id for _, questions in asked for question in questions}
    assert ids & set(challenger.tracked["utterance_id"]) == some
    too_long = [dataclasses.replace(one, num_samples=10**9) for one in utterances]
    answers = questioning.question(challenger, too_long, PARAMS, Project())
    assert "lasts 0.1 to 600 s" in answers.served_error


def test_a_stand_in_that_cannot_be_asked_is_evidence(
    challenger, utterances, stub, is_deaf, monkeypatch
):
    stub(is_deaf)
    whole = asking.ask

    def ask(model_uri, questions, *, tracking_uri):
        if model_uri != str(challenger.model):
            raise RegistryError("it crashed")
        return whole(model_uri, questions, tracking_uri=tracking_uri)

    monkeypatch.setattr(asking, "ask", ask)
    answers = questioning.question(challenger, utterances, PARAMS, Project())
    assert answers.served is not None
    assert answers.robustness_error == "it crashed"
