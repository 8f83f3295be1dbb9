"""All stages on 1,000, 10,000 and 100,000 utterances: `python -m benchmarks.scale`."""
