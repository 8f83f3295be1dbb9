"""How a model is trained: the settings of optimisation, and those of the whole grid."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from ser.params import Section, Tunable

Balance = Literal["none", "class_weights", "weighted_sampler"]
Targets = Literal["hard", "soft"]
NormalisedBy = Literal["fold", "speaker", "session", "corpus"]
#: What every generator of random numbers takes.
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Precision = Literal["float32", "bfloat16", "float16", "auto"]

#: What Accelerate calls them; its `no` would be read as false from YAML. `auto` is none of them:
#: it is resolved before, see `ser.training.device`.
ACCELERATE_PRECISION: dict[Precision, str] = {
    "float32": "no",
    "bfloat16": "bf16",
    "float16": "fp16",
}


class Recipe(Section):
    """Optimisation of one model; the same for all its losses.

    Args:
        num_epochs: Most passes over the train part.
        patience: Epochs without a better dev UAR before training stops.
        batch_size: Most utterances of a batch.
        max_frames: Most frames of a padded batch, or null.
        accumulation: Batches per optimiser step.
        learning_rate: Peak of the schedule.
        weight_decay: Decoupled, on weight matrices only (not on biases and norms).
        warmup: Share of training in which the learning rate rises linearly from zero;
            it then falls to zero along half a cosine.
        gradient_clip: Largest L2 norm of all gradients together.
        feature_noise: Standard deviation of Gaussian noise added to the normalised
            features of the train part, anew in every epoch; 0 adds none.
        time_masks, bin_masks: Stretches of frames, and of bins, that are masked in each
            utterance of the train part, anew in every epoch.
        time_mask_share, bin_mask_share: Widest mask, as a share of the utterance's frames
            and of all bins.
        mixup: Two utterances of a batch become one: lambda times the one plus 1 - lambda times
            the other, with a lambda per batch from Beta(mixup, mixup); the loss is mixed alike.
            0 mixes none; 0.2 mostly adds a little of the other, 1 any share alike.
        normalisation: Whose mean and deviation per bin the inputs are normalised by: those
            of the fold's train part, or of the utterance's own speaker, session or corpus in
            its part. The last three are transductive (they need the unlabelled test utterances),
            are marked so wherever scores are shown, and are not served.
        pretrained_rate: Learning rate of pretrained weights, as a share of
            `learning_rate`, which is that of fresh ones.
        layer_decay: Each pretrained layer learns this many times as fast as the one above.
        layer_weights_rate: Learning rate of the weights of frozen layers, as a multiple of
            `learning_rate`. They are a handful of numbers, which the small rate that suits a
            head of thousands would leave where they began.
        copies: Copy of the feature (`features.<name>.copies`) -> the share of the train part
            that is heard in it, in sum 1: each utterance draws one anew in every epoch. Null
            hears `clean` alone, as dev, test and serving always do.
    """

    num_epochs: int = Field(20, ge=1, le=10_000)
    patience: int = Field(10, ge=1, le=10_000)
    batch_size: int = Field(32, ge=1, le=4096)
    max_frames: int | None = Field(None, ge=1, le=10_000_000)
    accumulation: int = Field(1, ge=1, le=4096)
    learning_rate: Annotated[float, Tunable(1e-5, 1e-2, log=True)] = Field(1e-3, gt=0.0, le=10.0)
    weight_decay: float = Field(0.01, ge=0.0, le=1000.0)
    warmup: float = Field(0.1, ge=0.0, lt=1.0)
    gradient_clip: float = Field(1.0, gt=0.0, le=1e6)
    feature_noise: float = Field(0.0, ge=0.0, le=10.0)
    time_masks: int = Field(0, ge=0, le=20)
    time_mask_share: float = Field(0.1, gt=0.0, le=1.0)
    bin_masks: int = Field(0, ge=0, le=20)
    bin_mask_share: float = Field(0.1, gt=0.0, le=1.0)
    mixup: float = Field(0.0, ge=0.0, le=10.0)
    normalisation: NormalisedBy = "fold"
    pretrained_rate: float = Field(1.0, gt=0.0, le=1.0)
    layer_decay: float = Field(1.0, gt=0.0, le=1.0)
    layer_weights_rate: float = Field(1.0, gt=0.0, le=1000.0)
    copies: Mapping[str, float] | None = None

    @field_validator("copies")
    @classmethod
    def _shares(cls, copies: Mapping[str, float] | None) -> Mapping[str, float] | None:
        if copies is None:
            return None
        total = sum(copies.values())
        # Rounded shares, as three times 0.333, are meant to be all.
        if abs(total - 1) > 0.005 or any(share <= 0 for share in copies.values()):
            raise ValueError(f"shares must be above 0 and in sum 1; the sum is {total:g}")
        return copies

    @property
    def is_transductive(self) -> bool:
        """Whether predictions need more of the test part than the one utterance."""
        return self.normalisation != "fold"


class TrainingParams(Section):
    """What all cells of the grid share.

    Args:
        seeds: Each fold is trained once per seed.
        targets: `hard` learns each utterance's label, `soft` the shares of its raters' votes;
            the corpus must have votes, and the loss a form for shares (`aam` has none). The
            epoch is chosen by the UAR of the labels in any case.
        balance: The one policy against class imbalance: `none`, `class_weights` in the
            loss, or a `weighted_sampler`; counts come from the fold's train part, of shares
            what they come to.
        precision: Of the forward pass in training. `auto` takes `bfloat16` for cells that train
            layers of a transformer, where the processor or the GPU multiplies it itself, and
            `float32` for all others; what it took is part of the run key. What a trained cell says
            of dev and test is computed in float32, as a server does.
        device: `auto` takes a GPU where one is; `cpu` never does.
        num_threads: CPU threads of one training process. Part of the result: another
            number sums in another order.
        refit: Train each fold anew once its epoch is chosen on dev: from fresh weights, on
            train and dev together, up to that epoch. These weights read the test part and are
            kept. Costs a second training per fold and seed; tuning never refits.
        keep_weights: `all` keeps the weights of every fold and seed, `best` those of the
            highest dev UAR of the cell.
    """

    seeds: tuple[Seed, ...] = Field((0,), min_length=1, max_length=1000)
    targets: Targets = "hard"
    balance: Balance = "class_weights"
    precision: Precision = "float32"
    device: Literal["auto", "cpu"] = "auto"
    num_threads: int = Field(1, ge=1, le=1024)
    refit: bool = False
    keep_weights: Literal["all", "best"] = "all"

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds):
            raise ValueError(f"seeds must be distinct, got {list(seeds)}")
        return seeds


def depth_factor(depth: int, recipe: Recipe) -> float:
    """Return the share of the learning rate at which a layer learns.

    Args:
        depth: 0 for fresh weights, 1 for the topmost pretrained layer, 2 below it, ...
        recipe: `pretrained_rate` and `layer_decay`.

    Returns:
        In (0, 1].

    Source:
        Howard, Ruder (2018), "Universal language model fine-tuning for text
        classification", section 3.2; there the decay is 1 / 2.6.

    Example:
        >>> recipe = Recipe(pretrained_rate=0.1, layer_decay=0.5)
        >>> [depth_factor(depth, recipe) for depth in (0, 1, 2)]
        [1.0, 0.1, 0.05]
    """
    if depth == 0:
        return 1.0
    return recipe.pretrained_rate * recipe.layer_decay ** (depth - 1)


def learning_rate_factor(progress: float, warmup: float) -> float:
    """Return the share of the peak learning rate at a point of training.

    Args:
        progress: Share of training done, in [0, 1].
        warmup: Share of training that warms up, in [0, 1).

    Returns:
        In [0, 1]: linear up to `warmup`, then half a cosine down to zero.

    Example:
        >>> [round(learning_rate_factor(p, 0.5), 3) for p in (0.25, 0.5, 0.75, 1.0)]
        [0.5, 1.0, 0.5, 0.0]
    """
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (progress - warmup) / (1.0 - warmup)))
