"""Where runs are recorded: a small protocol, MLflow behind it."""
