"""What the contract tests build the extractor with."""

from ser.features.extractors import logmel

IDS = ("default",)


def make(case, folder):
    return logmel.Params()
