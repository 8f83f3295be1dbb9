"""wav2vec 2.0 above the frozen prefix that the feature `wav2vec2` holds.

Source:
    Baevski et al. (2020), "wav2vec 2.0: a framework for self-supervised learning of speech
    representations".
"""

from ser.batch import FeatureSpec, HeadName
from ser.contracts import Model
from ser.models import _ssl


class Params(_ssl.Params):
    """What is put on top of the checkpoint; see `_ssl.Params`."""


def build(params: Params, *, feature: FeatureSpec, num_classes: int, head: HeadName) -> Model:
    """Return the model that goes on where the feature ends; see `_ssl.build`."""
    return _ssl.build("wav2vec2", params, feature=feature, num_classes=num_classes, head=head)
