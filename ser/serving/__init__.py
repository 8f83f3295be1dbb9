"""Answering with a promoted model: audio in, emotion out."""
