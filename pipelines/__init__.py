"""The stages of dvc.yaml, one thin program each: read params, open paths, call `ser`, write."""

from ser import runtime

runtime.configure()
# A stage imports what it needs before its body begins, which ends this.
runtime.put_off_collections()
