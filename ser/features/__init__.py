"""Frame-level inputs of the models: extracted once, stored, batched."""
