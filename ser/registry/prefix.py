"""The frozen prefix inside a bundle: a checkpoint's files, never a pickle."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ser import lineage
from ser.components import EXTRACTORS, component_of
from ser.errors import BundleError, WeightsError
from ser.params import ComponentParams, params_class_of, parse
from ser.pretrained import checkpoint_files, checkpoints
from ser.pretrained.architectures import Architecture
from ser.pretrained.checkpoint_files import CONFIG

#: Folder of a bundle that holds the prefix' weights.
FOLDER = "checkpoint"
_TRUNK = "trunk.safetensors"


def component_params(package: str, name: str, values: Mapping[str, Any]) -> ComponentParams:
    """Return the validated params of an entry, e.g. of `ser.models` `lstm`."""
    return parse(values, params_class_of(package, name), where=f"bundle.json, {package} {name},")


def pack(meta: Mapping[str, Any], folder: Path, *, embed: bool) -> dict[str, Any]:
    """Put the weights of an extractor into a bundle.

    Args:
        meta: meta.json of the feature store: extractor, params, weights.
        folder: The bundle.
        embed: False leaves a Hugging Face checkpoint where it is, pinned by its revision.

    Returns:
        Section `feature`: `name`, `sampling_rate` and params, paths relative to the bundle.

    Raises:
        BundleError: Only a checkpoint with a revision can be left out.
        WeightsError: The checkpoint is missing, or not the one of the features.
    """
    section = {"name": meta["extractor"], "sampling_rate": meta["sampling_rate"], **meta["params"]}
    if "checkpoint" in section:
        return _pack_transformer(section, meta["weights_sha256"], folder, embed=embed)
    if "weights" in section:
        return _pack_trunk(section, meta["weights_sha256"], folder)
    return section


def resolved(section: Mapping[str, Any], folder: Path) -> ComponentParams:
    """Return an extractor's params with absolute paths of the weights in a bundle."""
    values = {k: v for k, v in section.items() if k not in ("name", "sampling_rate")}
    for key in ("checkpoint", "weights"):
        if str(values.get(key, "")).partition("/")[0] == FOLDER:
            values[key] = str((folder / str(values[key])).resolve())
    return component_params(EXTRACTORS, str(section["name"]), values)


def without_weights(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's section that builds it without the file it once started from.

    All its tensors are in the bundle's own weights.
    """
    values = dict(section)
    if "weights" in values:
        values |= {"weights": "none", "sha256": None}
    return values


def _pack_transformer(
    section: dict[str, Any], weights_sha256: str, folder: Path, *, embed: bool
) -> dict[str, Any]:
    name, revision = section["checkpoint"], section["revision"]
    if not embed:
        if revision is None:
            raise BundleError(
                f"features.{section['name']}.checkpoint: {name} is a folder and can only be "
                f"embedded; write serving.embed_checkpoint: true"
            )
        return section
    source = checkpoints.locate(name, revision)
    found = checkpoints.digest(source)
    if found != weights_sha256:
        raise WeightsError(
            f"{source}: the checkpoint's SHA-256 is {found}, but the features were extracted "
            f"with {weights_sha256}; run `dvc repro extract`"
        )
    target = folder / FOLDER
    names: tuple[str, ...] = checkpoints.deciding_files(source)
    weights = checkpoint_files.weights_of(source)
    target.mkdir()
    if weights is not None and not weights.is_safetensors:
        # A pickle is read once, with weights_only, and never packed.
        architecture = cast(Architecture, component_of(section["name"]))
        checkpoints.load(source, architecture).save_pretrained(target)
        names = tuple(name for name in names if name not in (CONFIG, *weights.names))
    for file in names:
        shutil.copy(source / file, target / file)
    return {**section, "checkpoint": FOLDER, "revision": None}


def _pack_trunk(section: dict[str, Any], weights_sha256: str, folder: Path) -> dict[str, Any]:
    from safetensors.torch import save_file

    from ser.pretrained.vggish import load_published

    trunk = load_published(
        Path(section["weights"]),
        weights_sha256,
        width=section["width"],
        final_relu=section["final_relu"],
    )
    (folder / FOLDER).mkdir()
    path = folder / FOLDER / _TRUNK
    save_file(trunk.state_dict(), path)
    sha256 = lineage.sha256_file(path)
    return {**section, "weights": f"{FOLDER}/{_TRUNK}", "sha256": sha256}
