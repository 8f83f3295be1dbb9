"""HuBERT above the frozen prefix that the feature `hubert` holds.

Source:
    Hsu et al. (2021), "HuBERT: self-supervised speech representation learning by masked
    prediction of hidden units".
"""

from ser.batch import FeatureSpec, HeadName
from ser.contracts import Model
from ser.models import _ssl


class Params(_ssl.Params):
    """What is put on top of the checkpoint; see `_ssl.Params`."""


def build(params: Params, *, feature: FeatureSpec, num_classes: int, head: HeadName) -> Model:
    """Return the model that goes on where the feature ends; see `_ssl.build`."""
    return _ssl.build("hubert", params, feature=feature, num_classes=num_classes, head=head)
