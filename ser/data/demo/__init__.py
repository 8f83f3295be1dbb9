"""A synthetic corpus in the shape of IEMOCAP: what is said, how it sounds, how it lies on disk."""
