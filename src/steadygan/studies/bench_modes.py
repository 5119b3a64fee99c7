"""How many modes of a data set a recipe recovers: the same test for every technique, against published figures."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from steadygan.config import merge
from steadygan.data import Dataset, PrepareSettings, prepare, prepare_cached
from steadygan.data.builtin import Glyphs, Ring, modes_recovered, parse_builtin
from steadygan.data.builtin.stacked import stack, triples, write_stacked
from steadygan.doctor.audit.plan import DEFAULT_IMAGES
from steadygan.errors import ConfigError, DataError, Diverged
from steadygan.metrics.modes import Classifier, mode_divergence, modes_hit, nearest_modes, shares
from steadygan.networks import Points, classes_of, latents_of
from steadygan.recipes import Facts, configure
from steadygan.runs import Run
from steadygan.training import checkpoint
from steadygan.training.build import open_data
from steadygan.training.check import check
from steadygan.training.config import Budget, RunConfig
from steadygan.training.console import Silent
from steadygan.training.restoring import rebuilt, with_weights
from steadygan.training.run import train
from steadygan.training.runtime import choose_device
from steadygan.training.sampling import generate, labels_in_turn, rows
from steadygan.training.seeds import fixed_latents
from steadygan.visual.points import points

Images = NDArray[np.uint8]

_STACKS = Glyphs.default_count
_PICTURES = 10_000
_BATCH = 256


class ModesScore(BaseModel):
    """Of some samples: modes with at least one, KL(generated ‖ data) in nats, share of high quality (points only)."""

    modes: int
    kl: float
    high_quality: float | None = None


class Trial(BaseModel):
    """A recipe trained with one seed, scored by its averaged generator; without a score if it diverged."""

    recipe: str
    seed: int
    images: int
    seconds: float
    score: ModesScore | None


class Spread(BaseModel):
    """Mean and standard deviation (n - 1) over the seeds; 0 of one seed."""

    mean: float
    std: float


class Summary(BaseModel):
    """A recipe over its seeds; the runs that `diverged` are in no mean."""

    recipe: str
    runs: int
    diverged: int
    modes: Spread | None
    kl: Spread | None
    high_quality: Spread | None


class PublishedModes(BaseModel):
    """A figure from a paper: other networks, data and budgets, so an orientation and no more."""

    name: str
    modes: float
    kl: float | None = None
    high_quality: float | None = None
    source: str


class ModesReport(BaseModel):
    """What `bench modes` prints. `perfect` is the score of as many samples of the data themselves.

    `accuracy` is that of the classifier of one channel on pictures it was not trained on.
    """

    data: str
    modes: int
    samples: int
    divergence: Literal["KL(generated ‖ data), nats"] = "KL(generated ‖ data), nats"
    accuracy: float | None
    perfect: ModesScore
    recipes: list[Summary]
    trials: list[Trial]
    published: tuple[PublishedModes, ...]


_VEEGAN = "Srivastava et al. (2017), arXiv:1705.07761, table {}"
_HUANG = "Huang et al. (2024), arXiv:2501.05441"

PUBLISHED_RING = (
    PublishedModes(name="GAN", modes=1, high_quality=0.993, source=_VEEGAN.format(1)),
    PublishedModes(name="ALI", modes=2.8, high_quality=0.0013, source=_VEEGAN.format(1)),
    PublishedModes(name="Unrolled GAN", modes=7.6, high_quality=0.356, source=_VEEGAN.format(1)),
    PublishedModes(name="VEEGAN", modes=8, high_quality=0.529, source=_VEEGAN.format(1)),
)
PUBLISHED_STACKED = (
    PublishedModes(name="DCGAN", modes=99, kl=3.40, source=_VEEGAN.format(2)),
    PublishedModes(name="Unrolled GAN", modes=48.7, kl=4.32, source=_VEEGAN.format(2)),
    PublishedModes(name="VEEGAN", modes=150, kl=2.95, source=_VEEGAN.format(2)),
    PublishedModes(name="PacDCGAN2", modes=1000, kl=0.06, source="Lin et al. (2018), arXiv:1712.04086, table 2"),
    PublishedModes(name="WGAN-GP", modes=959, source=_HUANG),
    PublishedModes(name="R3GAN", modes=1000, source=_HUANG),
)


@dataclass(frozen=True)
class RingTest:
    """Points on a ring of Gaussians: 2,500 samples, of high quality within three standard deviations of a middle.

    Srivastava et al. (2017), section 5.1. The KL counts every sample where it is nearest, near or not.
    """

    source: str
    ring: Ring
    accuracy: None = None

    samples: ClassVar[int] = 2_500
    published: ClassVar[tuple[PublishedModes, ...]] = PUBLISHED_RING

    @property
    def modes(self) -> int:
        return self.ring.modes

    def adapted(self, config: RunConfig) -> RunConfig:
        return as_ring(config)

    def score(self, images: Images) -> ModesScore:
        places = points(images)
        modes, share = modes_recovered(places, self.ring)
        even = np.full(self.modes, 1 / self.modes)
        return ModesScore(
            modes=modes,
            kl=round(mode_divergence(nearest_modes(places, self.ring.centres()), even), 4),
            high_quality=round(share, 4),
        )

    def perfect(self, samples: int) -> Images:
        """Points that no run is trained on."""
        return self.ring.draw_many(self.ring.default_count, samples)[0]


@dataclass(frozen=True, eq=False)
class StackedTest:
    """Three pictures in the channels and a mode for each triple of classes: 25,600 samples, told by a classifier.

    Metz et al. (2017), section 3.3.1, arXiv:1611.02163. `pictures` are the single ones with their labels; the data's
    share of a mode is the product of the shares of its three classes. One sample makes a mode, so that mistakes of the
    classifier can: at 99 % per channel a generator of 125 modes seemed to have 235; the KL hardly moves by them.
    """

    source: str
    pictures: Dataset
    classifier: Classifier

    samples: ClassVar[int] = 25_600
    published: ClassVar[tuple[PublishedModes, ...]] = PUBLISHED_STACKED

    @property
    def accuracy(self) -> float:
        return self.classifier.accuracy

    @property
    def modes(self) -> int:
        return self.classifier.classes**3

    def adapted(self, config: RunConfig) -> RunConfig:
        return config.model_copy(update={"size": self.pictures.spec.size})

    def score(self, images: Images) -> ModesScore:
        modes = self.classifier.stacked_modes(images)
        return ModesScore(modes=modes_hit(modes), kl=round(mode_divergence(modes, self._shares()), 4))

    def _shares(self) -> NDArray[np.float64]:
        labels = self.pictures.labels
        assert labels is not None
        single = shares(labels, self.classifier.classes)
        return np.einsum("a,b,c->abc", single, single, single).ravel()

    def perfect(self, samples: int) -> Images:
        """New stacks of the pictures; all of them, since the shares of the classes differ in a part."""
        return stack(self.pictures.images[..., 0], triples(samples, len(self.pictures), seed=1))


ModesTest = RingTest | StackedTest


def as_ring(config: RunConfig) -> RunConfig:
    """A recipe for points: its networks become `Points`, all else stays, learning rates included.

    For recipes that do not choose so themselves. What a recipe owes to its networks, such as a spectral norm, is lost;
    what it owes to loss, penalties, turns, opponent, replay and optimizers is what the ring compares.
    """
    networks = config.networks if isinstance(config.networks, Points) else Points()
    return config.model_copy(update={"networks": networks, "size": None})


def open_test(data: str, folder: Path, size: int = 32) -> ModesTest:
    """The test that `ring`, `stacked-glyphs` or a path means; a set that must be written is written into `folder`.

    A path names labelled grey pictures, such as the idx file of MNIST's images beside that of its labels; they are
    brought to `size` pixels and stacked at random. Raises ConfigError for other data, DataError for pictures without
    labels or that cannot be told apart.
    """
    if data in ("ring", "stacked-glyphs"):
        data = f"builtin:{data}"
    if not data.startswith("builtin:"):
        pictures = prepare_cached(data, PrepareSettings(size=size, channels="grey", held_out=0.2))
        classifier = _classifier(pictures)
        write_stacked(pictures.images[..., 0], folder / "stacked-idx4-ubyte", _STACKS)
        stacks = prepare(folder / "stacked-idx4-ubyte", folder / "stacked", PrepareSettings(size=size, channels="rgb"))
        return StackedTest(str(stacks.path.absolute()), pictures, classifier)
    chosen = parse_builtin(data)
    if isinstance(chosen, Ring):
        return RingTest(data, chosen)
    if isinstance(chosen, Glyphs) and chosen.stacked:
        pictures = prepare_cached("builtin:glyphs", PrepareSettings(size=size, limit=_PICTURES, held_out=0.2))
        return StackedTest(data, pictures, _classifier(pictures))
    raise ConfigError(f"{data} has no modes to count; choose ring, stacked-glyphs or the path of an idx file of digits")


def _classifier(pictures: Dataset) -> Classifier:
    if pictures.labels is None:
        raise DataError(f"{pictures.path} has no labels to tell modes by; give the idx file with its labels beside it")
    return Classifier(np.array(pictures.images[..., 0]), np.array(pictures.labels), pictures.held_out)


def bench_modes(
    data: str,
    recipes: Sequence[str | RunConfig],
    seeds: Iterable[int] = range(3),
    budget: Budget | None = None,
    samples: int | None = None,
    settings: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> ModesReport:
    """Train each recipe with each seed under one budget, and count the modes of its averaged generator.

    `data` as `open_test` takes it; the budget is 200,000 images unless given. `settings` are laid over every recipe;
    `size` among them, 32 by default, is that of stacked pictures. On the ring every recipe plays with points. Runs are
    kept in `folder` as RECIPE-SEED, if one is given. What can be refused is refused before the first run; one that
    diverges is counted, and the others go on. `say` is told of each run that ends.

    A generator that jumps from mode to mode has an average that lies between them; `ema.half_life_images` 0 shows
    the generator itself, as the older papers do.
    """
    settings, seeds, budget = dict(settings or {}), list(seeds), budget or Budget(images=DEFAULT_IMAGES)
    with nullcontext(folder) if folder else tempfile.TemporaryDirectory() as kept:
        place = Path(kept)
        test = open_test(data, place, int(settings.pop("size", None) or 32))
        count = samples or test.samples
        trials = []
        for config, dataset in _entrants(test, recipes, settings, budget):
            for seed in seeds:
                out = place / f"{_name(config)}-{seed}"
                trials.append(_trial(test, config.model_copy(update={"seed": seed}), dataset, count, out))
                say(_sentence(trials[-1], test.modes))
        return ModesReport(
            data=data,
            modes=test.modes,
            samples=count,
            accuracy=test.accuracy,
            perfect=test.score(test.perfect(count)),
            recipes=[_summary(name, trials) for name in dict.fromkeys(trial.recipe for trial in trials)],
            trials=trials,
            published=test.published,
        )


def _entrants(
    test: ModesTest, recipes: Sequence[str | RunConfig], settings: Mapping[str, Any], budget: Budget
) -> list[tuple[RunConfig, Dataset]]:
    """Every recipe as it will be trained, told the facts as by `steadygan train`, and its images."""
    whole = {"budget": budget.model_dump(exclude_none=True), "data": {"mirror": False}}  # a mirrored digit is none
    layers = merge(whole, settings)
    found = [_configured(test, recipe, layers, budget) for recipe in recipes]
    names = [_name(config) for config, _ in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"two recipes are called {twice[0]}; give each a name of its own")
    return found


def _configured(
    test: ModesTest, recipe: str | RunConfig, layers: Mapping[str, Any], budget: Budget
) -> tuple[RunConfig, Dataset]:
    first = test.adapted(configure(test.source, recipe, layers))
    dataset = open_data(first, Silent())
    form, device = dataset.spec.model_dump(), choose_device(first.runtime.device)
    facts = Facts(**form, images=len(dataset.training), device=device, budget_images=budget.images)
    config = test.adapted(configure(test.source, recipe, layers, facts))
    check(config, dataset.spec, 1)
    return config, dataset


def _name(config: RunConfig) -> str:
    """`dcgan` of the recipe dcgan, `mine-small` of `path/mine.py:small`."""
    file, _, function = config.recipe.partition(":")
    return "-".join(part for part in (Path(file).stem, function) if part)


def _trial(test: ModesTest, config: RunConfig, dataset: Dataset, samples: int, out: Path) -> Trial:
    score = None
    try:
        train(config, out, Silent(), dataset)
        score = test.score(_samples(Run(out), config, dataset, samples))
    except Diverged:
        pass  # the trial without a score says so
    ticks = Run(out).log()
    images, seconds = (ticks[-1].images, ticks[-1].seconds) if ticks else (0, 0.0)
    return Trial(recipe=config.recipe, seed=config.seed, images=images, seconds=round(seconds, 1), score=score)


def _samples(run: Run, config: RunConfig, dataset: Dataset, count: int) -> Images:
    """Pictures (N, H, W, C) from the averaged generator at the end of a run, on the device it was trained on."""
    saved = checkpoint.load(run.checkpoint("latest"), ("average",))
    generator = with_weights(rebuilt(config.networks, dataset.spec).generator, saved["average"], run.path).eval()
    generator.to(run.info().device.device)
    latents = fixed_latents(range(count), latents_of(config.networks), config.seed, "modes")
    return rows(generate(generator, latents, *labels_in_turn(range(count), classes_of(generator)), batch=_BATCH))


def _summary(recipe: str, trials: Sequence[Trial]) -> Summary:
    own = [trial.score for trial in trials if trial.recipe == recipe]
    scores = [score for score in own if score]
    return Summary(
        recipe=recipe,
        runs=len(own),
        diverged=len(own) - len(scores),
        modes=_spread([score.modes for score in scores]),
        kl=_spread([score.kl for score in scores]),
        high_quality=_spread([score.high_quality for score in scores if score.high_quality is not None]),
    )


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    std = statistics.stdev(values) if len(values) > 1 else 0.0
    return Spread(mean=round(statistics.mean(values), 4), std=round(std, 4))


def _sentence(trial: Trial, modes: int) -> str:
    what = f"{trial.score.modes:,} of {modes:,} modes, KL {trial.score.kl:.3f}" if trial.score else "diverged"
    return f"{trial.recipe}, seed {trial.seed}: {what} after {trial.images:,} images, {trial.seconds:,.0f} s"
