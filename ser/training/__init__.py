"""From batches to chosen weights, and from weights to predictions."""
