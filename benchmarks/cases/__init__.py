"""One benchmark per file, with `run(quick) -> list[Measurement]`; the file's name is its name."""
