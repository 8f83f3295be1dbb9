"""Params and features of the contract tests, for a model without a `case_` file of its own."""

from ser import components
from ser.batch import FeatureSpec

IDS = ("default",)


def make(name, case, folder):
    return components.load("ser.models", name).Params(), FeatureSpec("mfcc", 6)
