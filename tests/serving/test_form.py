import pytest

from ser.errors import AudioInputError
from ser.serving import form

TYPE = "multipart/form-data; boundary=x"
HEAD = b'Content-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'


def form_of(*parts):
    return b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\r\n--y\r\n--", bytes(range(256)) * 1000])
def test_the_bytes_of_the_file_are_returned_as_they_are(content):
    assert form.file_in(form_of(HEAD + content), TYPE) == content


def test_a_boundary_and_the_names_of_headers_are_read_as_http_says():
    content = form_of(HEAD.replace(b"Content-Disposition", b"CONTENT-DISPOSITION") + b"RIFF")
    assert form.file_in(content, 'multipart/form-data; charset=utf-8; boundary="x"') == b"RIFF"


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (form_of(HEAD + b"1", HEAD + b"2"), TYPE, "several parts"),
        (form_of(HEAD.replace(b"audio", b"other") + b"1"), TYPE, "a file 'other'"),
        (form_of(b"Content-Disposition: form-data; name=audio\r\n\r\n1"), TYPE, "a field 'audio'"),
        (form_of(b"Other: header\r\n\r\n1"), TYPE, "a field ''"),
        (form_of(HEAD + b"RIFF")[:-20], TYPE, "not whole"),
        (form_of(HEAD + b"RIFF")[:-6], TYPE, "not whole"),
        (b"", TYPE, "not whole"),
        (b"--x--\r\n", TYPE, "is empty"),
        (b"nonsense", TYPE, "cannot be read"),
        (form_of(HEAD + b"1"), "multipart/form-data", "cannot be read"),
        (form_of(HEAD + b"1"), "multipart/form-data; boundary=", "cannot be read"),
        (form_of(HEAD + b"1"), "multipart/form-data; boundary=y", "cannot be read"),
        (form_of(b"\xff" * 20 + b": 1\r\n\r\n1"), TYPE, "cannot be read"),
    ],
)
def test_another_form_is_refused_with_the_rule(content, kind, reason):
    with pytest.raises(AudioInputError, match=reason) as refused:
        form.file_in(content, kind)
    assert str(refused.value).endswith("one file named `audio`, and nothing else")
    assert str(refused.value).isprintable()
