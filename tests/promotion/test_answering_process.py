import base64
import json

import numpy as np
import pandas as pd

from ser.promotion import answering_process


class Model:
    def predict(self, table):
        (row,) = table.to_dict("records")
        if "samples" in row:
            said = f"{row['samples'].tolist()} at {row['sampling_rate']} Hz"
        else:
            said = base64.b64decode(row["audio"]).decode().upper()
        return pd.DataFrame([{"emotion": said}])


def test_each_request_has_an_answer_and_a_time_in_order(tmp_path, monkeypatch):
    loaded = []

    def load(uri):
        loaded.append(uri)
        return Model()

    monkeypatch.setattr(answering_process.mlflow.pyfunc, "load_model", load)
    requests, answers = tmp_path / "requests.json", tmp_path / "answers.jsonl"
    for name in "ab":
        (tmp_path / name).write_text(name)
    np.save(tmp_path / "c.npy", np.array([0.5, -0.5], np.float32))
    asked = [
        {"path": str(tmp_path / name), "sampling_rate": rate}
        for name, rate in (("a", None), ("b", None), ("c.npy", 8000))
    ]
    requests.write_text(json.dumps(asked))
    answering_process.main("models:/m/1", requests, answers)
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [row["emotion"] for row in rows] == ["A", "B", "[0.5, -0.5] at 8000 Hz"]
    assert all(row["seconds"] >= 0 for row in rows)
    assert loaded == ["models:/m/1"]
