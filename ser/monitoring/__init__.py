"""Drift: what was heard when a model was registered, against what it hears now. Numbers only."""
