"""params.yaml becomes a copy of a preset; what a person wrote there is kept."""

import shutil
from pathlib import Path

from ser import files, lineage
from ser.errors import ParamsError
from ser.project import Project

#: How many letters of a digest tell one kept file from another.
_NUM_LETTERS = 8


def use(project: Project, name: str) -> Path | None:
    """Replace params.yaml by a preset.

    Args:
        project: Where both are.
        name: Of the preset, its file's name without `.yaml`.

    Returns:
        Where the old params.yaml was kept; None where there was none, or where it is a preset.

    Raises:
        ParamsError: There is no such preset.
    """
    presets = {path.stem: path for path in sorted(project.presets.glob("*.yaml"))}
    if name not in presets:
        known = ", ".join(presets) or "none"
        raise ParamsError(f"there is no {project.presets / name}.yaml; there are: {known}")
    kept = _keep(project.params, list(presets.values()))
    _copy(presets[name], project.params)
    return kept


def _keep(params: Path, presets: list[Path]) -> Path | None:
    """Copy a file that is like no preset beside itself, under a name of its content."""
    if not params.is_file():
        return None
    digest = lineage.sha256_file(params)
    if digest in {lineage.sha256_file(preset) for preset in presets}:
        return None
    kept = params.with_name(f"{params.stem}.{digest[:_NUM_LETTERS]}{params.suffix}")
    _copy(params, kept)
    return kept


def _copy(source: Path, target: Path) -> None:
    with files.replacing(target) as part:
        shutil.copyfile(source, part)
