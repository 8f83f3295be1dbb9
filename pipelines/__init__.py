"""The stages of dvc.yaml, one thin program each: read params, open paths, call `ser`, write."""

from ser import runtime

runtime.configure()
