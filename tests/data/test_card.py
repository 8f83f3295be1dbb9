import json

import pytest

from ser.data.card import CorpusCard
from ser.errors import FileError
from tests import synthetic


def test_the_file_has_the_fields_as_keys_in_order_and_readable_letters(tmp_path):
    path = tmp_path / "corpus.json"
    synthetic.card(citation="Łukasz & Zoë").write(path)
    text = path.read_text(encoding="utf-8")
    content = json.loads(text)
    assert list(content) == [
        "name", "synthetic", "licence", "citation", "emotions", "num_utterances", "num_used",
        "num_rejected", "num_speakers", "num_sessions", "duration_s", "counts", "labels", "params",
        "rated", "vote_emotions",
    ]  # fmt: skip
    assert text == json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    assert "Łukasz & Zoë" in text


def test_what_is_read_is_what_was_written_whatever_the_params_of_the_corpus(tmp_path):
    params = {"name": "demo", "silence_dbfs": -70.0, "columns": {"id": None}, "emotions": ["sad"]}
    card = synthetic.card(params=params, labels={"xxx": 1, "ang": 2})
    card.write(tmp_path / "corpus.json")
    assert CorpusCard.read(tmp_path / "corpus.json") == card
    assert list(CorpusCard.read(tmp_path / "corpus.json").labels) == ["xxx", "ang"]


def test_another_file_is_refused_by_its_name_with_every_wrong_key(tmp_path):
    path = tmp_path / "corpus.json"
    path.write_text(
        json.dumps(synthetic.card().model_dump(mode="json", exclude={"name"}) | {"x": 1})
    )
    with pytest.raises(FileError) as caught:
        CorpusCard.read(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: it is not a corpus card; `dvc repro` makes it")
    assert "name: Field required" in said
    assert "x: there is no such key" in said
