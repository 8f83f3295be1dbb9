"""Params of the contract tests, for an extractor without a `case_` file of its own."""

from ser import components

IDS = ("default",)


def make(name, case, folder):
    return components.load("ser.features.extractors", name).Params()
