"""Cells that are trained once more in another way, beside the grid: what is other about each."""

#: With the values of params.yaml, and not with those that tuning chose.
UNTUNED = "untuned"

#: On clean recordings alone, and not on the copies that the recipe draws from.
WITHOUT_COPIES = "without_copies"

#: On all of one corpus, to be tested on another. What was tuned on folds has heard its speakers.
CROSS_CORPUS = "cross_corpus"


def is_tuned(variant: str) -> bool:
    """Return whether a cell takes over what tuning chose; the grid's own, without a name, does."""
    return variant not in (UNTUNED, CROSS_CORPUS)


def part_of_key(variant: str) -> str:
    """Return what a variant adds to the run keys of its folds, see `ser.grid.specs.run_key`.

    Other params have another key already. So a cell without copies adds nothing, and finds the
    folds that were finished when its recipe had none.
    """
    return "" if variant == WITHOUT_COPIES else variant


def nothing_to_leave_out(cell: str, model: str) -> str:
    """Return why a cell cannot be trained without copies."""
    return (
        f"robustness.without_copies.{cell}: recipes.{model}.copies is null, so the cell is trained "
        f"on clean alone already; give copies their shares there, or take the cell out here"
    )
