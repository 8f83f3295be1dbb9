"""What the contract tests build the extractor with."""

from ser.features.extractors import mfcc

IDS = ("default",)


def make(name, case, folder):
    return mfcc.Params()
