"""Which technique helped: the same training with and without it, several seeds each."""
