"""Speed of this project as ratios, each against a named alternative in the same process."""
