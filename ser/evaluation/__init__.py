"""From predictions to tables, figures and the report."""
