"""Where data, networks and objectives meet: the game, and the run around it."""
