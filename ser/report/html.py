"""What every page of HTML has in common: templates that refuse holes, and images inside."""

import base64
import io
import re
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup
from PIL import Image

from ser.errors import FileError, translating

#: Colours that an image of pixels keeps; drawings have few, and shades of their edges.
_NUM_COLOURS = 128
#: Beyond it a drawing is a cloud of points, and pixels are smaller.
_MAX_SVG_BYTES = 100_000
#: What need not be encoded in the address of a drawing; nothing that HTML would escape, but for
#: single quotes, which an attribute in double quotes may hold.
_PLAIN = " =:/;,'()!*@?+$"


def environment() -> jinja2.Environment:
    """Return the templates of this room; texts are escaped, and a missing value is an error.

    The filter `image` makes the path of a PNG the address of an image inside the page.
    """
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("ser.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # An address holds nothing to escape; five letters for each of its quotes would be a waste.
    found.filters["image"] = lambda path: Markup(image(path))
    return found


def image(path: Path) -> str:
    """Return a figure as an address that holds it, as small as it can be without a loss to see.

    Args:
        path: A PNG. Where the same figure lies beside it as SVG, the page has the smaller of the
            two: the drawing, which is sharp on paper too, or the pixels.

    Raises:
        FileError: It is no picture.
    """
    drawing = path.with_suffix(".svg")
    cure = "`dvc repro compare` makes the report's, `dvc repro tune` those of a search"
    with (
        translating(lambda error: FileError(f"{path}: is no picture ({error}); {cure}")),
        Image.open(path) as found,
    ):
        found.load()  # a damaged one is seen here
    pixels = _pixels(found)
    if not drawing.is_file() or drawing.stat().st_size > _MAX_SVG_BYTES:
        return pixels
    return min(_drawing(drawing.read_text("utf-8")), pixels, key=len)


def _pixels(image: Image.Image) -> str:
    """Return an image as WebP, without loss but for colours that are nearly the same."""
    palette = image.convert("RGB").quantize(_NUM_COLOURS, dither=Image.Dither.NONE)
    file = io.BytesIO()
    palette.save(file, format="WEBP", lossless=True)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _drawing(svg: str) -> str:
    """Return an SVG with places to a tenth of a point, without quotes and breaks of lines."""
    _, opening, rest = svg.partition("<svg")
    without = re.sub(r"<metadata>.*?</metadata>", "", opening + rest, flags=re.DOTALL)
    short = " ".join(re.sub(r"<[^>]*>", _short_tag, without).split()).replace("> <", "><")
    return "data:image/svg+xml," + quote(short, safe=_PLAIN)


def _short_tag(found: re.Match[str]) -> str:
    """Return a tag with fewer digits and in single quotes; names of fonts need none."""
    return re.sub(r"(\.\d)\d+", r"\1", found[0]).replace("'", "").replace('"', "'")
