"""What the contract tests build the model with."""

from ser.batch import FeatureSpec
from ser.models import lstm

IDS = ("default",)


def make(name, case, folder):
    return lstm.Params(), FeatureSpec("mfcc", 6)
