"""Losses in plain loops, straight from their definitions."""

import math


def softmax(logits):
    top = max(logits)
    exponentials = [math.exp(value - top) for value in logits]
    return [value / sum(exponentials) for value in exponentials]


def cross_entropy(logits, labels, weights):
    total = weight_sum = 0.0
    for row, label in zip(logits, labels, strict=True):
        total += weights[label] * -math.log(softmax(row)[label])
        weight_sum += weights[label]
    return total / weight_sum
