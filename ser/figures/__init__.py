"""Drawings: one figure a file, all in one style, each naming its corpus in its footer."""
