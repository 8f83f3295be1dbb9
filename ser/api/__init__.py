"""The Python API: ask a model and read a finished project, from a program or a notebook."""
