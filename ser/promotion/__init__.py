"""From a trained cell to the champion: register, judge, promote, roll back."""
