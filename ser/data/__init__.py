"""From raw recordings to a manifest, and from a manifest to folds."""
