"""Any model with a second head, which rates valence, arousal and dominance."""

from dataclasses import replace

from torch import Tensor, nn

from ser.batch import ModelOutput
from ser.contracts import Model

#: Middle and half width of the scale of ratings, `ser.emotion.DIMENSION_RANGE`.
_MIDDLE, _HALF_WIDTH = 3.0, 2.0


class RatedModel(nn.Module):
    """A model whose embedding is read twice: by its own head, and by one for ratings.

    A rating is 3 + 2 (w embedding + b), in points of the scale from 1 to 5. So fresh
    weights begin near the middle of the scale, and weights and gradients have the size
    that they have in a classifier. The answer is not confined to the scale.

    Args:
        model: Classifies; see `ser.contracts.Model`, whose promises this one keeps too.
        num_ratings: Number of dimensions.
    """

    def __init__(self, model: Model, num_ratings: int) -> None:
        super().__init__()
        self.model, self.num_ratings = model, num_ratings
        self.ratings = nn.Linear(model.embedding_dim, num_ratings)
        self.embedding_dim = model.embedding_dim
        self.normalises_inputs = model.normalises_inputs
        self.origin = model.origin

    def forward(self, inputs: Tensor, lengths: Tensor) -> ModelOutput:
        """Classify and rate a batch; see `ser.contracts.Model`."""
        output = self.model(inputs, lengths)
        # Near 3 a half-precision number is coarse: the middle is added in float32.
        scaled = self.ratings(output.embedding).float()
        return replace(output, ratings=_MIDDLE + _HALF_WIDTH * scaled)

    def parameter_depth(self, name: str) -> int:
        """Return the model's own depth of a parameter; the head for ratings is fresh."""
        prefix = "model."
        if not name.startswith(prefix):
            return 0
        return self.model.parameter_depth(name.removeprefix(prefix))

    def weighs_layers(self, name: str) -> bool:
        """Return what the model says of its own parameter; the head for ratings does not."""
        return self.model.weighs_layers(name.removeprefix("model."))

    def prototypes(self) -> Tensor | None:
        """Return the model's own prototypes."""
        return self.model.prototypes()

    def layer_weights(self) -> list[float] | None:
        """Return the model's own weights of layers."""
        return self.model.layer_weights()
