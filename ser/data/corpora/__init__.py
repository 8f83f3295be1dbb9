"""One parser per corpus; the file's name is the corpus' name in params.yaml."""
