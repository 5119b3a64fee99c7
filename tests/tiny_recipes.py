"""Every recipe at a size that takes a moment."""

from __future__ import annotations

from typing import Any

from steadygan.recipes import Facts, configure
from steadygan.spec import ImageSpec
from steadygan.training.config import RunConfig
from tables import Table

SMALL: Table[dict[str, Any]] = Table(
    "SMALL in tests/tiny_recipes.py",
    {
        "dcgan": {"width": 16},
        "satellite": {"width": 4},
        "upsample": {"width": 8},
        "faces256": {"width": 4},
        "msg": {"width": 8, "max_width": 8, "latent_dim": 8},
        "sngan": {"width": 4},
        "r3gan": {"width": 16},
        "points": {"width": 16},
    },
)
SIZES = {"faces256": 64, "ring": 1}


def spec_of(name: str, classes: int = 0) -> ImageSpec:
    """The smallest form of images the recipe makes."""
    size = SIZES.get(name, 16)
    return ImageSpec(size=size, channels=2 if size == 1 else 3, classes=classes)


def tiny_recipe(name: str, spec: ImageSpec, **settings: Any) -> RunConfig:
    """The recipe's own configuration, with narrow networks and a small batch."""
    source = "builtin:ring" if spec.size == 1 else "builtin:critters"
    facts = Facts(size=spec.size, channels=spec.channels, classes=spec.classes, images=100)
    kind = configure(source, name, facts=facts).networks.kind
    return configure(source, name, {"batch": 8, "networks": SMALL[kind], **settings}, facts)
