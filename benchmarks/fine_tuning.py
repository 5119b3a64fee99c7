"""What a start from a trained run gains on few images: scratch, fine-tuned and with frozen layers, at equal minutes.

    python benchmarks/fine_tuning.py --data cifar --size 32 --target horse --minutes 4 --source-minutes 20
    python benchmarks/fine_tuning.py --data aerial --size 64 --target Pond --from runs/benchmarks/fine_tuning/source

Of one class of a labelled set `--few` images, always the same ones, are trained on and a third as many held out; all
its others are the reals that the distance of `distance.py` is to. The source is a run on all other classes, without
their labels: it is trained first, once, unless `--from` names one. Every competitor has the same recipe, in a fresh
process, one after another; what `minutes.py` says of time and load holds here. Variety is that of `distance.py`: near 0
if a few images are repeated; `memorised` is steadygan's own score. A line of OUT/fine_tuning/results.jsonl each, and a
grid beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from distance import Judge, alone, arguments, make_judge, open_set
from minutes import free, judge_recipe, train_recipe
from PIL import Image

import steadygan as sg
from steadygan.data import Dataset
from steadygan.rundir import append_line
from steadygan.visual.grid import save_grid

_HELD_OUT = 0.25


def parts_of(options: argparse.Namespace, folder: Path) -> dict[str, Dataset]:
    """Three sets: all images of other classes, few of the target class, and the rest of that."""
    whole = open_set(options.data, options.size, options.out / "data")
    if whole.labels is None or options.target not in whole.class_names:
        raise SystemExit(f"--target {options.target}: the set has the classes {', '.join(whole.class_names)}")
    wanted = np.flatnonzero(whole.labels == whole.class_names.index(options.target))
    few = np.sort(np.random.default_rng(0).permutation(wanted)[: round(options.few / (1 - _HELD_OUT))])
    chosen = {
        f"others-than-{options.target}": np.setdiff1d(np.arange(len(whole)), wanted),
        f"few-{options.few}-{options.target}": few,
        f"rest-{options.few}-{options.target}": np.setdiff1d(wanted, few),
    }
    return {
        name.partition("-")[0]: _written(whole, numbers, folder / f"{Path(options.data).stem}-{options.size}-{name}")
        for name, numbers in chosen.items()
    }


def _written(whole: Dataset, numbers: Iterable[int], folder: Path) -> Dataset:
    """Some images of a set as one of its own, without labels."""
    pictures = folder / "pictures"
    if not (folder / "set").exists():
        pictures.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            Image.fromarray(whole.images[number].squeeze()).save(pictures / f"{number:06d}.png")
    return sg.prepare(pictures, folder / "set", sg.PrepareSettings(size=whole.spec.size, held_out=_HELD_OUT))


def competitors(source: Path, freeze: list[int]) -> dict[str, dict[str, Any]]:
    """Settings by name."""
    start = {"start": {"source": str(source)}}
    frozen = {f"fine-tuned, {k} layers frozen": {**start, "freeze": {"discriminator": k}} for k in freeze}
    return {"scratch": {}, "fine-tuned": start, **frozen}


def compete(
    options: argparse.Namespace, name: str, settings: dict[str, Any], few: Path, judge: Judge
) -> dict[str, Any]:
    """Train one in its own process, then judge it in this one."""
    out, load = free(options.out / "fine_tuning", f"{name} seed{settings['seed']}"), os.getloadavg()[0]
    trained = alone(train_recipe, few, out, options.recipe, options.minutes, settings, 0, options.rate)
    judged = judge_recipe(judge, trained, curve=False)
    found: dict[str, Any] = {"competitor": name, "seed": settings["seed"], "load": load, "floor": judge.floor}
    found |= {"images": trained.images, "seconds": trained.seconds, "diverged": trained.diverged, **judged.distances}
    if judged.images is not None:
        save_grid(judged.images[:64], out.with_name(f"{out.name}.png"))
        found["variety"] = judge.variety(judged.images)
        [score] = sg.evaluate(out, few, metrics=["memorised"], checkpoint="latest").scores
        found["memorised"] = score.value
    return found


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: of each competitor medians over its seeds, and the range of its latest distance."""
    columns = ("latest", "best", "variety", "memorised")
    lines = [
        "| competitor | seeds | images seen | latest (range) | best | variety | memorised |",
        "|" + "---|" * 7,
    ]
    for name in dict.fromkeys(result["competitor"] for result in results):
        mine = [result for result in results if result["competitor"] == name]
        judged = [result for result in mine if "latest" in result]
        medians = [f"{statistics.median(r[column] for r in judged):.3f}" if judged else "" for column in columns]
        ends = [result["latest"] for result in judged]
        medians[0] += f" ({min(ends):.3f} to {max(ends):.3f})" if ends else ""
        seen = statistics.median(result["images"] for result in mine)
        lines.append(f"| {name} | {len(mine)} | {seen:,.0f} | {' | '.join(medians)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="cifar", help="a set with class folders: cifar, aerial, or a path")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--target", default="horse", help="the class that there are few images of")
    parser.add_argument("--few", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--source-minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=0.0, metavar="R", help="count 60 R images as a minute")
    parser.add_argument("--from", dest="source", type=Path, help="a run on other images; none is trained then")
    parser.add_argument("--freeze", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--recipe", default="steady")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments(parser)
    options = parser.parse_args()
    folder = options.out / "fine_tuning"
    sets = parts_of(options, folder)
    judge, source = make_judge(options, sets["rest"]), options.source
    if (
        source is None
        and not (source := folder / f"source-{Path(options.data).stem}-{options.size}-{options.target}").exists()
    ):
        alone(train_recipe, sets["others"].path, source, options.recipe, options.source_minutes, {}, 0, options.rate)
    print(
        f"{len(sets['few'].training)} images to train on, {judge.count:,} to judge by, floor {judge.floor:.3f}",
        flush=True,
    )
    results = []
    for seed in options.seeds:
        for name, settings in competitors(source, options.freeze).items():
            results.append(compete(options, name, {**settings, "seed": seed}, sets["few"].path, judge))
            append_line(folder / "results.jsonl", json.dumps(results[-1]))
            print(results[-1], flush=True)
    print("\n" + table(results))


if __name__ == "__main__":
    main()
