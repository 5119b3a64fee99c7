"""How huge images are cut into tiles."""

from __future__ import annotations

from steadygan.data.settings import COLOURS, Tiles

__all__ = ["COLOURS", "Tiles"]
