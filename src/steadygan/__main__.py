"""`python -m steadygan`, which is also how several processes are started."""

from __future__ import annotations

from steadygan.cli.main import main

main()
