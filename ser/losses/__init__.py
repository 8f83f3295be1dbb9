"""One loss per file; the file's name is the loss' name in params.yaml."""
