"""steadygan: point it at a folder of images; it trains a GAN steadily and says what is going wrong.

    import steadygan as sg

    run = sg.train("photos/", images=200_000, out="runs/a")
    images = sg.load("runs/a").sample(64, seed=0)

Names are loaded when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from steadygan.version import __version__

if TYPE_CHECKING:
    from steadygan.augment import AsIs, InstanceNoise
    from steadygan.data import Dataset, PrepareSettings, TorchImages, inspect, open_dataset, prepare, save_images
    from steadygan.errors import ConfigError, DataError, Diverged, Interrupted, SteadyganError, StorageError
    from steadygan.export import TrainedGenerator, load
    from steadygan.networks import DCGAN, DCGANDiscriminator, DCGANGenerator, Points
    from steadygan.objectives import R1, R2, FeatureMatching, Hinge, NonSaturating, Relativistic, View
    from steadygan.recipes import train
    from steadygan.spec import ImageSpec
    from steadygan.studies.compare import compare
    from steadygan.training.average import EMA, Average
    from steadygan.training.config import Budget, RunConfig
    from steadygan.training.game import Game
    from steadygan.training.optim import Adam
    from steadygan.training.run import Run, resume
    from steadygan.training.seams import Fixed

_HOMES = {
    "augment": ("AsIs", "InstanceNoise"),
    "data": ("Dataset", "PrepareSettings", "TorchImages", "inspect", "open_dataset", "prepare", "save_images"),
    "errors": ("ConfigError", "DataError", "Diverged", "Interrupted", "SteadyganError", "StorageError"),
    "export": ("TrainedGenerator", "load"),
    "networks": ("DCGAN", "DCGANDiscriminator", "DCGANGenerator", "Points"),
    "objectives": ("R1", "R2", "FeatureMatching", "Hinge", "NonSaturating", "Relativistic", "View"),
    "recipes": ("train",),
    "spec": ("ImageSpec",),
    "studies.compare": ("compare",),
    "training.average": ("EMA", "Average"),
    "training.config": ("Budget", "RunConfig"),
    "training.game": ("Game",),
    "training.optim": ("Adam",),
    "training.run": ("Run", "resume"),
    "training.seams": ("Fixed",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DCGAN",
    "EMA",
    "R1",
    "R2",
    "Adam",
    "AsIs",
    "Average",
    "Budget",
    "ConfigError",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DataError",
    "Dataset",
    "Diverged",
    "FeatureMatching",
    "Fixed",
    "Game",
    "Hinge",
    "ImageSpec",
    "InstanceNoise",
    "Interrupted",
    "NonSaturating",
    "Points",
    "PrepareSettings",
    "Relativistic",
    "Run",
    "RunConfig",
    "SteadyganError",
    "StorageError",
    "TorchImages",
    "TrainedGenerator",
    "View",
    "__version__",
    "compare",
    "inspect",
    "load",
    "open_dataset",
    "prepare",
    "resume",
    "save_images",
    "train",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'steadygan' has no attribute {name!r}")
    value = getattr(import_module(f"steadygan.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
