"""Any model with a second head, which rates valence, arousal and dominance."""

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ser.batch import ModelOutput

#: Middle and half width of the scale of ratings, `ser.emotion.DIMENSION_RANGE`.
_MIDDLE, _HALF_WIDTH = 3.0, 2.0


class RatedModel(nn.Module):
    """A model whose embedding is read twice: by its own head, and by one for ratings.

    A rating is 3 + 2 (w embedding + b), in points of the scale from 1 to 5. So fresh
    weights begin near the middle of the scale, and weights and gradients have the size
    that they have in a classifier. The answer is not confined to the scale.

    Args:
        model: Classifies; see `ser.models._base.Model`, whose promises this one keeps too.
        num_ratings: Number of dimensions.
    """

    def __init__(self, model: Any, num_ratings: int) -> None:
        super().__init__()
        self.model = model
        self.ratings = nn.Linear(model.embedding_dim, num_ratings)
        self.embedding_dim: int = model.embedding_dim
        self.normalises_inputs: bool = model.normalises_inputs
        self.origin: str = model.origin

    def forward(self, inputs: Tensor, lengths: Tensor) -> ModelOutput:
        """Classify and rate a batch; see `ser.models._base.Model`."""
        output: ModelOutput = self.model(inputs, lengths)
        # Near 3 a half-precision number is coarse: the middle is added in float32.
        scaled = self.ratings(output.embedding).float()
        return replace(output, ratings=_MIDDLE + _HALF_WIDTH * scaled)

    def parameter_depth(self, name: str) -> int:
        """Return the model's own depth of a parameter; the head for ratings is fresh."""
        prefix = "model."
        if not name.startswith(prefix):
            return 0
        depth: int = self.model.parameter_depth(name.removeprefix(prefix))
        return depth
