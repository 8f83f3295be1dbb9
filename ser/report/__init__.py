"""The page of the comparison, its sections, and the table for terminal and README."""
