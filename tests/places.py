"""What the classes of `ser.project`, `ser.cell_folders` and `ser.corpus_folders` give a place."""


def places_of(folder):
    """The value of every property, in the order of the class."""
    return [
        getattr(folder, name)
        for name, value in vars(type(folder)).items()
        if isinstance(value, property)
    ]


def assert_own_names(folder, root):
    """Everything lies directly in one folder, each under a name of its own."""
    found = places_of(folder)
    assert {path.parent for path in found} == {root}
    assert len({path.name for path in found}) == len(found) >= 3
