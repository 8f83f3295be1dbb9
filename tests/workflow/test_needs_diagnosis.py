"""What a preset's head asks for, compared with the machine."""

import re
from collections import namedtuple
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ser.workflow import needs_diagnosis
from ser.workflow.preset_head import PresetHead
from tests.workflow.support import check

COMMIT = "e37978b90ca9030d5170a5c07aadb050351a65bb"
HEAD = PresetHead(
    corpus="emodb", weights=(), gpu=False, extras=(), takes="", memory_gb=1.0, disk_gb=2.0
)
WHISPER = {
    "features": {
        "mfcc": {},
        "whisper": {"checkpoint": "openai/whisper-base", "revision": COMMIT, "freeze": "all"},
    },
    "extracted": {"mfcc": {"weights": "none"}, "whisper": {"weights": "none"}},
}
HUBERT = {
    "features": {"mfcc": {}, "hubert": {"checkpoint": "data/weights/tiny", "freeze": 1}},
    "extracted": {"mfcc": {"weights": "none"}, "hubert": {"weights": "tiny"}},
}
MADE = {"tiny": {"architecture": "hubert"}}


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with so much room; change it by calling."""

    def change(*, disk_gb=100.0, memory_gb=16.0):
        usage = namedtuple("usage", "free")(disk_gb * 1e9)
        memory = SimpleNamespace(available=memory_gb * 1e9)
        monkeypatch.setattr(needs_diagnosis.shutil, "disk_usage", lambda _: usage)
        monkeypatch.setattr(needs_diagnosis.psutil, "virtual_memory", lambda: memory)

    change()
    return change


def found(head, preset=None):
    return list(needs_diagnosis.examine("root", preset or check(), head))


def test_enough_of_everything_is_ok():
    assert [finding.level for finding in found(HEAD)] == ["ok", "ok"]


def test_too_little_disk_is_told_with_both_numbers(machine):
    machine(disk_gb=1.5)
    (finding,) = found(replace(HEAD, memory_gb=None))
    assert finding.level == "warn"
    assert finding.detail == "disk: 2 GB for a first run, 1.5 GB are free"
    assert "dvc gc --workspace" in finding.cure


@pytest.mark.parametrize(
    ("memory_gb", "level", "cure"),
    [(2.0, "ok", ""), (1.9, "warn", "make repro JOBS=1"), (0.9, "warn", "end other programs")],
)
def test_memory_is_asked_for_as_many_processes_as_train_at_once(machine, memory_gb, level, cure):
    machine(memory_gb=memory_gb)
    (finding,) = found(replace(HEAD, disk_gb=None))
    assert finding.level == level
    assert cure in finding.cure


def test_the_usual_number_of_processes_is_that_of_the_makefile(project):
    makefile = (project / "Makefile").read_text("utf-8")
    assert re.findall(r"^JOBS \?= (\d+)$", makefile, re.M) == [str(needs_diagnosis.USUAL_JOBS)]


@pytest.mark.parametrize(("extra", "level"), [("numpy", "ok"), ("no-such-package", "fail")])
def test_an_extra_that_is_not_installed_fails_with_its_command(extra, level):
    finding = found(replace(HEAD, extras=(extra,)))[-1]
    assert finding.level == level
    assert (f"constraints.txt {extra}`" in finding.cure) == (level == "fail")


@pytest.mark.parametrize("other", [{"corpus": "ravdess"}, {"weights": ("whisper-tiny.en",)}])
def test_a_head_of_another_setting_says_nothing(other, machine):
    machine(disk_gb=0.1)
    assert found(replace(HEAD, **other)) == []


def test_what_is_unknown_is_not_asked_for(machine):
    machine(disk_gb=0.1, memory_gb=0.1)
    assert found(replace(HEAD, memory_gb=None, disk_gb=None)) == []


def test_weights_are_ids_of_the_hub_and_names_of_files():
    trunk = {"weights": "data/weights/vggish/trunk.pth", "sha256": "0" * 8}
    assert needs_diagnosis.weights_of(check()) == ()
    assert needs_diagnosis.weights_of(check(**WHISPER)) == ("openai/whisper-base",)
    assert needs_diagnosis.weights_of(check(**HUBERT)) == ("tiny",)
    cells = {
        "vggish-cross_entropy": {"model": "vggish", "loss": "cross_entropy", "feature": "mfcc"}
    }
    vggish = check(models={"vggish": trunk}, recipes={"vggish": {}}, cells=cells)
    assert needs_diagnosis.weights_of(vggish) == ("trunk.pth",)


def test_weights_that_the_pipeline_makes_are_no_need():
    made = check(**HUBERT, synthetic_weights=MADE)
    assert needs_diagnosis.weights_of(made) == ()
    assert not needs_diagnosis.needs_gpu(made)


def test_a_gpu_is_needed_where_layers_of_a_published_network_are_trained():
    assert needs_diagnosis.needs_gpu(check(**HUBERT))
    assert not needs_diagnosis.needs_gpu(check(**WHISPER))
    assert not needs_diagnosis.needs_gpu(check())


def test_frames_that_are_pooled_need_no_gpu():
    cut = {**WHISPER["features"]["whisper"], "freeze": 2}
    features = {"mfcc": {}, "whisper": cut}
    cells = {
        "whisper-cross_entropy": {"model": "whisper", "loss": "cross_entropy", "feature": "whisper"}
    }

    def needs_gpu(**params):
        models = {"whisper": {"pooling": "attention", **params}}
        preset = check(
            **{**WHISPER, "features": features},
            models=models,
            recipes={"whisper": {}},
            cells=cells,
        )
        return needs_diagnosis.needs_gpu(preset)

    assert needs_gpu()
    assert not needs_gpu(num_layers=0)


def test_a_gpu_is_needed_where_one_of_several_models_that_read_a_feature_trains_its_layers():
    cell = {"loss": "cross_entropy", "feature": "whisper"}
    models = {"whisper": {"num_layers": 0}, "whisper__tuned": {}}

    def needs_gpu(*names):
        cells = {f"{name}-cross_entropy": {"model": name, **cell} for name in names}
        features = {"mfcc": {}, "whisper": {**WHISPER["features"]["whisper"], "freeze": 2}}
        changes = {"models": models, "recipes": {name: {} for name in models}, "cells": cells}
        return needs_diagnosis.needs_gpu(check(**{**WHISPER, "features": features}, **changes))

    assert not needs_gpu("whisper")
    assert needs_gpu("whisper__tuned")
    assert needs_gpu("whisper", "whisper__tuned")
