"""Speech emotion recognition: the sound comparison of models and losses."""
