import base64
import json

import pandas as pd

from ser.promotion import answering_process


class Model:
    def predict(self, table):
        return pd.DataFrame([{"emotion": base64.b64decode(table["audio"][0]).decode().upper()}])


def test_each_request_has_an_answer_and_a_time_in_order(tmp_path, monkeypatch):
    loaded = []

    def load(uri):
        loaded.append(uri)
        return Model()

    monkeypatch.setattr(answering_process.mlflow.pyfunc, "load_model", load)
    requests, answers = tmp_path / "requests.json", tmp_path / "answers.jsonl"
    for name in "ab":
        (tmp_path / name).write_text(name)
    requests.write_text(json.dumps([str(tmp_path / name) for name in "ab"]))
    answering_process.main("models:/m/1", requests, answers)
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [row["emotion"] for row in rows] == ["A", "B"]
    assert all(row["seconds"] >= 0 for row in rows)
    assert loaded == ["models:/m/1"]
