"""The section `cells` of params.yaml: which models are trained with which losses."""

from ser.params import Section

#: A cell by the names of its model and its loss.
Cell = tuple[str, str]


class CellParams(Section):
    """One cell that `dvc repro` trains and compares.

    Args:
        model: Which model.
        loss: Which loss it is trained with.
        feature: Which feature it reads.
    """

    model: str
    loss: str
    feature: str
