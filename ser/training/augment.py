"""What training does to its batches, anew in every epoch: noise, and masks over features.

It changes the inputs alone; `ser.training.mixup`, which comes before it, the truth too.

Masks are those of SpecAugment without time warping (Park et al. 2019, "SpecAugment: a
simple data augmentation method for automatic speech recognition"), drawn per utterance. A
masked value becomes the utterance's own mean of that bin, so that normalised and raw
features are treated alike.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ser.batch import Batch, valid_frames
from ser.training.recipe import Recipe


def augment(batch: Batch, recipe: Recipe) -> Batch:
    """Return a batch as training shall see it; without any augmentation, the same batch.

    Args:
        batch: Of the train part, on any device. Its padding may change; models do not
            look there.
        recipe: `feature_noise`, `time_masks`, `time_mask_share`, `bin_masks` and
            `bin_mask_share`.

    Returns:
        The batch with other inputs. Random numbers come from torch's default generators.
    """
    inputs = batch.inputs
    if recipe.time_masks or recipe.bin_masks:
        inputs = _masked(inputs, batch.lengths, recipe)
    if recipe.feature_noise:
        inputs = inputs + recipe.feature_noise * torch.randn_like(inputs)
    return replace(batch, inputs=inputs)


def _masked(inputs: Tensor, lengths: Tensor, recipe: Recipe) -> Tensor:
    num_rows, num_frames, num_bins = inputs.shape
    valid = valid_frames(lengths, num_frames).unsqueeze(-1)
    mean = inputs.masked_fill(~valid, 0.0).sum(dim=1, keepdim=True) / lengths.view(-1, 1, 1)
    in_time = _stripes(lengths, num_frames, recipe.time_masks, recipe.time_mask_share)
    widths = torch.full((num_rows,), num_bins, device=inputs.device)
    in_bins = _stripes(widths, num_bins, recipe.bin_masks, recipe.bin_mask_share)
    return torch.where(in_time.unsqueeze(-1) | in_bins.unsqueeze(1), mean, inputs)


def _stripes(extents: Tensor, size: int, num_stripes: int, share: float) -> Tensor:
    """Return where random stripes lie, boolean `(num_rows, size)`.

    Args:
        extents: Each row's stripes lie within its first so many places `(num_rows,)`.
        size: Places of a row.
        num_stripes: Stripes a row.
        share: Widths are uniform between none and this share of the extent.
    """
    draws = torch.rand(2, len(extents), num_stripes, 1, device=extents.device)
    extent = extents.view(-1, 1, 1)
    width = (draws[0] * (share * extent + 1)).floor()
    start = (draws[1] * (extent - width + 1)).floor()
    place = torch.arange(size, device=extents.device)
    return ((place >= start) & (place < start + width)).any(dim=1)
