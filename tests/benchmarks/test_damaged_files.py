"""Damaged files are read or refused with one error; the long campaign is run by hand."""

import json
import logging

import numpy as np

from benchmarks import damaged_files
from benchmarks.damaged_files import Kind


def test_damaged_files_of_every_kind_are_read_or_refused(tmp_path, project):
    kinds = damaged_files.kinds_of(tmp_path / "good", project)
    counts, surprises = damaged_files.campaign(
        kinds, tmp_path / "damaged", num_inputs=25 * len(kinds), seed=1
    )
    assert surprises == []
    assert counts["read"] > 0
    assert counts["refused"] > counts["read"]


def test_an_undamaged_file_of_every_kind_is_read(tmp_path, project):
    for name, kind in damaged_files.kinds_of(tmp_path / "good", project).items():
        if name == "record":  # it names other files
            continue
        for place, content in {kind.place: kind.good, **kind.beside}.items():
            path = tmp_path / name / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        kind.read(tmp_path / name)


def test_another_error_a_long_warning_and_a_hang_are_surprises(tmp_path, monkeypatch):
    monkeypatch.setattr(damaged_files, "_LIMIT_S", 0.05)

    def hang(_folder):
        while True:
            pass

    def warn(_folder):
        logging.getLogger("ser.data").warning("%s", "x" * 10_000)

    kinds = {
        "warning": Kind("a", b"x", warn),
        "error": Kind("a", b"x", lambda place: json.loads((place / "a").read_text() + "{")),
        "hang": Kind("a", b"x", hang),
    }
    _, surprises = damaged_files.campaign(kinds, tmp_path, num_inputs=3, seed=0)
    assert [surprise.kind for surprise in surprises] == ["warning", "error", "hang"]
    assert "not done in" in surprises[2].problem


def test_the_same_seed_damages_in_the_same_way():
    first, second, other = (
        damaged_files.damaged(b"abc" * 50, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first == second != other
