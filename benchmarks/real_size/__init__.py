"""The preset `iemocap` at its real size, without the corpus: `python -m benchmarks.real_size`."""
