"""Where an interrupted fit goes on: one safetensors file per run, replaced as it goes on."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from ser import files
from ser.errors import CheckpointError, translating
from ser.training import ranks

#: A fit is saved when an epoch ends and the last save, or its begin, is this long ago, in seconds.
#: A kill costs that much work. An epoch of a small head takes less time than its file does.
SAVE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A fit at the end of an epoch.

    Args:
        model: The weights after that epoch.
        best: The weights of the best epoch so far.
        optimiser: State tensors by `<parameter number>/<name>`.
        progress: JSON-ready: history, best epoch.
    """

    model: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    optimiser: Mapping[str, Tensor]
    progress: Mapping[str, Any]


class Checkpoint:
    """The checkpoint file of one run.

    It lies outside what DVC manages (DVC removes a stage's outputs before it runs) and
    belongs to one run key: other params, data or code have another file.

    Args:
        path: The file; its folder is made when first saved.
        run_key: Written inside and compared on load.
        every_s: Seconds between two saves, at least; at 0 every epoch is saved.
    """

    def __init__(self, path: Path, run_key: str, *, every_s: float = SAVE_EVERY_S) -> None:
        self.path, self.run_key, self.every_s = path, run_key, every_s
        self._saved_at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether so much time has passed that the next end of an epoch is to be saved."""
        return time.monotonic() - self._saved_at >= self.every_s

    def save(self, snapshot: Snapshot) -> None:
        """Replace the file; a reader sees the old one or the new one, never half."""
        tensors = {
            f"{group}|{name}": tensor.detach().cpu().contiguous().clone()
            for group in ("model", "best", "optimiser")
            for name, tensor in getattr(snapshot, group).items()
        }
        metadata = {"run_key": self.run_key, "progress": json.dumps(snapshot.progress)}
        with files.replacing(self.path) as part:
            save_file(tensors, part, metadata=metadata)
        # Its own time does not count: of a large network it may be longer than an epoch.
        self._saved_at = time.monotonic()

    def load(self) -> Snapshot | None:
        """Return the last snapshot, or None where there is none; the time until a save begins.

        Of several processes rank 0 reads the file; the others need none and get what it says.

        Raises:
            CheckpointError: The file is damaged or belongs to another run.
        """
        self._saved_at = time.monotonic()
        found: Snapshot | None = None

        def read() -> Mapping[str, Any] | None:
            nonlocal found
            found = self._read()
            return None if found is None else found.progress

        if (progress := ranks.decided(read)) is None:
            return None
        here = found or Snapshot({}, {}, {}, progress)
        model, best, optimiser = map(ranks.shared, (here.model, here.best, here.optimiser))
        return Snapshot(model, best, optimiser, progress)

    def _read(self) -> Snapshot | None:
        if not self.path.exists():
            return None
        groups: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimiser": {}}

        def say(error: Exception) -> CheckpointError:
            return CheckpointError(
                f"{self.path}: not a readable checkpoint ({error}); remove it to train anew"
            )

        with translating(say), safe_open(self.path, framework="pt") as file:
            metadata = file.metadata() or {}
            for key in file.keys():  # noqa: SIM118 (it is no mapping)
                group, name = key.split("|", 1)
                groups[group][name] = file.get_tensor(key)
            progress = json.loads(metadata["progress"])
        if metadata.get("run_key") != self.run_key:
            raise CheckpointError(
                f"{self.path}: belongs to run {metadata.get('run_key')!r}, not to "
                f"{self.run_key!r}; remove it to train anew"
            )
        return Snapshot(groups["model"], groups["best"], groups["optimiser"], progress)


def optimiser_tensors(optimiser: Optimizer) -> dict[str, Tensor]:
    """Return an optimiser's state as named tensors."""
    state = optimiser.state_dict()["state"]
    return {
        f"{number}/{name}": value
        for number, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser back the state that `optimiser_tensors` returned."""
    content = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split("/", 1)
        # A copy: torch would go on to change the caller's tensors in place.
        state.setdefault(int(number), {})[name] = tensor.clone()
    optimiser.load_state_dict({**content, "state": state})
