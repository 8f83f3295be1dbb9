"""Losses in plain loops, straight from their definitions."""

import math


def softmax(logits):
    top = max(logits)
    exponentials = [math.exp(value - top) for value in logits]
    return [value / sum(exponentials) for value in exponentials]


def log_softmax(logits):
    top = max(logits)
    normaliser = top + math.log(sum(math.exp(value - top) for value in logits))
    return [value - normaliser for value in logits]


def cross_entropy(logits, labels, weights):
    total = weight_sum = 0.0
    for row, label in zip(logits, labels, strict=True):
        total += weights[label] * -log_softmax(row)[label]
        weight_sum += weights[label]
    return total / weight_sum


def label_smoothing(logits, labels, weights, epsilon):
    total = weight_sum = 0.0
    for row, label in zip(logits, labels, strict=True):
        for index, log_p in enumerate(log_softmax(row)):
            target = epsilon / len(row) + (1 - epsilon if index == label else 0.0)
            total += weights[index] * target * -log_p
        weight_sum += weights[label]
    return total / weight_sum


def focal(logits, labels, weights, gamma):
    total = weight_sum = 0.0
    for row, label in zip(logits, labels, strict=True):
        log_p = log_softmax(row)[label]
        total += weights[label] * (1 - math.exp(log_p)) ** gamma * -log_p
        weight_sum += weights[label]
    return total / weight_sum


def aam(cosines, labels, weights, margin, scale):
    moved = []
    for row, label in zip(cosines, labels, strict=True):
        angle = math.acos(row[label])
        if angle < math.pi - margin:
            target = math.cos(angle + margin)
        else:
            target = math.cos(angle) - (1 - math.cos(margin))
        moved.append([scale * (target if k == label else cosine) for k, cosine in enumerate(row)])
    return cross_entropy(moved, labels, weights)


def concordance(first, second):
    size = len(first)
    first_mean, second_mean = sum(first) / size, sum(second) / size
    covariance = sum(
        (x - first_mean) * (y - second_mean) for x, y in zip(first, second, strict=True)
    )
    spread = sum((x - first_mean) ** 2 for x in first) + sum((y - second_mean) ** 2 for y in second)
    denominator = spread / size + (first_mean - second_mean) ** 2
    return 2 * covariance / size / denominator if denominator > 0 else 0.0


def ccc(logits, labels, weights, weight):
    rows = [softmax(row) for row in logits]
    num_classes = len(rows[0])
    mean = sum(
        concordance([row[k] for row in rows], [float(label == k) for label in labels])
        for k in range(num_classes)
    )
    entropy = cross_entropy(logits, labels, weights)
    return (1 - weight) * entropy + weight * (1 - mean / num_classes)
