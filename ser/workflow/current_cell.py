"""Is a trained cell that of params.yaml, of the data in data/ and of the source that is here?"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from ser import lineage
from ser.cell_folders import CellFolder
from ser.contracts import RunSpec
from ser.data.card import CorpusCard
from ser.errors import LineageError
from ser.grid import variants
from ser.grid.params import CellParams
from ser.grid.plans import CellSections
from ser.project import Project
from ser.tracking import cells
from ser.tracking.cells import CURE, CellRecord
from ser.tuning.params import TuningParams

#: Of a feature's params in a run: beside those of params.yaml.
_NO_PARAMS = ("name", "sampling_rate")
#: Stands in a run's params for a value that each fold has of its own.
_TUNED = "tuned"


class CellsNow(CellSections):
    """Sections read: cells, tuning, training; of features, models, losses, recipes the cell's."""

    cells: Mapping[str, CellParams]
    tuning: TuningParams = TuningParams()


def require_cell(
    project: Project, cell: CellFolder, params: CellsNow, *, variant: str = ""
) -> CellRecord:
    """Refuse a cell of other data, other params or other source than there are now.

    Args:
        project: Where the data and the source are.
        cell: The folder of a cell, trained or scored.
        params: Of params.yaml.
        variant: See `ser.grid.variants`.

    Returns:
        The cell's record.

    Raises:
        FileError: A file of the cell or of the data is missing or damaged.
        LineageError: It is another cell than that of params.yaml; says in what, and the cure.
        ParamsError: What params.yaml says of the cell is wrong.
    """
    record = cells.require_data(cell, project)
    name = cell.folder.name
    if name not in params.cells:
        known = ", ".join(params.cells)
        raise LineageError(
            f"{cell.folder}: params.yaml has no cell {name}; there are: {known}; {CURE}"
        )
    emotions = CorpusCard.read(project.corpus_card).emotions
    said = _sections(params, name, emotions, variant, where=str(project.params))
    is_tuned = variants.is_tuned(variant) and bool(params.tuning.trials_of(name))
    if found := [*_differing(record.cell.spec, said), *_tuning(record.cell.spec, is_tuned)]:
        raise LineageError(
            f"{cell.folder}: it was trained with other params than params.yaml has now: "
            f"{'; '.join(found)}; {CURE}"
        )
    for path, digest in lineage.Record.read(cell.lineage).sources.items():
        file = project.root / path
        if not file.is_file() or lineage.sha256_file(file) != digest:
            raise LineageError(f"{cell.folder}: {path} has changed since it was trained; {CURE}")
    return record


def _sections(
    params: CellsNow, name: str, emotions: tuple[str, ...], variant: str, *, where: str
) -> dict[str, BaseModel]:
    """Return the sections of a run's params as params.yaml has them now."""
    cell = params.cells[name]
    plan = params.plan(cell.model, cell.loss, emotions=emotions, where=where)
    dropped = {"copies": None} if variant == variants.WITHOUT_COPIES else {}
    return {
        "model": plan.model_params,
        "loss": plan.loss_params,
        "recipe": plan.recipe.model_copy(update=dropped),
        "training": plan.training,
        "feature": params.feature(cell.feature, where=where),
    }


def _differing(spec: RunSpec, said: Mapping[str, BaseModel]) -> Iterator[str]:
    """Yield what differs, section by section."""
    for section, now in said.items():
        made: Mapping[str, Any] = spec.params.get(section, {})
        values = now.model_dump(mode="json")
        then = {
            key: values.get(key) if value == _TUNED or _is_open(key, values) else value
            for key, value in made.items()
            if key not in _NO_PARAMS
        }
        yield from (f"{section}.{line}" for line in differing(then, now))


def _is_open(key: str, values: Mapping[str, Any]) -> bool:
    """Return whether params.yaml leaves a setting to the machine that trained."""
    return key == "precision" and values.get(key) == "auto"


def _tuning(spec: RunSpec, is_tuned: bool) -> Iterator[str]:
    """Yield whether values were tuned, if they should not have been, or the other way round."""
    was = spec.tags.get("ser.tuned") == "true"
    if was != is_tuned:
        words = ("not tuned", "tuned")
        yield f"it was {words[was]}, and is to be {words[is_tuned]}"


def differing(made: Mapping[str, Any], said: BaseModel) -> Iterator[str]:
    """Yield a line for each setting that differs, defaults of new settings filled in.

    Args:
        made: The section as it was, JSON.
        said: As params.yaml has it now.
    """
    now = said.model_dump(mode="json")
    try:
        then = type(said).model_validate(made).model_dump(mode="json")
    except ValidationError:  # of another component
        then = dict(made)
    for key in now:
        if then.get(key) != now[key]:
            yield f"{key} was {_shown(then.get(key))}, is {_shown(now[key])}"


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
