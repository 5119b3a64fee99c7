"""What the doctor reads of a game besides its losses: measured from networks, reals and pictures, as numbers."""
