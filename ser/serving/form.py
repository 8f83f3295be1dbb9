"""A form with one file, read in memory: no recording of a client is ever written to the disk."""

from python_multipart.multipart import MultipartParser, parse_options_header

from ser.errors import AudioInputError, translating
from ser.wording import shown

#: Name of the file.
FIELD = "audio"

_RULE = f"a form has one file named `{FIELD}`, and nothing else"


class _Parts:
    """What a form holds: the head and the bytes of each part."""

    def __init__(self) -> None:
        self.heads: list[dict[bytes, bytes]] = []
        self.bodies: list[bytearray] = []
        self.is_whole = False
        self._name = self._value = b""

    def on_part_begin(self) -> None:
        if self.heads:
            raise AudioInputError(f"the form has several parts; {_RULE}")
        self.heads.append({})
        self.bodies.append(bytearray())

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end].lower()

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self.heads[-1][self._name] = self._value
        self._name = self._value = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.bodies[-1] += memoryview(data)[start:end]

    def on_end(self) -> None:
        self.is_whole = True


def file_in(content: bytes, content_type: str) -> bytes:
    """Return the bytes of the file in a form.

    Args:
        content: Of the request, whole.
        content_type: Its header, `multipart/form-data` with a boundary.

    Raises:
        AudioInputError: It is no such form, is cut, or holds something else.
    """
    parts = _Parts()
    names = ("part_begin", "header_field", "header_value", "header_end", "part_data", "end")
    callbacks = {f"on_{name}": getattr(parts, f"on_{name}") for name in names}
    with translating(lambda _: AudioInputError(f"the form cannot be read; {_RULE}")):
        boundary = parse_options_header(content_type)[1][b"boundary"]
        MultipartParser(boundary, callbacks).write(content)  # type: ignore[arg-type]
    if not parts.is_whole:
        raise AudioInputError(f"the form is not whole: its last boundary is missing; {_RULE}")
    if not parts.heads:
        raise AudioInputError(f"the form is empty; {_RULE}")
    (head,), (body,) = parts.heads, parts.bodies
    said = parse_options_header(head.get(b"content-disposition", b""))[1]
    if said.get(b"name") != FIELD.encode() or b"filename" not in said:
        name = said.get(b"name", b"").decode("utf-8", "replace")
        kind = "file" if b"filename" in said else "field"
        raise AudioInputError(f"the form has a {kind} {shown(name)}; {_RULE}")
    return bytes(body)
