"""Optuna over a fold's train and dev parts: spaces, studies, workers, what they leave behind."""
