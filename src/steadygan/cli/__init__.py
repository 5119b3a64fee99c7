"""The command line. Each command imports what it needs inside its function, so that `--help` answers at once."""
