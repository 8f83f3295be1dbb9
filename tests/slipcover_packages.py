"""Lets SlipCover measure under the import mode of these tests; loaded by `make test`.

SlipCover 1.1.0 replaces `importlib.util.spec_from_file_location`, and its own hands on None where
nothing was said of submodules. pytest's import mode `importlib` loads packages with it, and None
makes a package a module in which nothing is found. The files that it is there for, loaded by their
path alone, are none of `ser`.
"""

import importlib.util
from importlib import _bootstrap_external  # type: ignore[attr-defined]

importlib.util.spec_from_file_location = _bootstrap_external.spec_from_file_location
