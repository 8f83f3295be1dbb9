import datetime
import json

import pytest

from ser.errors import LineageError
from ser.evaluation import grid_table, publication
from ser.evaluation.report import SYNTHETIC_NOTICE
from tests.evaluation.test_grid_table import grid

CARD = {
    "name": "emodb",
    "synthetic": False,
    "emotions": ["angry", "happy", "neutral", "sad"],
    "num_used": 339,
    "num_speakers": 10,
}
SPLIT = {"protocol": "session", "speaker_independent": True, "folds": [{}] * 5}
TODAY = datetime.date(2024, 2, 29)
PAGE = "before\n<!-- results:emodb-4 -->\nformer numbers\n<!-- /results -->\nafter\n"


def result(**card):
    return publication.Result(grid(), {**CARD, **card}, SPLIT)


@pytest.fixture
def preset(tmp_path):
    """Folder of presets; params.yaml beside it is a copy of `emodb`."""
    configs = tmp_path / "configs"
    configs.mkdir()
    for name in ("demo", "emodb"):
        (configs / f"{name}.yaml").write_text(f"corpus: {name}\n")
    (tmp_path / "params.yaml").write_text("corpus: emodb\n")
    return configs


def test_a_finished_comparison_is_read_back(tmp_path):
    grid_table.write(tmp_path, grid())
    (tmp_path / "corpus.json").write_text(json.dumps(CARD))
    (tmp_path / "split_report.json").write_text(json.dumps(SPLIT))
    found = publication.read(tmp_path, tmp_path)
    assert found.name == "emodb-4"
    assert found.grid["uar"].tolist() == pytest.approx(grid()["uar"].tolist(), abs=1e-6)


@pytest.mark.parametrize("missing", ["grid.csv", "corpus.json", "split_report.json"])
def test_a_missing_file_is_named_with_the_cure(tmp_path, missing):
    grid_table.write(tmp_path, grid())
    (tmp_path / "corpus.json").write_text(json.dumps(CARD))
    (tmp_path / "split_report.json").write_text(json.dumps(SPLIT))
    (tmp_path / missing).unlink()
    with pytest.raises(LineageError, match=rf"{missing}: no such file; `make repro` makes it"):
        publication.read(tmp_path, tmp_path)


def test_the_terminal_shows_corpus_protocol_and_every_cell():
    lines = publication.as_text(result()).splitlines()
    assert lines[0] == "corpus emodb (real speech), protocol session"
    assert any("focal" in line for line in lines)
    assert SYNTHETIC_NOTICE not in lines


def test_synthetic_speech_is_named_wherever_the_table_is_shown():
    synthetic = result(name="demo", synthetic=True)
    assert publication.as_text(synthetic).endswith(SYNTHETIC_NOTICE)
    table = publication.as_markdown(synthetic, today=TODAY, preset="demo")
    assert table.endswith(SYNTHETIC_NOTICE)
    assert "SYNTHETIC speech" in table
    assert SYNTHETIC_NOTICE not in publication.as_markdown(result(), today=TODAY, preset="emodb")


def test_the_table_holds_the_numbers_their_date_and_their_command():
    text = publication.as_markdown(result(), today=TODAY, preset="emodb")
    assert "339 utterances, 10 speakers, 4 emotions (angry, happy, neutral, sad), 5 folds" in text
    for row in grid().to_dict("records"):
        low, high = (f"{100 * row[f'uar_{end}']:.1f}" for end in ("low", "high"))
        assert f"| lstm | {row['loss']} | {100 * row['uar']:.1f} ({low} to {high}) |" in text
        assert f"| {100 * row['macro_f1']:.1f} | 2 |" in text
    assert "Written on 2024-02-29 by `make use PRESET=emodb && make repro && " in text


def test_the_table_replaces_what_stands_between_its_markers_and_nothing_else(tmp_path, preset):
    page = tmp_path / "README.md"
    other = "<!-- results:demo-4 -->\nkept\n<!-- /results -->\n"
    page.write_text(PAGE + other)
    publication.write_into(page, result(), configs=preset)
    text = page.read_text()
    assert text.startswith("before\n<!-- results:emodb-4 -->\ncorpus emodb")
    assert text.endswith(f"<!-- /results -->\nafter\n{other}")
    assert "former numbers" not in text
    assert "PRESET=emodb" in text
    publication.write_into(page, result(), configs=preset)
    assert page.read_text() == text


@pytest.mark.parametrize(
    "content",
    [None, "no markers\n", "<!-- results:emodb-4 -->\n", PAGE.replace("emodb-4", "emodb-7")],
)
def test_a_page_without_the_place_for_the_table_is_refused_and_left_alone(
    tmp_path, preset, content
):
    page = tmp_path / "README.md"
    if content is not None:
        page.write_text(content)
    with pytest.raises(LineageError, match="it needs the lines <!-- results:emodb-4 -->"):
        publication.write_into(page, result(), configs=preset)
    assert (page.read_text() if page.exists() else None) == content


def test_params_that_are_no_preset_have_no_command_to_name(tmp_path, preset):
    (tmp_path / "params.yaml").write_text("corpus: mine\n")
    page = tmp_path / "README.md"
    page.write_text(PAGE)
    with pytest.raises(LineageError, match="save it there as a preset"):
        publication.write_into(page, result(), configs=preset)
    assert page.read_text() == PAGE
