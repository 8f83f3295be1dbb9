"""Malformed requests to a served model: `python -m benchmarks.bad_requests [--num 2000]`.

The champion of the project in this folder, or `--model`, is served as `ser serve` does. Each
request must be answered within seconds, by an answer or by one short sentence without a trace, and
none by a failure of the server. The same seed makes the same requests. The exit status is 1 where
anything else came out.
"""

import argparse
import base64
import json
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from benchmarks import mutations
from ser import runtime

_LIMIT_S = 10.0
_MAX_CHARS = 2000
_JSON = {"content-type": "application/json"}
_FIELDS = ("inputs", "instances", "dataframe_records", "dataframe_split", "wrong", "messages")
_KEYS = ("audio", "samples", "sampling_rate", "path", "columns", "data", "index", "wrong", "")
_TYPES = ("text/csv", "application/vnd.apache.parquet", "text/plain", "a/b; charset=x", ";")
_PATHS = ("/etc/passwd", "../../x", "", "a\0b", "~/.ssh/id_rsa")


def campaign(
    client: TestClient, recording: bytes, *, num_requests: int, seed: int
) -> tuple[Counter[int], list[str]]:
    """Send malformed requests one after the other.

    Args:
        client: Of the application.
        recording: A good one, to be damaged.
        num_requests: How many.
        seed: Of what is wrong with them.

    Returns:
        Status -> number of answers, and what was wrong with answers.
    """
    rng = np.random.default_rng(seed)
    statuses: Counter[int] = Counter()
    faults: list[str] = []
    for number in range(num_requests):
        body, headers = malformed(rng, recording)
        began = time.monotonic()
        answer = client.post("/invocations", content=body, headers=headers)
        statuses[answer.status_code] += 1
        fault = _fault_of(answer.status_code, answer.text, time.monotonic() - began)
        if fault is not None:
            faults.append(f"request {number} of seed {seed}: {fault}: {body[:300]!r}")
    return statuses, faults


def _fault_of(status: int, text: str, seconds: float) -> str | None:
    if status >= 500:
        return f"status {status}: {text[:_MAX_CHARS]}"
    if seconds > _LIMIT_S:
        return f"answered after {seconds:.0f} s"
    if status >= 400 and (len(text) > _MAX_CHARS or "Traceback" in text or "site-packages" in text):
        return f"not one short sentence: {text[:_MAX_CHARS]}"
    return None


def malformed(rng: np.random.Generator, recording: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a malformed request."""
    kind = rng.integers(7)
    if kind == 0:
        return rng.bytes(int(rng.integers(200))), _JSON
    if kind == 1:
        return _body(_wild(rng)), _JSON
    if kind == 2:
        return _body({str(rng.choice(_FIELDS)): _wild(rng)}), _JSON
    if kind == 3:
        content = _body({"dataframe_records": [_row(rng, recording)]})
        return content[: int(rng.integers(len(content)))], _JSON
    if kind == 4:
        return rng.bytes(int(rng.integers(100))), {"content-type": str(rng.choice(_TYPES))}
    rows = [_row(rng, recording) for _ in range(rng.integers(1, 3))]
    request: dict[str, Any] = {str(rng.choice(_FIELDS[:3])): rows}
    if kind == 5:
        request["params"] = _wild(rng)
    return _body(request), _JSON


def _wild(rng: np.random.Generator, depth: int = 0) -> Any:
    """Return a value that JSON can say, of any kind."""
    kind = rng.integers(9 if depth < 3 else 6)
    scalars = (None, bool(rng.integers(2)), int(rng.integers(-(10**9), 10**9)), rng.normal() * 1e9)
    if kind < 4:
        return scalars[kind]
    if kind == 4:
        return rng.bytes(int(rng.integers(30))).decode("latin-1")
    if kind == 5:
        return float(rng.choice([np.nan, np.inf, -np.inf, 1e308]))
    if kind == 6:
        return [_wild(rng, depth + 1) for _ in range(rng.integers(4))]
    return {str(rng.choice(_KEYS)): _wild(rng, depth + 1) for _ in range(rng.integers(4))}


def _row(rng: np.random.Generator, recording: bytes) -> dict[str, Any]:
    """Return a row that is nearly right."""
    kind = rng.integers(8)
    if kind == 0:
        damaged = bytearray(recording)
        for at in rng.integers(len(damaged), size=20):
            damaged[at] = int(rng.integers(256))
        return {"audio": _base64(bytes(damaged))}
    if kind == 1:
        return {"audio": _base64(recording[: int(rng.integers(len(recording)))])}
    if kind == 2:
        return {"audio": _base64(rng.bytes(int(rng.integers(400))))}
    if kind == 3:
        return {"samples": _wild(rng), "sampling_rate": _wild(rng)}
    if kind == 4:
        return {"samples": rng.normal(size=50).tolist(), "sampling_rate": int(rng.integers(-9, 9))}
    if kind == 5:
        return {"path": str(rng.choice(_PATHS))}
    if kind == 6:
        return {str(rng.choice(["audio", "wrong", "samples"])): _wild(rng)}
    return {"audio": _base64(recording), "samples": [0.1], "path": "x"}


def _body(content: Any) -> bytes:
    return json.dumps(content).encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bad_requests", description=__doc__)
    parser.add_argument("--model", help="as of `ser serve`")
    parser.add_argument("--num", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)

    from ser.cli import serving
    from ser.registry import model_files
    from ser.serving import server

    with tempfile.TemporaryDirectory() as name:
        _, bundle = serving.fetch(options.model, Path(name), takes_exported=False)
        app = server.build(model_files.model_of(bundle))
        client = TestClient(app, raise_server_exceptions=False)
        recording = mutations.originals()["WAV-PCM_16"]
        campaign(client, recording, num_requests=100, seed=options.seed + 1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        statuses, faults = campaign(client, recording, num_requests=options.num, seed=options.seed)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    said = ", ".join(f"{count} of status {status}" for status, count in sorted(statuses.items()))
    print(f"{options.num} requests, seed {options.seed}: {said}; memory grew by {grown:.0f} MiB")
    print(*faults[:10], sep="\n")
    return int(bool(faults))


if __name__ == "__main__":
    runtime.configure()
    raise SystemExit(main())
