"""Reference rows outside the grid, and what a model can know without hearing emotion."""
