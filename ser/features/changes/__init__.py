"""The kinds of change that a copy may have, by what they imitate."""
