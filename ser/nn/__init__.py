"""What models are made of: heads, poolings, and the second head that rates."""
