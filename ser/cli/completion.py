"""What the shell offers where a word of the command line begins."""


def cells(incomplete: str) -> list[str]:
    """Return the cells of params.yaml that begin so; none where it cannot be read."""
    from ser.errors import SerError
    from ser.params import load_mapping
    from ser.project import Project

    try:
        found = load_mapping(Project().params).get("cells")
    except SerError:
        return []  # a message would stand amid the line that is being written
    return [str(name) for name in found or () if str(name).startswith(incomplete)]


def presets(incomplete: str) -> list[str]:
    """Return the presets that begin so."""
    from ser.project import Project

    names = sorted(path.stem for path in Project().presets.glob("*.yaml"))
    return [name for name in names if name.startswith(incomplete)]
