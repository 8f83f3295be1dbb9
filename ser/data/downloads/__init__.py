"""Corpora from their publishers: where they are, the transfer, the checks, the unpacking."""
