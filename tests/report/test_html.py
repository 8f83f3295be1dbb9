import base64

import jinja2
import pytest

from ser.report import html


def test_texts_are_escaped():
    page = html.environment().from_string("<p>{{ name }}</p>")
    assert page.render(name="<script>") == "<p>&lt;script&gt;</p>"


def test_what_is_missing_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="name"):
        html.environment().from_string("{{ name }}").render()


def test_an_image_is_inside_the_page(tmp_path):
    picture = tmp_path / "dot.png"
    picture.write_bytes(b"\x89PNG pixels")
    address = html.environment().from_string("{{ path | image }}").render(path=picture)
    head, _, content = address.partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(content) == b"\x89PNG pixels"
