"""Kills at random file operations of every stage and command; see `benchmarks.kills.__main__`."""
