"""A model over a whole dataset: everything it says, in the dataset's order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ser import concordance
from ser.batch import ModelOutput
from ser.contracts import Model
from ser.features import batching
from ser.features.dataset import FeatureDataset, collate


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model says of a dataset.

    Args:
        ids: Utterance ids.
        labels: Class indices `(num_utterances,)`.
        output: Embeddings and logits of all of them, and ratings of a model that rates,
            float32, on the CPU.
        ratings: What raters said `(num_utterances, 3)`, float32; see `Batch.ratings`.
        shares: Of the votes `(num_utterances, num_classes)`, float32; see `Batch.shares`.
    """

    ids: tuple[str, ...]
    labels: Tensor
    output: ModelOutput
    ratings: Tensor | None = None
    shares: Tensor | None = None

    @property
    def truth(self) -> Tensor:
        """What a loss learns of the classes, see `Batch.truth`."""
        return self.labels if self.shares is None else self.shares

    def probabilities(self, logit_scale: float) -> NDArray[np.float64]:
        """Return softmax(logit_scale * logits) `(num_utterances, num_classes)`."""
        scaled = self.output.logits.double() * logit_scale
        return scaled.softmax(dim=-1).numpy()

    def predictions(self) -> NDArray[np.int64]:
        """Return the most probable class per utterance `(num_utterances,)`."""
        return self.output.logits.argmax(dim=-1).numpy()

    def predicted_ratings(self) -> NDArray[np.float64] | None:
        """Return what a model that rates says `(num_utterances, 3)`, else None."""
        ratings = self.output.ratings
        return None if ratings is None else ratings.double().numpy()

    def rating_scores(self) -> dict[str, float]:
        """Return CCC and MAE per dimension of a model that rates, else nothing."""
        if self.output.ratings is None or self.ratings is None:
            return {}
        return concordance.rating_scores(
            truth=self.ratings.numpy(), prediction=self.output.ratings.numpy()
        )


@torch.inference_mode()
def predict(
    model: Model,
    dataset: FeatureDataset,
    *,
    batch_size: int,
    max_frames: int | None,
    device: torch.device,
) -> Outputs:
    """Run a model in evaluation mode over a dataset.

    Args:
        model: On the device.
        dataset: What to classify.
        batch_size: Most utterances at once.
        max_frames: Most padded frames at once, or None.
        device: Where the model is.

    Returns:
        Outputs in the dataset's order, whatever the batches.
    """
    was_training = model.training
    model.eval()
    rows: list[int] = []
    outputs: list[ModelOutput] = []
    for batch_rows in batching.in_order(
        dataset.lengths, batch_size=batch_size, max_frames=max_frames
    ):
        batch = collate([dataset[row] for row in batch_rows]).to(device)
        rows += batch_rows
        outputs.append(model(batch.inputs, batch.lengths).to(torch.device("cpu")))
    model.train(was_training)
    return Outputs(
        dataset.ids,
        torch.from_numpy(dataset.labels),
        _joined(outputs, order=torch.tensor(rows).argsort()),
        None if dataset.ratings is None else torch.from_numpy(dataset.ratings).float(),
        None if dataset.shares is None else torch.from_numpy(dataset.shares).float(),
    )


def _joined(outputs: Sequence[ModelOutput], *, order: Tensor) -> ModelOutput:
    """Return the outputs of batches as one, in float32, its rows in an order."""
    ratings = [output.ratings for output in outputs if output.ratings is not None]
    return ModelOutput(
        torch.cat([output.embedding for output in outputs]).float()[order],
        torch.cat([output.logits for output in outputs]).float()[order],
        torch.cat(ratings).float()[order] if ratings else None,
    )
