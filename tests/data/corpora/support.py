"""Folders that look like a corpus."""


def touch(root, *names):
    """Write empty files, for parsers that read names only."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root
