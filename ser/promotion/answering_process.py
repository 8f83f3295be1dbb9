"""A process of its own that asks one served model: `python <this file> MODEL REQUESTS ANSWERS`.

It must be started by its path and imports nothing of `ser`: a model brings its own copy of
the package, and the first copy imported into a process is the one that all models get.
"""

import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd


def main(model_uri: str, requests: Path, answers: Path) -> None:
    """Answer each request alone and say how long it took.

    Args:
        model_uri: `models:/<name>/<version>`, or the folder of a saved model.
        requests: A JSON list of `path` and `sampling_rate`, which is null for a recording and
            that of the samples in Hz for a `.npy` file.
        answers: JSON lines: `seconds` and the columns of the answer.
    """
    model = mlflow.pyfunc.load_model(model_uri)
    with answers.open("w", encoding="utf-8") as file:
        for asked in json.loads(requests.read_text(encoding="utf-8")):
            request = pd.DataFrame([_row(Path(asked["path"]), asked["sampling_rate"])])
            start = time.perf_counter()
            answer = model.predict(request).iloc[0].to_dict()
            seconds = time.perf_counter() - start
            file.write(json.dumps({"seconds": seconds, **answer}) + "\n")


def _row(path: Path, sampling_rate: int | None) -> dict[str, Any]:
    """Return a recording as a request holds it."""
    if sampling_rate is not None:
        return {"samples": np.load(path), "sampling_rate": sampling_rate}
    return {"audio": base64.b64encode(path.read_bytes()).decode("ascii")}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
