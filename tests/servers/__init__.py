"""The servers that a team shares, started for tests: PostgreSQL, S3, MLflow's own."""
