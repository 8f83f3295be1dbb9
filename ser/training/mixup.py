"""Mixup: two utterances of a batch become one, and so does what they are.

Source: Zhang, Cisse, Dauphin and Lopez-Paz (2018), "mixup: Beyond Empirical Risk
Minimization", arXiv:1710.09412. As in their code, one lambda serves a whole batch and the two
losses are mixed, not the labels: some losses are statistics of a batch, so they cannot be
taken utterance by utterance. For cross-entropy with equal class weights it is the same.

Utterances differ in length. A row keeps its own, since the first share of the loss is its own;
a longer partner is cut to it, and a shorter one is repeated until it fills it, so that every
frame holds both in the shares that the loss says. Lengths within a batch are similar, so little
is cut or repeated, and no batch grows.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ser.batch import Batch, ModelOutput
from ser.contracts import Loss


@dataclass(frozen=True, slots=True)
class Mixture:
    """Which rows of a batch are mixed, and how much of each is left.

    Args:
        partners: Each row's other row `(batch,)`; may be the row itself.
        share: Lambda, of the row itself, in [0, 1]; its partner has the rest.
    """

    partners: Tensor
    share: float


def draw(batch: Batch, alpha: float) -> Mixture | None:
    """Return how a batch is mixed, from torch's default generator; None where it is not.

    Args:
        batch: The batch.
        alpha: Both parameters of the Beta distribution of lambda; at 0 nothing is drawn.
    """
    if not alpha:
        return None
    # In float64: for a small alpha nearly all of the distribution is next to 0 and 1.
    both = torch.full((), alpha, dtype=torch.float64)
    share = float(torch.distributions.Beta(both, both).sample())
    return Mixture(torch.randperm(len(batch.ids)).to(batch.inputs.device), share)


def mix(batch: Batch, mixture: Mixture | None) -> Batch:
    """Return a batch with mixed inputs; ids, lengths and truth stay those of the rows.

    Args:
        batch: On any device; its padding may change, models do not look there.
        mixture: How; None returns the batch as it is.
    """
    if mixture is None:
        return batch
    num_frames = batch.inputs.shape[1]
    places = torch.arange(num_frames, device=batch.inputs.device)
    # (batch, num_frames): a partner's valid frames, again and again.
    places = places % batch.lengths[mixture.partners].unsqueeze(1)
    others = batch.inputs[mixture.partners.unsqueeze(1), places]
    inputs = mixture.share * batch.inputs + (1.0 - mixture.share) * others
    return replace(batch, inputs=inputs)


def loss_of(loss: Loss, output: ModelOutput, batch: Batch, mixture: Mixture | None) -> Tensor:
    """Return the loss `()`: lambda times that of the rows' own truth, the rest their partners'.

    Args:
        loss: Any; it sees classes, and ratings where there are some, of one side at a time.
        output: Of the mixed batch.
        batch: Its truth.
        mixture: As it was mixed; None is the plain loss.
    """
    own = loss(output, batch.truth, batch.ratings)
    if mixture is None:
        return own
    ratings = None if batch.ratings is None else batch.ratings[mixture.partners]
    other = loss(output, batch.truth[mixture.partners], ratings)
    return mixture.share * own + (1.0 - mixture.share) * other
