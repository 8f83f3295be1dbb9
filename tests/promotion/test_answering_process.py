import json

import pandas as pd

from ser.promotion import answering_process


class Model:
    def predict(self, table):
        return pd.DataFrame([{"emotion": table["audio"][0].upper()}])


def test_each_request_has_an_answer_and_a_time_in_order(tmp_path, monkeypatch):
    loaded = []

    def load(uri):
        loaded.append(uri)
        return Model()

    monkeypatch.setattr(answering_process.mlflow.pyfunc, "load_model", load)
    requests, answers = tmp_path / "requests.parquet", tmp_path / "answers.jsonl"
    pd.DataFrame({"audio": ["a", "b"]}).to_parquet(requests)
    answering_process.main("models:/m/1", requests, answers)
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [row["emotion"] for row in rows] == ["A", "B"]
    assert all(row["seconds"] >= 0 for row in rows)
    assert loaded == ["models:/m/1"]
