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
    from steadygan.augment import ADA, AsIs, DiffAugment, InstanceNoise
    from steadygan.data import Dataset, PrepareSettings, TorchImages, inspect, open_dataset, prepare, save_images
    from steadygan.errors import ConfigError, DataError, Diverged, Interrupted, SteadyganError, StorageError
    from steadygan.export import TrainedGenerator, load
    from steadygan.networks import (
        DCGAN,
        MSG,
        R3GAN,
        SNGAN,
        DCGANDiscriminator,
        DCGANGenerator,
        Faces256,
        Points,
        R3GANDiscriminator,
        R3GANGenerator,
        Satellite,
        SNGANDiscriminator,
        SNGANGenerator,
        Upsample,
    )
    from steadygan.objectives import (
        DRAGAN,
        L2,
        R1,
        R2,
        WGANGP,
        Consistency,
        FeatureMatching,
        Hinge,
        HistoricalAveraging,
        LeastSquares,
        LeCam,
        Minimax,
        ModeSeeking,
        NonSaturating,
        PerturbedR1,
        PerturbedR2,
        Relativistic,
        RelativisticAverage,
        View,
        Wasserstein,
        WeightClipping,
    )
    from steadygan.recipes import Facts, train
    from steadygan.runs import Run
    from steadygan.schedule import Cosine, Cyclical, Linear, WarmUp
    from steadygan.scoring import Judge, Scored, choose_reference
    from steadygan.spec import ImageSpec
    from steadygan.studies.compare import compare
    from steadygan.studies.evaluate import Evaluation, evaluate
    from steadygan.training.average import EMA, Average
    from steadygan.training.config import Budget, RunConfig
    from steadygan.training.game import Game
    from steadygan.training.opponent import Unrolled
    from steadygan.training.optim import SGD, Adam, RMSProp
    from steadygan.training.replay import History
    from steadygan.training.resuming import resume
    from steadygan.training.turns import Balanced, Fixed, Moderated

_HOMES = {
    "augment": ("ADA", "AsIs", "DiffAugment", "InstanceNoise"),
    "data": ("Dataset", "PrepareSettings", "TorchImages", "inspect", "open_dataset", "prepare", "save_images"),
    "errors": ("ConfigError", "DataError", "Diverged", "Interrupted", "SteadyganError", "StorageError"),
    "export": ("TrainedGenerator", "load"),
    "networks": (
        "DCGAN",
        "MSG",
        "R3GAN",
        "SNGAN",
        "DCGANDiscriminator",
        "DCGANGenerator",
        "Faces256",
        "Points",
        "R3GANDiscriminator",
        "R3GANGenerator",
        "SNGANDiscriminator",
        "SNGANGenerator",
        "Satellite",
        "Upsample",
    ),
    "objectives": (
        "DRAGAN",
        "L2",
        "R1",
        "R2",
        "WGANGP",
        "Consistency",
        "FeatureMatching",
        "Hinge",
        "HistoricalAveraging",
        "LeCam",
        "LeastSquares",
        "Minimax",
        "ModeSeeking",
        "NonSaturating",
        "PerturbedR1",
        "PerturbedR2",
        "Relativistic",
        "RelativisticAverage",
        "View",
        "Wasserstein",
        "WeightClipping",
    ),
    "recipes": ("Facts", "train"),
    "runs": ("Run",),
    "schedule": ("Cosine", "Cyclical", "Linear", "WarmUp"),
    "spec": ("ImageSpec",),
    "scoring": ("Judge", "Scored", "choose_reference"),
    "studies.compare": ("compare",),
    "studies.evaluate": ("Evaluation", "evaluate"),
    "training.average": ("EMA", "Average"),
    "training.config": ("Budget", "RunConfig"),
    "training.game": ("Game",),
    "training.opponent": ("Unrolled",),
    "training.optim": ("SGD", "Adam", "RMSProp"),
    "training.replay": ("History",),
    "training.resuming": ("resume",),
    "training.turns": ("Balanced", "Fixed", "Moderated"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ADA",
    "DCGAN",
    "DRAGAN",
    "EMA",
    "L2",
    "MSG",
    "R1",
    "R2",
    "R3GAN",
    "SGD",
    "SNGAN",
    "WGANGP",
    "Adam",
    "AsIs",
    "Average",
    "Balanced",
    "Budget",
    "ConfigError",
    "Consistency",
    "Cosine",
    "Cyclical",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DataError",
    "Dataset",
    "DiffAugment",
    "Diverged",
    "Evaluation",
    "Faces256",
    "Facts",
    "FeatureMatching",
    "Fixed",
    "Game",
    "Hinge",
    "HistoricalAveraging",
    "History",
    "ImageSpec",
    "InstanceNoise",
    "Interrupted",
    "Judge",
    "LeCam",
    "LeastSquares",
    "Linear",
    "Minimax",
    "ModeSeeking",
    "Moderated",
    "NonSaturating",
    "PerturbedR1",
    "PerturbedR2",
    "Points",
    "PrepareSettings",
    "R3GANDiscriminator",
    "R3GANGenerator",
    "RMSProp",
    "Relativistic",
    "RelativisticAverage",
    "Run",
    "RunConfig",
    "SNGANDiscriminator",
    "SNGANGenerator",
    "Satellite",
    "Scored",
    "SteadyganError",
    "StorageError",
    "TorchImages",
    "TrainedGenerator",
    "Unrolled",
    "Upsample",
    "View",
    "WarmUp",
    "Wasserstein",
    "WeightClipping",
    "__version__",
    "choose_reference",
    "compare",
    "evaluate",
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
