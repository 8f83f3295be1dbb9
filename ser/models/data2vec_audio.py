"""data2vec audio above the frozen prefix that the feature `data2vec_audio` holds.

Source:
    Baevski et al. (2022), "data2vec: a general framework for self-supervised learning in
    speech, vision and language".
"""

from ser.batch import FeatureSpec, HeadName
from ser.contracts import Model
from ser.models import _ssl


class Params(_ssl.Params):
    """What is put on top of the checkpoint; see `_ssl.Params`."""


def build(params: Params, *, feature: FeatureSpec, num_classes: int, head: HeadName) -> Model:
    """Return the model that goes on where the feature ends; see `_ssl.build`."""
    return _ssl.build("data2vec_audio", params, feature=feature, num_classes=num_classes, head=head)
