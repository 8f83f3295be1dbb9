"""Of `ser serve`; `ser ui` has its own tests of it."""

import socket


def test_a_taken_port_is_said_before_a_model_is_fetched(ser, project):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = ser("serve", "--port", port)
    assert (status, out) == (1, "")
    assert err.startswith(f"error: port {port}: cannot listen at 127.0.0.1:{port}: Address already")
    assert f"`ser serve --port {port % 65535 + 1}`" in err


def test_a_host_that_is_none_is_said(ser, project):
    status, out, err = ser("serve", "--host", "no.such.host.invalid", "--port", "5079")
    assert (status, out) == (1, "")
    assert err.startswith("error: host no.such.host.invalid: no address of this machine")
