"""What crosses stages: the whole of params.yaml, the commands of dvc.yaml, who runs them."""
