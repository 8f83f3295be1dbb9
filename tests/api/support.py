"""A loaded model of the small trained project, and sounds for it."""

import ser
from tests.serving.support import write_bundle


def recogniser(folder, cell="lstm-aam"):
    """Load a cell of the trained project from a bundle."""
    return ser.load(write_bundle(cell, folder / "bundle")[0])
