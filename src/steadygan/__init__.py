"""steadygan: point it at a folder of images; it trains a GAN steadily and says what is going wrong.

    import steadygan as sg

    run = sg.train("photos/", images=200_000, out="runs/a")
    images = sg.load("runs/a").sample(64, seed=0)

A name is public if it stands in the `__all__` of one of the homes below. Homes are loaded when a name is first asked
for, in this order, those without torch first, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from steadygan.version import __version__ as __version__

_HOMES = (
    *("errors", "spec", "part", "schedule", "records", "runs.run"),
    *(
        "data.dataset",
        "data.settings",
        "data.pictures",
        "data.inspection",
        "data.making",
        "report.write",
        "studies.compare",
        "studies.doctor",
    ),
    *("data.loader", "networks", "networks.choices", "networks.norms", "networks.resampling", "augment", "features"),
    *("objectives.base", "objectives.gradients", "objectives.lecam", "objectives.losses", "objectives.penalties"),
    *("objectives.perturbation", "objectives.terms", "objectives.view", "objectives.weights"),
    *("scoring.base", "scoring.metrics", "scoring.reference", "scoring.judge", "training.average", "training.optim"),
    *("training.turns", "training.replay", "training.opponent", "training.game", "training.config"),
    *(
        "recipes.facts",
        "recipes.start",
        "export",
        "export.inversion",
        "export.projection",
        "studies.evaluate",
        "studies.audit",
        "studies.turing",
        "studies.ablation.ablate",
    ),
)

if TYPE_CHECKING:  # the same homes, for type checkers and editors
    from steadygan.augment import *
    from steadygan.data.dataset import *
    from steadygan.data.inspection import *
    from steadygan.data.loader import *
    from steadygan.data.making import *
    from steadygan.data.pictures import *
    from steadygan.data.settings import *
    from steadygan.errors import *
    from steadygan.export import *
    from steadygan.export.inversion import *
    from steadygan.export.projection import *
    from steadygan.features import *
    from steadygan.networks import *
    from steadygan.networks.choices import *
    from steadygan.networks.norms import *
    from steadygan.networks.resampling import *
    from steadygan.objectives.base import *
    from steadygan.objectives.gradients import *
    from steadygan.objectives.lecam import *
    from steadygan.objectives.losses import *
    from steadygan.objectives.penalties import *
    from steadygan.objectives.perturbation import *
    from steadygan.objectives.terms import *
    from steadygan.objectives.view import *
    from steadygan.objectives.weights import *
    from steadygan.part import *
    from steadygan.recipes.facts import *
    from steadygan.recipes.start import *
    from steadygan.records import *
    from steadygan.report.write import *
    from steadygan.runs.run import *
    from steadygan.schedule import *
    from steadygan.scoring.base import *
    from steadygan.scoring.judge import *
    from steadygan.scoring.metrics import *
    from steadygan.scoring.reference import *
    from steadygan.spec import *
    from steadygan.studies.ablation.ablate import *
    from steadygan.studies.audit import *
    from steadygan.studies.compare import *
    from steadygan.studies.doctor import *
    from steadygan.studies.evaluate import *
    from steadygan.studies.turing import *
    from steadygan.training.average import *
    from steadygan.training.config import *
    from steadygan.training.game import *
    from steadygan.training.opponent import *
    from steadygan.training.optim import *
    from steadygan.training.replay import *
    from steadygan.training.turns import *
else:

    def __getattr__(name: str) -> Any:
        """A public name, from the first home that has it; or all of them, as `__all__` (PEP 562)."""
        if name == "__all__":
            return __dir__()
        hidden = name.startswith("_") or find_spec(f"{__name__}.{name}")  # a room is for `import` to find
        for home in () if hidden else _HOMES:
            module = import_module(f"{__name__}.{home}")
            if name in module.__all__:
                return globals().setdefault(name, getattr(module, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return ["__version__", *(name for home in _HOMES for name in import_module(f"{__name__}.{home}").__all__)]
