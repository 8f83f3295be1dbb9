import gc
import sys

import numpy as np
import pandas as pd
import pytest

from ser.errors import AudioInputError
from ser.serving import request
from ser.serving.audio_input import InputLimits
from tests.serving.support import RATE, as_base64, encoded, forget_servers, speech

LIMITS = InputLimits()


def read(row, folder=None):
    return request.read_row(row, LIMITS, folder=folder)


def test_each_form_of_a_recording_is_the_same(tmp_path):
    content = encoded(speech(), subtype="FLOAT")
    (tmp_path / "a.wav").write_bytes(content)
    forms = [
        {"audio": as_base64(content)},
        {"samples": speech().tolist(), "sampling_rate": RATE},
        {"path": "a.wav"},
    ]
    for form in forms:
        assert np.allclose(read(form, tmp_path).samples, speech())


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "got none of them; a row has one of"),
        ({"audio": "x", "path": "y"}, "got audio and path"),
        ({"wrong": 1}, "unknown field 'wrong'"),
        ({"samples": [0.1]}, "need their sampling_rate"),
        ({"sampling_rate": 8000}, "got none of them"),
        ({"audio": "x", "sampling_rate": 8000}, "sampling_rate belongs to samples"),
    ],
)
def test_a_wrong_row_is_refused_with_the_rule(row, said):
    with pytest.raises(AudioInputError, match=said):
        read(row)


def test_paths_are_refused_unless_a_folder_is_allowed(tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(speech()))
    with pytest.raises(AudioInputError, match="paths are refused"):
        read({"path": str(tmp_path / "a.wav")})


@pytest.mark.parametrize("name", ["../secret.wav", "/etc/passwd", "link.wav", "a/../../secret.wav"])
def test_no_path_leads_out_of_the_folder(name, tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    (tmp_path / "secret.wav").write_bytes(encoded(speech()))
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    with pytest.raises(AudioInputError, match="leads out of the folder"):
        read({"path": name}, folder)


@pytest.mark.parametrize("name", [5, "a\0b", ["a"]])
def test_a_path_is_text(name, tmp_path):
    with pytest.raises(AudioInputError, match="path must be text"):
        read({"path": name}, tmp_path)


def test_rows_lose_what_is_null():
    table = pd.DataFrame([{"audio": "x"}, {"samples": [1.0], "sampling_rate": 8000}])
    assert request.rows_of(table) == [{"audio": "x"}, {"samples": [1.0], "sampling_rate": 8000.0}]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (None, "no table"),
        ([1, 2], "no table"),
        (pd.DataFrame(), "names no recording; a row has one of"),
        (pd.DataFrame({"audio": ["x"] * 257}), "holds 257 rows; at most 256"),
    ],
)
def test_a_table_of_no_or_too_many_rows_is_refused(table, said):
    with pytest.raises(AudioInputError, match=said):
        request.rows_of(table)


def test_the_rows_of_a_request_are_together_no_longer_than_one_may_be():
    limits = InputLimits(max_duration_s=2.5)
    second = {"samples": speech(1.0).tolist(), "sampling_rate": RATE}
    assert len(request.read_rows([second, second], limits, folder=None)) == 2
    with pytest.raises(AudioInputError, match=r"^row 2: .* last 3 s together.* at most 2.5 s"):
        request.read_rows([second] * 4, limits, folder=None)


def test_a_wrong_row_is_named_where_there_are_several():
    good = {"samples": speech(1.0).tolist(), "sampling_rate": RATE}
    with pytest.raises(AudioInputError, match=r"^row 1: got none of them"):
        request.read_rows([good, {}], LIMITS, folder=None)
    with pytest.raises(AudioInputError, match=r"^got none of them"):
        request.read_rows([{}], LIMITS, folder=None)


def bare(*given):
    """What MLflow makes of `predict("a.wav")` and of a list."""
    return pd.DataFrame(list(given))


def test_only_what_was_given_alone_is_bare():
    assert request.is_bare(bare("a.wav"))
    for table in ([{"path": "a.wav"}], [{"0": "a.wav"}], [{0: "a.wav", "path": "b.wav"}], []):
        assert not request.is_bare(pd.DataFrame(table))
    assert not request.is_bare("a.wav")


def test_recordings_given_alone_are_read_where_nothing_serves(tmp_path, monkeypatch):
    forget_servers(monkeypatch)
    content = encoded(speech(), subtype="FLOAT")
    (tmp_path / "a.wav").write_bytes(content)
    forms = (str(tmp_path / "a.wav"), tmp_path / "a.wav", content)
    for waveform in request.read_bare(bare(*forms), LIMITS):
        assert np.allclose(waveform.samples, speech())
    with pytest.raises(AudioInputError, match=r"^recording 1: .*b\.wav: missing"):
        request.read_bare(bare(forms[0], str(tmp_path / "b.wav")), LIMITS)
    with pytest.raises(AudioInputError, match=r"^a recording given alone is its path or its bytes"):
        request.read_bare(bare(None), LIMITS)


def test_where_something_serves_no_path_is_read_and_the_reason_is_said(tmp_path, monkeypatch):
    forget_servers(monkeypatch)
    monkeypatch.setattr(request, "_SERVERS", ("no_such_server", "pytest"))
    (tmp_path / "a.wav").write_bytes(encoded(speech()))
    with pytest.raises(AudioInputError, match=r"may be a server \(it has loaded pytest\)"):
        request.read_bare(bare(str(tmp_path / "a.wav")), LIMITS)


@pytest.mark.parametrize(
    "server",
    [
        *("mlflow.pyfunc.scoring_server", "uvicorn", "gunicorn", "hypercorn", "waitress"),
        *("wsgiref.simple_server", "werkzeug.serving", "tornado.httpserver", "aiohttp.web"),
    ],
)
def test_whatever_answers_strangers_is_known_as_a_server(tmp_path, monkeypatch, server):
    forget_servers(monkeypatch)
    (tmp_path / "a.wav").write_bytes(encoded(speech()))
    assert request.read_bare(bare(str(tmp_path / "a.wav")), LIMITS)
    monkeypatch.setitem(sys.modules, server, request)
    with pytest.raises(AudioInputError, match=rf"may be a server \(it has loaded {server}\)"):
        request.read_bare(bare(str(tmp_path / "a.wav")), LIMITS)


def test_a_program_that_shows_its_counts_is_no_server_until_another_one_is_there(
    tmp_path, monkeypatch
):
    import wsgiref.simple_server as python_server

    import prometheus_client

    for name in request._SERVERS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    # These tests freeze what they import; most programs freeze nothing.
    monkeypatch.setattr(request.gc, "get_freeze_count", lambda: 0)
    (tmp_path / "a.wav").write_bytes(encoded(speech()))
    table = bare(str(tmp_path / "a.wav"))

    class Asked:
        """As torch.distributed has one, which warns."""

        @property
        def __class__(self):
            raise FutureWarning

    there = [Asked()]  # looked through, too
    registry = prometheus_client.CollectorRegistry()
    shown, thread = prometheus_client.start_http_server(0, "127.0.0.1", registry)
    try:
        assert request.read_bare(table, LIMITS)
        assert there
    finally:
        shown.shutdown()
        shown.server_close()
        thread.join()
    with (
        python_server.make_server("127.0.0.1", 0, lambda *_: []),
        pytest.raises(AudioInputError, match=r"has loaded wsgiref\.simple_server"),
    ):
        request.read_bare(table, LIMITS)


def test_where_objects_are_frozen_a_server_among_them_is_not_overlooked(tmp_path, monkeypatch):
    import wsgiref.simple_server as python_server

    import prometheus_client  # noqa: F401 (it shows nothing, but it is there)

    for name in request._SERVERS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "a.wav").write_bytes(encoded(speech()))
    with python_server.make_server("127.0.0.1", 0, lambda *_: []):
        gc.freeze()
        with pytest.raises(AudioInputError, match=r"has loaded wsgiref\.simple_server"):
            request.read_bare(bare(str(tmp_path / "a.wav")), LIMITS)
