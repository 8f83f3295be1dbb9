"""A model over a whole dataset: everything it says, in the dataset's order."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ser.batch import ModelOutput
from ser.features import batching
from ser.features.dataset import FeatureDataset, collate


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model says of a dataset.

    Args:
        ids: Utterance ids.
        labels: Class indices `(num_utterances,)`.
        output: Embeddings and logits of all of them, float32, on the CPU.
    """

    ids: tuple[str, ...]
    labels: Tensor
    output: ModelOutput

    def probabilities(self, logit_scale: float) -> NDArray[np.float64]:
        """Return softmax(logit_scale * logits) `(num_utterances, num_classes)`."""
        scaled = self.output.logits.double() * logit_scale
        return scaled.softmax(dim=-1).numpy()

    def predictions(self) -> NDArray[np.int64]:
        """Return the most probable class per utterance `(num_utterances,)`."""
        return self.output.logits.argmax(dim=-1).numpy()


@torch.inference_mode()
def predict(
    model: nn.Module,
    dataset: FeatureDataset,
    *,
    batch_size: int,
    max_frames: int | None,
    device: torch.device,
) -> Outputs:
    """Run a model in evaluation mode over a dataset.

    Args:
        model: As promised in `ser.models._base.Model`, on the device.
        dataset: What to classify.
        batch_size: Most utterances at once.
        max_frames: Most padded frames at once, or None.
        device: Where the model is.

    Returns:
        Outputs in the dataset's order, whatever the batches.
    """
    was_training = model.training
    model.eval()
    rows, embeddings, logits = [], [], []
    for batch_rows in batching.in_order(
        dataset.lengths, batch_size=batch_size, max_frames=max_frames
    ):
        batch = collate([dataset[row] for row in batch_rows]).to(device)
        output = model(batch.inputs, batch.lengths)
        rows += batch_rows
        embeddings.append(output.embedding.float().cpu())
        logits.append(output.logits.float().cpu())
    model.train(was_training)
    back = torch.tensor(rows).argsort()
    return Outputs(
        dataset.ids,
        torch.from_numpy(dataset.labels),
        ModelOutput(torch.cat(embeddings)[back], torch.cat(logits)[back]),
    )
