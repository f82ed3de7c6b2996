"""Training recipes: one folder a model."""
