"""One cell of the grid, from its data to its folder: folds x seeds, tracked and resumable."""
