"""Slow, obvious computations that tests compare with; imports nothing of ser."""
