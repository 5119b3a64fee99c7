"""How often a recipe fails when learning rate, batch, number of images and kind of image are not those it was made for.

    python benchmarks/steadiness.py --recipe steady --images 30000 --size 32
    python benchmarks/steadiness.py --recipe dcgan --runs 0 1 2
    python benchmarks/steadiness.py --strong --set care.kind=treat
    python benchmarks/steadiness.py --table

Twenty short runs of as many images seen, one after another, each in a fresh process: every learning rate (a quarter
to four times the recipe's, of both players) with every batch (16 to 128); the number of images (300 to 5,000) and the
set follow a Latin square, so that each rate and each batch meets all of them. The design is fixed; `--check` proves
that. `--strong` makes twenty others, in which every factor is one that nobody should choose: learning rates times 4, 8
and 16, a batch of 4, one player eight times as wide as the other, 100 images.

How a run ended, the first of these that holds:

- diverged: steadygan stopped it because a value was not finite;
- collapsed: the nearest of 512 generated images are less than 0.3 times as far apart as the nearest of 512 reals
  (`Judge.variety`), which is also true of a run that has hardly begun: the largest variety of its earlier
  checkpoints tells them apart;
- fell back: the distance at the end is more than 1.5 times that of its best kept checkpoint;
- well: none of these, which says nothing about how good the images are. The distance does, and `shown`, that of the
  checkpoint which `sample` would take.

Distances are those of `distance.py`, to the reals of the whole set, not only to those trained on.
"""

from __future__ import annotations

import argparse
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from distance import SETS, Judge, alone, arguments, make_judge, open_set
from minutes import Trained, free, label, points_of, train_images
from pydantic import BaseModel

import steadygan as sg
from steadygan.config import merge, parse_assignment
from steadygan.networks import DCGAN, Pair
from steadygan.recipes import plan
from steadygan.rundir import append_line
from steadygan.spec import ImageSpec
from steadygan.training.sampling import rows

RATES = (0.25, 0.5, 1.0, 2.0, 4.0)
BATCHES = (16, 32, 64, 128)
COUNTS = (300, 800, 2000, 5000)
WIDER = ("none", "generator", "discriminator")
_COLLAPSED = 0.3
_FELL_BACK = 1.5
_MEASURED = ("distance", "/ best", "floor", "variety", "earlier")
_LEVELS = ("start", "end", "value", "low", "high")  # of a schedule, where a learning rate is one


class Setting(NamedTuple):
    """One of the runs: its factor of the learning rates, its batch, its number of images, its set, its wider player."""

    rate: float
    batch: int
    reals: int
    data: str
    wider: str = "none"


class Lopsided(DCGAN):
    """A DCGAN of which one player has an eighth of the other's width."""

    wider: str = "discriminator"

    def build(self, spec: ImageSpec) -> Pair:
        wide = DCGAN(**self.model_dump(exclude={"wider"}) | {"width": 64})
        usual, narrow = wide.build(spec), wide.model_copy(update={"width": 8}).build(spec)
        if self.wider == "generator":
            return Pair(usual.generator, narrow.discriminator)
        return Pair(narrow.generator, usual.discriminator)


class Outcome(BaseModel):
    """A line of the file. `curve` holds images seen, distance and variety of each kept checkpoint, oldest first."""

    recipe: str
    budget: int
    size: int
    classifier: str
    number: int
    setting: Setting
    trained_on: int
    images: int
    diverged: str
    curve: list[tuple[int, float, float]]
    floor: float
    swd: float | None
    shown: float | None = None
    strong: bool = False
    acts: list[str] = []

    @property
    def conditions(self) -> tuple[str, int, int, str, bool]:
        """What the runs of one table have in common."""
        return self.recipe, self.budget, self.size, self.classifier, self.strong

    @property
    def fall(self) -> float:
        """The last distance as a multiple of the best one."""
        return self.curve[-1][1] / min(distance for _, distance, _ in self.curve)

    @property
    def verdict(self) -> str:
        if self.diverged or not self.curve:
            return "diverged"
        if self.curve[-1][2] < _COLLAPSED:
            return "collapsed"
        return "fell back" if self.fall > _FELL_BACK else "well"


def design(sets: list[str], seed: int = 0) -> list[Setting]:
    """Every rate with every batch; counts and sets run along both diagonals. The seed shuffles levels and order."""
    rng = random.Random(seed)
    rates, batches = rng.sample(RATES, len(RATES)), rng.sample(BATCHES, len(BATCHES))
    counts, data = rng.sample(COUNTS, len(COUNTS)), rng.sample(sets, len(sets))
    runs = [
        Setting(rate, batch, counts[(row + column) % len(counts)], data[(row + 2 * column) % len(data)])
        for row, rate in enumerate(rates)
        for column, batch in enumerate(batches)
    ]
    return rng.sample(runs, len(runs))


def strong(sets: list[str]) -> list[Setting]:
    """Every harsh rate with a batch of 4 and of 32 and each wider player; two at the recipe's own rates."""
    harsh = [(rate, batch, wider) for rate in (4.0, 8.0, 16.0) for batch in (4, 32) for wider in WIDER]
    every = [*harsh, (1.0, 4, "none"), (1.0, 32, "discriminator")]
    return [
        Setting(rate, batch, (100, 2000)[(number + number // 6) % 2], sets[(number + number // 3) % 3], wider)
        for number, (rate, batch, wider) in enumerate(every)
    ]


def check(sets: list[str]) -> None:
    """Hold the design against what is said of it."""
    runs = design(sets)
    pairs: dict[str, tuple[set[Any], int]] = {
        "rate and batch": ({(run.rate, run.batch) for run in runs}, len(RATES) * len(BATCHES)),
        "rate and count": ({(run.rate, run.reals) for run in runs}, len(RATES) * len(COUNTS)),
        "batch and count": ({(run.batch, run.reals) for run in runs}, len(BATCHES) * len(COUNTS)),
        "rate and set": ({(run.rate, run.data) for run in runs}, len(RATES) * len(sets)),
        "batch and set": ({(run.batch, run.data) for run in runs}, len(BATCHES) * len(sets)),
        "count and set": ({(run.reals, run.data) for run in runs}, len(COUNTS) * len(sets)),
    }
    for name, (found, expected) in pairs.items():
        print(f"{name}: {len(found)} of {expected}")
        if len(found) < expected:
            raise SystemExit(f"the design lacks some of {name}")
    if len(runs) != 20 or runs != design(sets) or len(set(strong(sets))) != 20:
        raise SystemExit("the design is not the same twenty runs each time")
    for levels in zip(*runs, strict=True):
        print(dict(Counter(levels)))


def scaled(rate: Any, factor: float) -> Any:
    """A learning rate, number or dumped schedule, times a factor."""
    if isinstance(rate, dict):
        return {name: value * factor if name in _LEVELS else value for name, value in rate.items()}
    return rate * factor


def settings_of(options: argparse.Namespace, setting: Setting, data: Path) -> dict[str, Any]:
    """The settings of a run: the user's, with both learning rates multiplied and the batch replaced."""
    given = merge({"seed": options.seed}, *map(parse_assignment, options.set))
    usual = plan(data, options.recipe, given)[0].dump()
    rates = {player: {"lr": scaled(one["lr"], setting.rate)} for player, one in usual["optimizer"].items()}
    chosen = merge(given, {"batch": setting.batch, "optimizer": rates})
    if setting.wider == "none":
        return chosen
    return chosen | {"networks": Lopsided(**usual["networks"], wider=setting.wider)}


def run_one(options: argparse.Namespace, number: int, setting: Setting, judge: Judge) -> Outcome:
    """Train in a process of its own, then judge every checkpoint that was kept."""
    dataset = open_set(setting.data, options.size, options.out / "data", setting.reals)
    name = label(options.recipe, options.set)
    out = free(options.out / "steadiness", f"{name} {number:02d}")
    settings = settings_of(options, setting, dataset.path)
    every = {"keep": 10 * options.points, "every_images": options.images // options.points}
    settings = merge({"checkpoint": every}, settings)
    trained: Trained = alone(train_images, dataset.path, out, options.recipe, options.images, settings)
    run, curve = sg.Run(out), []
    own = plan(dataset.path, options.recipe, settings)[0] if setting.wider != "none" else None
    for images, generator in points_of(out, own):
        pictures = rows(generator.sample(judge.count))
        curve.append((images, judge(pictures), judge.variety(pictures)))
    best = sg.load(out, recipe=own).about["images"] if curve else None
    if not options.keep:
        shutil.rmtree(run.files.checkpoints, ignore_errors=True)
    scores = [score.value for score in run.scores() if score.metric == "swd"]
    return Outcome(
        recipe=name,
        budget=options.images,
        size=options.size,
        classifier=judge.digest,
        number=number,
        setting=setting,
        trained_on=len(dataset.training),
        images=trained.images,
        diverged=trained.diverged,
        curve=curve,
        floor=judge.floor,
        swd=scores[-1] if scores else None,
        shown=next((distance for images, distance, _ in curve if images == best), None),
        strong=options.strong,
        acts=[f"{one.images}: {one.rule}: {one.evidence}" for one in run.findings() if one.rule.startswith("care-")],
    )


def table(outcomes: list[Outcome]) -> str:
    """Markdown, a table for each recipe and budget; of one run the newest outcome counts."""
    groups: dict[tuple[Any, ...], dict[int, Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.conditions, {})[outcome.number] = outcome
    return "\n\n".join(_table([group[number] for number in sorted(group)]) for group in groups.values())


def _table(outcomes: list[Outcome]) -> str:
    first, ended = outcomes[0], Counter(outcome.verdict for outcome in outcomes)
    counts = ", ".join(f"{number} {verdict}" for verdict, number in ended.most_common())
    lines = [
        f"`{first.recipe}`, {first.budget:,} images each at {first.size} pixels: of {len(outcomes)} runs {counts}",
        "",
        f"| run | lr | batch | wider | images | set | seen | ended | {' | '.join(_MEASURED)} | swd | shown | acts |",
        "|" + "---|" * 16,
    ]
    return "\n".join([*lines, *map(_row, outcomes)])


def _row(outcome: Outcome) -> str:
    setting, curve = outcome.setting, outcome.curve
    swd = "" if outcome.swd is None else f"{outcome.swd:.3f}"
    measured = [""] * 5
    if curve:
        earlier = f"{max(variety for _, _, variety in curve[:-1]):.2f}" if curve[:-1] else ""
        last = f"{curve[-1][1]:.2f}", f"{outcome.fall:.2f}", f"{outcome.floor:.2f}", f"{curve[-1][2]:.2f}"
        measured = [*last, earlier]
    cells = [
        f"{outcome.number}", f"×{setting.rate:g}", f"{setting.batch}", setting.wider, f"{outcome.trained_on:,}",
        Path(setting.data).stem, f"{outcome.images:,}", outcome.verdict, *measured, swd,
        "" if outcome.shown is None else f"{outcome.shown:.2f}", f"{len(outcome.acts)}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="prove the design and leave")
    parser.add_argument("--recipe", default="steady", help="NAME, FILE.toml or FILE.py:FUNCTION")
    parser.add_argument("--sets", nargs=3, default=list(SETS), metavar="SET", help=f"{', '.join(SETS)}, or paths")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--images", type=int, default=30_000, help="that each run sees")
    parser.add_argument("--points", type=int, default=6, help="checkpoints a run keeps, about")
    parser.add_argument("--runs", type=int, nargs="+", default=range(20), help="only these of the twenty, from 0")
    parser.add_argument("--seed", type=int, default=0, help="of each run; the design does not depend on it")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="for steadygan; repeatable")
    parser.add_argument("--strong", action="store_true", help="the twenty that nobody should choose")
    parser.add_argument("--keep", action="store_true", help="leave the checkpoints of the runs on disk")
    parser.add_argument("--table", action="store_true", help="print the tables of all outcomes and leave")
    arguments(parser)
    parser.set_defaults(count=2000)
    options = parser.parse_args()
    file = options.out / "steadiness.jsonl"
    if options.check:
        check(options.sets)
        return
    if not options.table:
        judges: dict[str, Judge] = {}
        for number in options.runs:
            setting = (strong if options.strong else design)(options.sets)[number]
            if setting.data not in judges:
                everything = open_set(setting.data, options.size, options.out / "data")
                judges[setting.data] = make_judge(options, everything)
            outcome = run_one(options, number, setting, judges[setting.data])
            append_line(file, outcome.model_dump_json())
            print(_row(outcome), flush=True)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    outcomes = [Outcome.model_validate_json(line) for line in lines]
    print("\n" + table(outcomes))


if __name__ == "__main__":
    main()
