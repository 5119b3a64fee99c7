"""What care is worth: trainings that fail by their settings, and what each way of caring makes of them.

    python benchmarks/care.py --sets aerial cifar --recipes dcgan wgan-gp steady
    python benchmarks/care.py --arms watch keep treat --ills none
    python benchmarks/care.py --table
    python benchmarks/care.py --replay runs/a runs/b

Every run sees as many images as the others of its set and recipe, small and short: `--images` of `--size` pixels.
`none` is the run that is well. Beside `watch`, `keep` and `treat` stand two that a remedy must beat to be worth its
code: `random`, which is `treat` with remedies drawn from one list whatever was found, and `restart`, which begins anew
with fresh weights and other batches whenever `treat` would try something.

Its score is that of its best checkpoint, by the score that picks it. A run has failed if that is more than 1.5 times
the well run's, or if it diverged before it had one; a failed one is rescued where it has not under another arm.
`--replay` says of runs that are over where `keep` would have ended them, beside their best checkpoint.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distance import alone, open_set
from doctor import DATA
from minutes import free
from pydantic import BaseModel

import steadygan as sg
from steadygan.care import Act, Changes, Keep, Moment, RollBack, Stop, Treat
from steadygan.care.treat import Treating, calming
from steadygan.config import merge
from steadygan.doctor.case import case_of
from steadygan.networks import DCGAN, Pair
from steadygan.recipes import configure, plan
from steadygan.records import Finding
from steadygan.rundir import append_line
from steadygan.spec import ImageSpec
from steadygan.training.console import Silent
from steadygan.training.run import train

ARMS = ("watch", "keep", "treat", "random", "restart")
RECIPES = ("dcgan", "wgan-gp", "steady")
_TURNS = {"wgan-gp": 2.5}  # five turns of the critic a step, and the images of each are counted
_SMALL = {"batch": 16, "networks": {"width": 16}, "scores": {"metrics": ()}}
_FAILED = 1.5  # times the score of the run that is well


class WideDiscriminator(DCGAN):
    """A DCGAN whose discriminator is eight times as wide as its generator."""

    def build(self, spec: ImageSpec) -> Pair:
        wide = DCGAN(**self.model_dump() | {"width": 8 * self.width}).build(spec)
        return Pair(DCGAN(**self.model_dump()).build(spec).generator, wide.discriminator)


def rates(config: Mapping[str, Any], generator: float, discriminator: float) -> dict[str, Any]:
    """Learning rates times these factors."""
    factors = {"generator": generator, "discriminator": discriminator}
    return {
        "optimizer": {one: {"lr": config["optimizer"][one]["lr"] * factor} for one, factor in factors.items()},
    }


def ills(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What can be set so that a training fails, by name, as settings laid over its own."""
    beta = {one: {"beta1": 0.9} for one in ("generator", "discriminator")}
    found = {
        "none": {},
        **{f"rates x{factor}": rates(config, factor, factor) for factor in (64, 256, 1024)},
        "generator's rate x256": rates(config, 256, 1),
        "discriminator's rate x64": rates(config, 1, 64),
        "discriminator far faster": rates(config, 1 / 16, 16),
        "rates / 256": rates(config, 1 / 256, 1 / 256),
        "momentum, rates x8": merge(rates(config, 8, 8), {"optimizer": beta}),
        "no penalties, rates x8": merge(rates(config, 8, 8), {"penalties": []}),
        "batch of 4": {"batch": 4},
        "penalty too large": {"penalties": [*config["penalties"], {"kind": "l2", "weight": 10.0}]},
    }
    if config["networks"]["kind"] == "dcgan":
        found["discriminator of 8 times the width"] = {"networks": WideDiscriminator(**config["networks"])}
    if config["loss"]["kind"] == "non_saturating":
        found["saturating loss, rates x8"] = merge(rates(config, 1, 8), {"loss": {"kind": "minimax"}, "penalties": []})
    return found


class Random(Treating):
    """As `treat`, with remedies that have nothing to do with what was found."""

    def remedies(self, moment: Moment, finding: Finding) -> Iterator[Changes]:
        found = [one for one in calming(moment.case) if moment.allowed(one)]
        yield from random.Random(f"{moment.images} {finding.rule}").sample(found, len(found))


class Restart(Treating):
    """As `treat`, but it only begins anew."""

    def base(self, moment: Moment) -> int | None:
        return None

    def remedies(self, moment: Moment, finding: Finding) -> Iterator[Changes]:
        yield from [{}] * self.settings.tries

    def set_back(self, moment: Moment) -> Act:
        return RollBack(None, moment.changes, moment.broken)


class Told(BaseModel):
    """A line of the file: what was done to which run, and what came of it. `score` is that of its best checkpoint."""

    path: Path
    data: str
    recipe: str
    seed: int
    ill: str
    arm: str
    images: int
    size: int
    seconds: float
    ended: str
    score: float | None
    last: float | None
    acts: list[str]

    @property
    def cell(self) -> tuple[Any, ...]:
        """What it is compared within."""
        return self.data, self.recipe, self.seed, self.size


def play(data: Path, out: Path, recipe: str, seed: int, images: int, ill: str, arm: str) -> Told:
    """Train one run, in this process, which should do nothing else."""
    for name, policy in (("random", Random), ("restart", Restart)):
        if arm == name:
            Treat.build = lambda self, policy=policy: policy(self)  # type: ignore[method-assign, misc] # in this process
    cadence = {
        "log": {"every_images": images // 100},
        "checkpoint": {"every_images": images // 15},
        "samples": {"every_images": images // 2},
        "doctor": {"every_images": images // 20},
        "care": {"kind": arm if arm in ("watch", "keep") else "treat"},
        "seed": seed,
        "budget": {"images": images},
    }
    config, dataset = plan(data, recipe, merge(_SMALL, cadence))
    config, dataset = plan(data, recipe, merge(_SMALL, cadence, ills(config.dump())[ill]))
    ended = ""
    try:
        train(config, out, Silent(), dataset)
    except sg.Diverged as problem:
        ended = str(problem)
    run = sg.Run(out)
    picked = [one.value for one in run.scores() if one.metric == "fd-training"]
    log = run.log()
    return Told(
        path=out,
        data="",
        recipe=recipe,
        seed=seed,
        ill=ill,
        arm=arm,
        images=images,
        size=dataset.spec.size,
        seconds=log[-1].seconds if log else 0.0,
        ended=ended,
        score=min(picked, default=None),
        last=picked[-1] if picked else None,
        acts=[f"{one.images}: {one.rule}: {one.evidence}" for one in run.findings() if one.rule.startswith("care-")],
    )


def read(folder: Path) -> list[Told]:
    """All that has been done so far."""
    file = folder / "care.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [Told.model_validate_json(line) for line in lines]


def one(options: argparse.Namespace, data: str, recipe: str, seed: int, ill: str, arm: str) -> Told | None:
    """A run in a process of its own, unless it is there; None if it could not be made, which is said."""
    key = (data, recipe, seed, options.size, ill, arm)
    for told in read(options.out):
        if (*told.cell, told.ill, told.arm) == key:
            return told
    dataset = open_set(DATA[data], options.size, options.out / "data")
    out = free(options.out / "care", f"{ill} {arm} {data} {options.size} {recipe} seed{seed}")
    try:
        images = int(options.images * _TURNS.get(recipe, 1))
        told = alone(play, dataset.path, out, recipe, seed, images, ill, arm)
    except sg.SteadyganError as problem:
        print(f"{out.name}: not made: {problem}", flush=True)
        return None
    told = told.model_copy(update={"data": data})
    append_line(options.out / "care.jsonl", told.model_dump_json())
    print(f"{out.name}: {told.score} in {told.seconds:.0f} s, {len(told.acts)} acts {told.ended[:50]}", flush=True)
    return told


def failed(told: Told, well: Told) -> bool:
    """Whether its best pictures are far from those of the run that is well."""
    return told.score is None or well.score is None or told.score > _FAILED * well.score


def table(all_told: Sequence[Told]) -> str:
    """Markdown: of the runs that fail when they are only watched, how many each arm rescues; then each of them."""
    at = {(*told.cell, told.ill, told.arm): told for told in all_told}
    lost = [
        told
        for told in all_told
        if told.arm == "watch" and (well := at.get((*told.cell, "none", "watch"))) and failed(told, well)
    ]
    lines = ["| arm | failing runs | rescued | times the well run's score, median | acts a run |", "|" + "---|" * 5]
    for arm in ARMS:
        mine = [(told, at[*one.cell, "none", "watch"]) for one in lost if (told := at.get((*one.cell, one.ill, arm)))]
        if not mine:
            continue
        saved = sum(not failed(told, well) for told, well in mine)
        times = [told.score / well.score if told.score and well.score else float("inf") for told, well in mine]
        acts = statistics.mean(len(told.acts) for told, _ in mine)
        share = f"{saved} ({saved / len(mine):.0%})"
        lines.append(f"| {arm} | {len(mine)} | {share} | {statistics.median(times):.2f} | {acts:.1f} |")
    lines += ["", f"| ill | set, recipe, seed | well | {' | '.join(ARMS)} |", "|" + "---|" * (3 + len(ARMS))]
    for told in lost:
        row = [at.get((*told.cell, told.ill, arm)) for arm in ARMS]
        shown = ["" if one is None else f"{one.score:.3g}" if one.score else "none" for one in row]
        well = at[*told.cell, "none", "watch"].score
        lines.append(f"| {told.ill} | {told.data}, {told.recipe}, {told.seed} | {well:.3g} | {' | '.join(shown)} |")
    ended = [told for told in all_told if any("care-ended" in act for act in told.acts)]
    lines += ["", f"Ended early: {', '.join(told.path.name for told in ended) or 'none'}"]
    return "\n".join(lines)


def replayed(run: sg.Run) -> str:
    """When the best came, and when `keep` would have ended the run, deciding at each scored checkpoint."""
    case, policy = case_of(run), Keep().build()
    picked = case["scores.fd-training"]
    parts = [(int(at), replace(case.until(int(at)), budget_images=case.budget_images)) for at in picked.images]
    ends = next((at for at, part in parts if isinstance(policy.decide(Moment(at, part)), Stop)), None)
    best = int(picked.images[picked.values.argmin()])
    ended = f"ended after {ends:,}" if ends else "never ended"
    return f"{run.path.name}: best after {best:,} of {case.images:,} images, {len(picked)} scores, {ended}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--ills", nargs="+", metavar="NAME", help="these alone; all by default")
    parser.add_argument("--sets", nargs="+", default=list(DATA))
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--images", type=int, default=16_000, help="that each run sees")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--table", action="store_true", help="print what came of all runs so far, and leave")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"), help="folder of all that is written")
    parser.add_argument("--replay", nargs="+", type=Path, metavar="RUN", help="where keep would have ended these runs")
    options = parser.parse_args()
    if options.replay:
        print("\n".join(replayed(sg.Run(path)) for path in options.replay))
        return
    if options.table:
        print(table(read(options.out)))
        return
    for seed in options.seeds:
        for data in options.sets:
            for recipe in options.recipes:
                well = one(options, data, recipe, seed, "none", "watch")
                known = ills(configure(DATA[data], recipe, {"size": options.size}).dump())
                for ill in options.ills or known:
                    watched = one(options, data, recipe, seed, ill, "watch")
                    if well is None or watched is None or (ill != "none" and not failed(watched, well)):
                        continue
                    for arm in options.arms if ill != "none" else sorted({*options.arms} & {*ARMS[:3]}):
                        one(options, data, recipe, seed, ill, arm)


if __name__ == "__main__":
    main()
