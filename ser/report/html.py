"""What every page of HTML has in common: templates that refuse holes, and images inside."""

import base64
from pathlib import Path

import jinja2


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
    found.filters["image"] = image
    return found


def image(path: Path) -> str:
    """Return a PNG as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
