"""What the contract tests build the extractor with."""

from ser.features.extractors import logmel

IDS = ("default",)


def make(name, case, folder):
    return logmel.Params()
