"""Which settings are best for these images: a search by trial, with Optuna."""
