"""One feature per file; the file's name is the feature's name in params.yaml."""
