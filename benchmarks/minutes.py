"""Quality per minute on the same cores: the DCGAN loop every tutorial has against steadygan's recipes.

    python benchmarks/minutes.py --data cifar --size 32 --minutes 4 --seeds 0 1 2
    python benchmarks/minutes.py --data aerial --size 64 --limit 1000 --minutes 10 --curve 5
    python benchmarks/minutes.py --only steady --set optimizer.generator.lr=1e-3 --set batch=64
    python benchmarks/minutes.py --table --plot minutes.png

The textbook is `textbook_step`: float32, NCHW, eager, width 64, batch 64, N(0, 0.02) weights, Adam 2e-4 with beta1
0.5; its images wait in memory. steadygan is `steadygan.train(..., recipe=..., minutes=...)` with all that it does
besides. Every competitor trains in a fresh process, one after another, on the same prepared images without those
held out, and only training time counts: for steadygan all that happens inside its loop, pictures and checkpoints
included, for the textbook its updates and batches alone. Neither pays for starting up and for its first step.

Both are judged by the distance of `distance.py`: the textbook in evaluation mode as everyone samples and in training
mode, steadygan by the averaged generator of its latest and of its best checkpoint. With `--limit N` all train on the
same N images of the set, and the reals they are judged by are those of the whole set that none of them trained on; the
share of pictures that are nearer to a training image than 99 of 100 such reals are (`memorised`) stands beside it, 0.01
by chance. `--curve N` judges N moments of each run, for `--plot`.

Results are lines of OUT/minutes.jsonl; the textbook's are used again where everything that matters is equal, so that a
variant costs its own time only. Figures mean something on an otherwise idle machine only: `load` says what else ran.
With `--rate R`, the images a second that a competitor was seen to train on the idle machine, its minutes are counted in
images instead, 60 R to each, and what else runs does not matter.
"""

from __future__ import annotations

import argparse
import copy
import os
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from distance import SETS, Images, Judge, alone, arguments, features_of, make_judge, open_set, unseen_by
from pydantic import BaseModel, ConfigDict

import steadygan as sg
from steadygan.config import merge, parse_assignment
from steadygan.data import Dataset
from steadygan.metrics.neighbours import memorised
from steadygan.networks import DCGAN
from steadygan.ops.images import from_uint8
from steadygan.rundir import append_line
from steadygan.studies.bench_step import textbook_step
from steadygan.training.sampling import rows
from steadygan.visual.grid import save_grid

TEXTBOOK = "textbook"
_BATCH = 64
_TRIAL_MINUTES = 0.1


class Trained(NamedTuple):
    """What a competitor leaves: where, after how many images and seconds, how it computed, why it stopped early."""

    path: Path
    images: int
    seconds: float
    precision: str
    diverged: str = ""


class Judged(NamedTuple):
    """Sampled images, distances by what they are of, images seen and distance along the way."""

    images: Images | None
    distances: dict[str, float]
    curve: list[tuple[int, float]]


class Conditions(BaseModel):
    """What must be equal before two results may be compared."""

    model_config = ConfigDict(frozen=True)

    data: str
    digest: str
    size: int
    minutes: float
    cpus: int
    classifier: str
    count: int
    limit: int | None = None


class Result(BaseModel):
    """A line of the file: one run of one competitor. `curve` holds images seen and distance."""

    conditions: Conditions
    competitor: str
    seed: int
    images: int
    seconds: float
    precision: str
    diverged: str
    distances: dict[str, float]
    curve: list[tuple[int, float]]
    floor: float
    memorised: float | None = None
    load: float
    rate: float = 0.0
    torch: str


def train_textbook(data: Path, out: Path, minutes: float, seed: int, points: int, rate: float = 0.0) -> Trained:
    """The textbook's loop; its generator is saved `points` times, evenly in time and off the clock."""
    dataset, networks = sg.open_dataset(data), DCGAN(width=64)
    torch.manual_seed(seed)
    pixels = torch.from_numpy(dataset.images[dataset.training]).permute(0, 3, 1, 2).contiguous()
    real = torch.zeros(_BATCH, *pixels.shape[1:])
    textbook_step(real, networks.latent_dim, networks.build(dataset.spec))()  # the first step, which is not counted
    pair = networks.build(dataset.spec)
    update = textbook_step(real, networks.latent_dim, pair)
    seconds, images, reached = 0.0, 0, 0
    while seconds < 60 * minutes:
        start = time.perf_counter()
        real.copy_(from_uint8(pixels[torch.randint(len(pixels), (_BATCH,))]))
        update()
        images += _BATCH
        seconds = images / rate if rate else seconds + time.perf_counter() - start
        if (share := int(points * seconds / (60 * minutes))) > reached:
            reached = share
            generator = copy.deepcopy(pair.generator)
            about = {"recipe": TEXTBOOK, "images": images}
            settings = networks.model_dump(mode="json")
            kept = sg.TrainedGenerator(generator, settings, dataset.spec, networks.latent_dim, about)
            kept.save(out / f"images-{images:09d}.safetensors")
    return Trained(out, images, seconds, "float32")


def train_recipe(
    data: Path, out: Path, recipe: str, minutes: float, settings: dict[str, Any], points: int, rate: float = 0.0
) -> Trained:
    """A run of steadygan; with `points` it keeps about so many checkpoints, evenly in time."""
    if points and (seen := rate or _rate(data, recipe, settings)):
        every = {"keep": 10 * points, "every_images": max(1, round(60 * minutes * seen / points))}
        settings = merge({"checkpoint": every}, settings)
    if not rate:
        return _trained(data, out, recipe, settings, minutes=minutes)
    trained = train_images(data, out, recipe, round(60 * minutes * rate), settings)
    return trained._replace(seconds=trained.images / rate)


def train_images(data: Path, out: Path, recipe: str, images: int, settings: dict[str, Any]) -> Trained:
    """A run of steadygan of so many images."""
    return _trained(data, out, recipe, settings, images=images)


def _trained(data: Path, out: Path, recipe: str, settings: dict[str, Any], **budget: float) -> Trained:
    problem = ""
    try:
        sg.train(data, recipe, out, settings=merge(settings, {"budget": budget}))
    except sg.Diverged as diverged:
        problem = str(diverged)
    run = sg.Run(out)
    images, seconds = next(((tick.images, tick.seconds) for tick in reversed(run.log())), (0, 0.0))
    return Trained(out, images, seconds, run.info().config["runtime"]["precision"], problem)


def _rate(data: Path, recipe: str, settings: dict[str, Any]) -> float:
    """Images per second in a short run; 0 if it diverged before it had told."""
    with tempfile.TemporaryDirectory() as folder:
        run = sg.Run(Path(folder) / "run")
        with suppress(sg.Diverged):
            sg.train(data, recipe, run.path, minutes=_TRIAL_MINUTES, settings=settings)
        log = run.log()
    return log[-1].images / log[-1].seconds if log else 0.0


def points_of(run: Path, recipe: sg.RunConfig | None = None) -> Iterator[tuple[int, sg.TrainedGenerator]]:
    """Images seen and averaged generator of each checkpoint that a run kept, oldest first."""
    for folder in sg.Run(run).files.all_checkpoints():
        generator = sg.load(folder, recipe=recipe)
        yield generator.about["images"], generator


def memorised_share(judge: Judge, dataset: Dataset, images: Images, reals: Images) -> float:
    """Share of pictures nearer to a training image, in the judge's features, than 99 of 100 unseen reals are."""
    return memorised(
        *(features_of(judge.classifier, rows) for rows in (images, dataset.images[dataset.training], reals))
    )


def judge_textbook(judge: Judge, trained: Trained, curve: bool) -> Judged:
    """Its last generator in both modes."""
    kept = [sg.load(path) for path in sorted(trained.path.glob("*.safetensors"))]
    points = [(one.about["images"], judge(rows(one.sample(judge.count)))) for one in kept[:-1] if curve]
    images = rows(kept[-1].sample(judge.count))
    distances = {"evaluation mode": judge(images)}
    points += [(trained.images, distances["evaluation mode"])] if curve else []
    kept[-1].generator.train()
    distances["training mode"] = judge(rows(kept[-1].sample(judge.count, batch=_BATCH)))
    return Judged(images, distances, points)


def judge_recipe(judge: Judge, trained: Trained, curve: bool) -> Judged:
    """Its latest and its best checkpoint; a run that diverged before its first one leaves nothing to judge."""
    if not sg.Run(trained.path).files.latest.exists():
        return Judged(None, {}, [])
    pictures = {which: rows(sg.load(trained.path, which).sample(judge.count)) for which in ("latest", "best")}
    distances = {which: judge(images) for which, images in pictures.items()}
    points = [(seen, judge(rows(one.sample(judge.count)))) for seen, one in points_of(trained.path)] if curve else []
    return Judged(pictures["latest"], distances, points)


def compete(options: argparse.Namespace, name: str, seed: int, data: Path, judge: Judge, unseen: Images) -> Result:
    """Train one competitor in its own process, then judge it in this one; `unseen` are reals nobody trained on."""
    competitor = label(name, options.set)
    few = f"-{options.limit}" if options.limit else ""
    stem = f"{Path(options.data).stem}{few} {options.size} {options.minutes:g}min {competitor} seed{seed}"
    out = free(options.out / "minutes", stem)
    load = os.getloadavg()[0]
    if name == TEXTBOOK:
        trained = alone(train_textbook, data, out, options.minutes, seed, options.curve or 1, options.rate)
        judged = judge_textbook(judge, trained, options.curve > 0)
    else:
        settings = merge({"seed": seed}, *map(parse_assignment, options.set))
        trained = alone(train_recipe, data, out, name, options.minutes, settings, options.curve, options.rate)
        judged = judge_recipe(judge, trained, options.curve > 0)
    copies = None
    if judged.images is not None:
        save_grid(judged.images[:64], out.with_name(f"{out.name}.png"))
        copies = memorised_share(judge, sg.open_dataset(data), judged.images, unseen)
    return Result(
        conditions=conditions_of(options, judge, data),
        competitor=competitor,
        seed=seed,
        images=trained.images,
        seconds=round(trained.seconds, 2),
        precision=trained.precision,
        diverged=trained.diverged,
        distances=judged.distances,
        curve=judged.curve,
        floor=judge.floor,
        memorised=copies,
        load=load,
        rate=options.rate,
        torch=torch.__version__,
    )


def label(name: str, settings: list[str]) -> str:
    """A competitor's name in file and table; the textbook has no settings."""
    return name if name == TEXTBOOK else " ".join([name, *settings])


def free(folder: Path, name: str) -> Path:
    """A path in `folder` that is not there yet, by a name of any characters, with a number if need be."""
    stem, number = re.sub(r"[^\w.=-]+", "-", name)[-150:], 1
    while (found := folder / (f"{stem}-{number}" if number > 1 else stem)).exists():
        number += 1
    return found


def conditions_of(options: argparse.Namespace, judge: Judge, data: Path) -> Conditions:
    return Conditions(
        data=options.data,
        digest=sg.open_dataset(data).digest[:12],
        size=options.size,
        minutes=options.minutes,
        cpus=len(os.sched_getaffinity(0)),
        classifier=judge.digest,
        count=judge.count,
        limit=options.limit,
    )


def read(path: Path) -> list[Result]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Result.model_validate_json(line) for line in lines]


def table(results: list[Result]) -> str:
    """Markdown, one table for each set of conditions; of one competitor with one seed the newest result counts."""
    groups: dict[Conditions, dict[tuple[str, int], Result]] = defaultdict(dict)
    for result in results:
        groups[result.conditions][result.competitor, result.seed] = result
    return "\n\n".join(_table(conditions, list(group.values())) for conditions, group in groups.items())


def _table(conditions: Conditions, results: list[Result]) -> str:
    c, floor = conditions, statistics.median(result.floor for result in results)
    few = f"{c.limit:,} images of " if c.limit else ""
    where = f"{few}{c.data} at {c.size} pixels, {c.minutes:g} minutes on {c.cpus} cores"
    how = f"{c.count:,} images against as many, floor {floor:.3f}, classifier {c.classifier}"
    lines = [
        f"{where}, {how}, load at the start up to {max(result.load for result in results):.1f}",
        "",
        "| competitor | judged | seeds | images seen | distance, median (range) | against the textbook | memorised |",
        "|---|---|---|---|---|---|---|",
    ]
    of_textbook = [r.distances["evaluation mode"] for r in results if r.competitor == TEXTBOOK]
    for competitor in dict.fromkeys(result.competitor for result in results):
        mine = [result for result in results if result.competitor == competitor]
        seen = statistics.median(result.images for result in mine)
        diverged = sum(bool(result.diverged) for result in mine)
        seeds = f"{len(mine)}, {diverged} diverged" if diverged else f"{len(mine)}"
        names = dict.fromkeys(name for result in mine for name in result.distances)
        if not names:
            lines.append(f"| {competitor} | nothing to judge | {seeds} | {seen:,.0f} | | | |")
        copies = [result.memorised for result in mine if result.memorised is not None]
        for place, name in enumerate(names):
            values = [result.distances[name] for result in mine if name in result.distances]
            median = statistics.median(values)
            ratio = f"**{median / statistics.median(of_textbook):.3f}**" if of_textbook else ""
            spread = f"{median:.3f} ({min(values):.3f} to {max(values):.3f})"
            copied = f"{max(copies):.3f}" if copies and not place else ""
            lines.append(f"| {competitor} | {name} | {seeds} | {seen:,.0f} | {spread} | {ratio} | {copied} |")
    return "\n".join([*lines, *map(_descent, (result for result in results if result.curve))])


def _descent(result: Result) -> str:
    """How smoothly the distance fell: the largest rise above the best so far, as a ratio."""
    values = [distance for _, distance in result.curve]
    worst = max(value / min(values[: place + 1]) for place, value in enumerate(values))
    points = ", ".join(f"{images:,}: {distance:.3f}" for images, distance in result.curve)
    return f"\n{result.competitor}, seed {result.seed}: at most {worst:.2f} times the best before; {points}"


def plot(results: list[Result], path: Path) -> None:
    """Distance against minutes, one panel for each set of conditions, one colour for each competitor, all seeds."""
    import matplotlib.pyplot as plt

    groups: dict[Conditions, list[Result]] = defaultdict(list)
    for result in results:
        if result.curve:
            groups[result.conditions].append(result)
    if not groups:
        raise SystemExit("no result has a curve; train with --curve N")
    names = list(dict.fromkeys(result.competitor for result in results))
    figure, axes = plt.subplots(1, len(groups), figsize=(5 * len(groups), 4), squeeze=False, layout="constrained")
    for axis, (conditions, group) in zip(axes[0], groups.items(), strict=True):
        few = f"{conditions.limit:,} of " if conditions.limit else ""
        axis.set(title=f"{few}{conditions.data}, {conditions.size} px", xlabel="minutes of training", yscale="log")
        for result in group:
            took = min(result.seconds / 60, conditions.minutes)  # counted in images it may have taken longer
            minutes = [images / result.images * took for images, _ in result.curve]
            colour = f"C{names.index(result.competitor)}"
            axis.plot(minutes, [distance for _, distance in result.curve], "o-", color=colour, label=result.competitor)
        axis.axhline(statistics.median(result.floor for result in group), color="grey", linestyle=":", label="floor")
        handles = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
        axis.legend(handles.values(), handles.keys())
    axes[0][0].set_ylabel("distance to unseen images")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="cifar", help=f"{', '.join(SETS)}, or a path")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--recipes", nargs="+", default=["steady"], help="NAME, FILE.toml or FILE.py:FUNCTION")
    parser.add_argument("--only", metavar=f"{TEXTBOOK}|RECIPE", help="train this one; others come from the file")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="for steadygan; repeatable")
    parser.add_argument("--curve", type=int, default=0, metavar="N", help="also judge about N moments of each run")
    parser.add_argument("--limit", type=int, metavar="N", help="train on so many images of the set")
    parser.add_argument("--rate", type=float, default=0.0, metavar="R", help="count 60 R images as a minute")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw all results that have a curve")
    parser.add_argument("--table", action="store_true", help="print the tables of all results and leave")
    arguments(parser)
    options = parser.parse_args()
    file = options.out / "minutes.jsonl"
    if options.plot:
        plot(read(file), options.plot)
    if options.table or options.plot:
        print(table(read(file)))
        return
    full = open_set(options.data, options.size, options.out / "data")
    dataset = open_set(options.data, options.size, options.out / "data", options.limit) if options.limit else full
    judge, unseen = make_judge(options, full, dataset), unseen_by(dataset, full)
    here = conditions_of(options, judge, dataset.path)
    names = [options.only] if options.only else [TEXTBOOK, *options.recipes]
    for seed in options.seeds:
        # in turn, so that a drifting machine treats all alike
        for name in names:
            result = _once(options, name, seed, dataset.path, judge, unseen)
            found = ", ".join(f"{distance:.3f} {name}" for name, distance in result.distances.items())
            how = f"{result.images:,} images in {result.seconds:.0f} s, {result.precision}"
            print(
                f"{result.competitor}, seed {seed}: {how}: {found}, {result.memorised or 0:.3f} memorised"
                f"{result.diverged}",
                flush=True,
            )
    print("\n" + table([result for result in read(file) if result.conditions == here]))


def _once(options: argparse.Namespace, name: str, seed: int, data: Path, judge: Judge, unseen: Images) -> Result:
    """A competitor's result: a new one, appended to the file, or for the textbook one that is there."""
    file, here = options.out / "minutes.jsonl", conditions_of(options, judge, data)
    if name == TEXTBOOK:
        same = [r for r in read(file) if (r.conditions, r.competitor, r.seed) == (here, TEXTBOOK, seed)]
        if usable := [result for result in same if len(result.curve) >= options.curve]:
            return usable[-1]
    result = compete(options, name, seed, data, judge, unseen)
    append_line(file, result.model_dump_json())
    return result


if __name__ == "__main__":
    main()
