import base64
import io
from urllib.parse import unquote

import jinja2
import numpy as np
import pytest
from PIL import Image

from ser.errors import FileError
from ser.figures import learning_curves, style
from ser.report import html
from tests.report.support import PNG


def test_texts_are_escaped():
    page = html.environment().from_string("<p>{{ name }}</p>")
    assert page.render(name="<script>") == "<p>&lt;script&gt;</p>"


def test_what_is_missing_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="name"):
        html.environment().from_string("{{ name }}").render()


def test_an_image_is_inside_the_page_with_its_pixels(tmp_path):
    picture = tmp_path / "dot.png"
    picture.write_bytes(PNG)
    address = html.environment().from_string("{{ path | image }}").render(path=picture)
    head, _, content = address.partition(",")
    assert head == "data:image/webp;base64"
    shown = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(Image.open(picture)))


@pytest.fixture
def drawn(tmp_path):
    """A figure with a name that needs care, as PNG and SVG."""
    import pandas as pd

    epochs = np.arange(1, 9)
    frame = pd.DataFrame({"fold": 1, "seed": 0, "epoch": epochs, "train/loss": 1 / epochs})
    frame = frame.assign(**{"dev/loss": 1.1 / epochs, "dev/uar": epochs / 12.34567})
    figure = learning_curves.learning_curves(frame, title='Bob\'s "50 %" <a&b> #1', footer="foot")
    return style.save(figure, tmp_path / "curves")


def test_a_drawing_is_taken_where_it_is_smaller_and_says_what_it_said(drawn):
    address = html.image(drawn)
    head, _, content = address.partition(",")
    assert head == "data:image/svg+xml"
    assert len(address) < 0.6 * len(drawn.read_bytes())
    assert not set(content) & set('"#<>&\n')
    svg = unquote(content)
    assert "dev UAR (dot: chosen)" in svg
    assert "font-family: DejaVu Sans, Verdana, sans-serif" in svg


def test_a_drawing_in_the_page_is_well_formed(drawn):
    from xml.etree import ElementTree

    root = ElementTree.fromstring(unquote(html.image(drawn).partition(",")[2]))
    assert root.tag.endswith("svg")
    texts = {node.text for node in root.iter() if node.tag.endswith("text")}
    assert 'Bob\'s "50 %" <a&b> #1' in texts
    assert root.get("viewBox") == "0 0 648 259.2"


def test_a_cloud_of_points_is_taken_as_pixels(drawn, monkeypatch):
    monkeypatch.setattr(html, "_MAX_SVG_BYTES", 1000)
    assert html.image(drawn).startswith("data:image/webp;base64,")


def test_what_is_no_picture_is_refused_by_name(drawn, tmp_path):
    whole = drawn.read_bytes()
    for content in (b"nothing", whole[:-200], whole[:40] + b"rubbish" + whole[47:], None):
        path = tmp_path / "dot.png"
        path.unlink() if content is None else path.write_bytes(content)
        said = r"dot.png: is no picture \(.*\); `dvc repro compare` makes"
        with pytest.raises(FileError, match=said):
            html.image(path)
