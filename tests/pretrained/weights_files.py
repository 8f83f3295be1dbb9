"""Files of weights, for the tests of what reads them."""

import hashlib

import torch
from safetensors.torch import save_file


def write_weights(path, state):
    """Write tensors as .pth or .safetensors; return the path and the file's SHA-256."""
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()
