"""The doctor: what goes wrong in a run, and what to do, from its records alone."""
