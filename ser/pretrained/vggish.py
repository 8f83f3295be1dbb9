"""VGGish's trunk and the file of its published weights.

Six convolutions and three fully connected layers turn a log-mel patch of 0.96 s into 128
numbers. The names of the tensors are those of torchvggish, whose release v0.1 holds
AudioSet's weights for PyTorch as `vggish-10086976.pth` (289 MB); the digits in that name
are the first ones of the file's SHA-256. Nothing is downloaded here.

Source:
    Hershey et al. (2017), "CNN architectures for large-scale audio classification",
    arXiv:1609.09430.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, model_validator
from safetensors.torch import load_file
from torch import Tensor, nn

from ser import lineage
from ser.errors import MissingWeightsError, WeightsError, translating
from ser.params import ComponentParams
from ser.pretrained.checkpoint_files import require_content
from ser.pretrained.vggish_frontend import NUM_BINS, PATCH_FRAMES

EMBEDDING_DIM = 128
NO_WEIGHTS = "none"

_PLAN: tuple[int | Literal["pool"], ...] = (
    *(64, "pool", 128, "pool"),
    *(256, 256, "pool", 512, 512, "pool"),
)
_FULLY_CONNECTED = 4096
#: Height times width of what the four poolings leave of a patch.
_PLACES = (PATCH_FRAMES // 16) * (NUM_BINS // 16)
_SUFFIXES = (".pth", ".safetensors")
_MAX_NAMED = 6

_CURE = (
    "AudioSet's weights are vggish-10086976.pth of "
    "https://github.com/harritaylor/torchvggish/releases/tag/v0.1; download that file, and write "
    "`weights: <its path>` and `sha256: <what sha256sum prints>` into params.yaml"
)


class TrunkParams(ComponentParams):
    """What is said of a trunk wherever it is used, frozen or trained.

    Args:
        weights: Path of a local file with a trunk's weights, .pth or .safetensors, or
            `none`.
        sha256: Digest of that file, or its first 8 digits or more; required with it.
        width: Channels and fully connected units, as a share of the published network's;
            1 for its weights. The 128 embeddings are 128 at any width.
        final_relu: Rectify the embeddings. TensorFlow's VGGish gives them before the
            activation, torchvggish after it.
        patch_hop: Frames from one patch to the next; 96 without overlap.
    """

    weights: str = Field(NO_WEIGHTS, min_length=1)
    sha256: str | None = Field(None, pattern="^[0-9a-f]{8,64}$")
    width: float = Field(1.0, ge=1 / 64, le=1.0)
    final_relu: bool = False
    patch_hop: int = Field(PATCH_FRAMES, ge=1, le=PATCH_FRAMES)

    @model_validator(mode="after")
    def _pinned(self) -> "TrunkParams":
        if self.weights != NO_WEIGHTS and self.sha256 is None:
            raise ValueError(
                f"weights {self.weights!r} must be pinned; write `sha256:` with what "
                f"`sha256sum {self.weights}` prints"
            )
        if self.weights == NO_WEIGHTS and self.sha256 is not None:
            raise ValueError("sha256 pins no file: weights is none; remove it, or name the file")
        return self


class Trunk(nn.Module):
    """Log-mel patches -> embeddings, with freshly drawn weights.

    Args:
        width: Share of the published number of channels and units, in [1/64, 1].
        batch_norm: Normalise after each convolution; published weights have none.
        final_relu: Rectify the embeddings.
    """

    def __init__(
        self, *, width: float = 1.0, batch_norm: bool = False, final_relu: bool = False
    ) -> None:
        super().__init__()
        layers, channels = _convolutions(width, batch_norm)
        units = round(_FULLY_CONNECTED * width)
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(_PLACES * channels, units),
            nn.ReLU(),
            nn.Linear(units, units),
            nn.ReLU(),
            nn.Linear(units, EMBEDDING_DIM),
            nn.ReLU() if final_relu else nn.Identity(),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                _draw(module)

    def forward(self, patches: Tensor) -> Tensor:
        """Return embeddings `(num_patches, 128)` of patches `(num_patches, 96, 64)`."""
        # Channels-last convolutions take two thirds of the time on a CPU.
        images = patches.unsqueeze(1).to(memory_format=torch.channels_last)
        maps = self.features(images)  # (num_patches, channels, 6, 4)
        # TensorFlow keeps the channels last, and the published weights expect that order.
        embeddings: Tensor = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
        return embeddings

    def parameter_depth(self, name: str) -> int:
        """Return 1 for a parameter of the last layer, 2 for the one below it, and so on.

        Args:
            name: As in `named_parameters()`. Batch normalisation belongs to the
                convolution before it.
        """
        names = [f"features.{key}" for key, _ in self.features.named_children()]
        names += [f"embeddings.{key}" for key, _ in self.embeddings.named_children()]
        above = names[names.index(name.rpartition(".")[0]) + 1 :]
        layers = (self.get_submodule(key) for key in above)
        return 1 + sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in layers)


def _convolutions(width: float, batch_norm: bool) -> tuple[list[nn.Module], int]:
    """Return the layers up to the last pooling, and the channels that it leaves."""
    layers: list[nn.Module] = []
    channels = 1
    for size in _PLAN:
        if size == "pool":
            # Before the rectifier, which then has a quarter of the numbers to look at: the largest
            # of rectified numbers is the rectified largest. Names of weights stay as they are.
            layers.insert(-1, nn.MaxPool2d(2))
            continue
        wider = round(size * width)
        # Batch normalisation has a bias of its own and would cancel another one.
        layers.append(nn.Conv2d(channels, wider, 3, padding=1, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm2d(wider))
        layers.append(nn.ReLU(inplace=True))
        channels = wider
    return layers, channels


def _draw(layer: nn.Conv2d | nn.Linear) -> None:
    # torch's own initialisation shrinks the signal at each of nine rectified layers.
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def load_published(
    path: Path, sha256: str, *, width: float = 1.0, batch_norm: bool = False, final_relu: bool
) -> Trunk:
    """Return a trunk with the weights of a local file.

    Args:
        path: A state dict in torchvggish's layout, .pth or .safetensors.
        sha256: Digest that the file must have, or its first digits.
        width: As in `Trunk`.
        batch_norm: As in `Trunk`.
        final_relu: As in `Trunk`.

    Raises:
        WeightsError: The file is missing, has another digest, cannot be read, or holds
            other tensors.
    """
    state = _read(path, sha256)
    trunk = Trunk(width=width, batch_norm=batch_norm, final_relu=final_relu)
    _require_same_tensors(path, expected=trunk.state_dict(), found=state)
    trunk.load_state_dict(state)
    return trunk


def require_file(path: Path, sha256: str) -> None:
    """Refuse a file that is not the pinned one, without loading it.

    Args:
        path: The file of weights.
        sha256: Digest that it must have, or its first digits.

    Raises:
        MissingWeightsError: There is no such file.
        WeightsError: It has another digest, or is none of weights.
    """
    if not path.is_file():
        raise MissingWeightsError(f"{path}: no such file of VGGish weights. {_CURE}")
    if path.suffix not in _SUFFIXES:
        known = " or ".join(_SUFFIXES)
        raise WeightsError(f"{path}: weights are read from files that end in {known}")
    require_content(path, cure=_CURE)
    digest = lineage.sha256_file(path)
    if not digest.startswith(sha256):
        raise WeightsError(
            f"{path}: the SHA-256 is {digest}, but params.yaml pins {sha256}; it is another file, "
            f"or damaged. {_CURE}"
        )


def trunk_name(sha256: str, *, width: float) -> str:
    """Return what a trunk with weights is called where scores are shown.

    Example:
        >>> trunk_name("10086976" + 56 * "0", width=1.0)
        'AudioSet VGGish 100869760000'
    """
    network = "AudioSet VGGish" if width == 1.0 else f"VGGish of width {width:g}"
    return f"{network} {sha256[:12]}"


def _read(path: Path, sha256: str) -> dict[str, Tensor]:
    """Return the tensors of a file that has the digest."""
    require_file(path, sha256)

    def say(error: Exception) -> WeightsError:
        reason = str(error).partition("\n")[0]
        return WeightsError(f"{path}: not a file of tensors ({reason}). {_CURE}")

    with translating(say):
        state = _load(path)
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        raise WeightsError(f"{path}: expected a mapping of names to tensors. {_CURE}")
    return state


def _load(path: Path) -> object:
    if path.suffix == ".safetensors":
        return load_file(path)
    # weights_only: unpickling anything else would run code of whoever made the file.
    return torch.load(path, map_location="cpu", weights_only=True)


def _require_same_tensors(
    path: Path, *, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> None:
    """Refuse tensors of other names or shapes, naming them."""
    other = [
        f"{name} {tuple(found[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    problems = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [str(name) for name in found if name not in expected],
        "of another shape": other,
    }
    said = [f"{kind}: {_shortened(names)}" for kind, names in problems.items() if names]
    if said:
        raise WeightsError(
            f"{path}: not the weights of this VGGish (width, batch_norm); tensors "
            f"{'; '.join(said)}. {_CURE}"
        )


def _shortened(names: Sequence[str]) -> str:
    """Return the first names and how many more there are."""
    more = len(names) - _MAX_NAMED
    shown = ", ".join(names[:_MAX_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown
