"""How often the doctor is right: trainings that are well but for one fault, and trainings that are well.

    python benchmarks/doctor.py --healthy --out runs/benchmarks
    python benchmarks/doctor.py --faults
    python benchmarks/doctor.py --table

Each fault of `faults.py` is tried on some of three sets of images by three families of recipes, small and short: 32
pixels, `--images` each. The cells of (set, recipe) where their numbers sum to an even one have set the thresholds; the
others are only reported. Healthy runs are of all recipes that make such images, on the same sets.

A run leaves its records, and a line in OUT/doctor.jsonl that says what was done to it; `--table` lets the doctor read
those records as it does of a run long past, so that a changed rule needs no new runs. `--without-audit` leaves out what
can be said before the first step. Noticed is a fault of which a warning or worse is given after it struck; its cause is
named if the first of all findings, in the order in which they are shown, is among its `causes`. Faster learning that
did no harm, beside the healthy run of the same set, recipe and seed, is no fault and left out. Beside it stand three
rules that people go by, with the same ticks.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from distance import SETS, alone, open_set
from faults import FAULTS, Fault
from minutes import free
from pydantic import BaseModel

import steadygan as sg
from steadygan.config import merge
from steadygan.doctor.case import Case, case_of
from steadygan.doctor.rule import ranked, story
from steadygan.doctor.rules import RULES
from steadygan.recipes import RECIPES, configure, plan
from steadygan.records import Finding
from steadygan.rundir import append_line
from steadygan.training.console import Silent
from steadygan.training.run import train
from steadygan.training.session import Session

FASHION = SETS["aerial"].parent / "fashion-mnist-20k.zip"
DATA = {"aerial": str(SETS["aerial"]), "cifar": str(SETS["cifar"]), "fashion": str(FASHION)}
FAMILIES = ("dcgan", "wgan-gp", "steady")
SIZE = 32
_TRUE = {"few-steps"}  # said of every run that is as short as these, and true: it is not counted
_LONGER = {"wgan-gp": 2.5}  # five turns of the critic a step, and the images of each are counted
_SMALL = {
    "doctor": {"most_time": 0.2},
    "checkpoint": {"every_images": 4000},
}

Half = Literal["tuned", "reported"]


class Told(BaseModel):
    """A line of the file: what was done to which run. `seconds` are those of training."""

    path: Path
    data: str
    recipe: str
    seed: int
    fault: str = ""
    images: int
    onset_images: int = 0
    seconds: float
    ended: str = ""

    @property
    def half(self) -> Half:
        """Whether thresholds were set on this cell."""
        if self.recipe not in FAMILIES:  # healthy runs of other recipes: by turns
            return "tuned" if (list(DATA).index(self.data) + list(RECIPES).index(self.recipe)) % 2 == 0 else "reported"
        number = list(DATA).index(self.data) + FAMILIES.index(self.recipe)
        return "tuned" if number % 2 == 0 else "reported"


class Injector(Silent):
    """Lets a fault act between two steps."""

    def __init__(self, fault: Fault, onset_images: int) -> None:
        self.fault, self.onset_images, self.struck = fault, onset_images, False

    def step(self, session: Session) -> None:
        if session.progress.images < self.onset_images:
            return
        if self.fault.strike and not self.struck:
            self.fault.strike(session)
        self.struck = True
        if self.fault.each:
            self.fault.each(session)


def play(data: Path, out: Path, recipe: str, seed: int, images: int, name: str, small: dict[str, Any]) -> Told:
    """Train one run, with a fault or without, in this process, which should do nothing else."""
    fault = next((one for one in FAULTS if one.name == name), Fault("", ()))
    settings = merge(_SMALL, small, {"seed": seed, "budget": {"images": images}}, dict(fault.settings))
    config, dataset = plan(data, recipe, settings)
    if fault.penalties:
        settings["penalties"] = [*config.dump()["penalties"], *fault.penalties]
        config, dataset = plan(data, recipe, settings)
    onset, ended = int(fault.onset * images), ""
    if fault.at_start:
        fault.at_start()
    try:
        train(config, out, Injector(fault, onset), dataset)
    except sg.Diverged as problem:
        ended = str(problem)
    log = sg.Run(out).log()
    return Told(
        path=out,
        data="",
        recipe=recipe,
        seed=seed,
        fault=name,
        images=images,
        onset_images=onset,
        seconds=log[-1].seconds if log else 0.0,
        ended=ended,
    )


def one(options: argparse.Namespace, data: str, recipe: str, seed: int, fault: Fault | None) -> None:
    """A run in a process of its own, unless it is there; that it could not be made is said, and none is made up."""
    name, limit = (fault.name, fault.limit) if fault else ("", None)
    if any((told.fault, told.data, told.recipe, told.seed) == (name, data, recipe, seed) for told in read(options.out)):
        return
    dataset = open_set(DATA[data], SIZE, options.out / "data", limit)
    out = free(options.out / "doctor", f"{name or 'well'} {data} {recipe} seed{seed}")
    small = {"batch": 16, "networks": {"width": 16}} if recipe in FAMILIES else {}
    try:
        images = int(options.images * _LONGER.get(recipe, 1))
        told = alone(play, dataset.path, out, recipe, seed, images, name, small)
    except sg.SteadyganError as problem:
        print(f"{out.name}: not made: {problem}", flush=True)
        return
    append_line(options.out / "doctor.jsonl", told.model_copy(update={"data": data}).model_dump_json())
    print(f"{out.name}: {told.seconds:.0f} s {told.ended[:60]}", flush=True)


def read(folder: Path) -> list[Told]:
    """All that has been done so far."""
    file = folder / "doctor.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [Told.model_validate_json(line) for line in lines]


def tries(names: Sequence[str], each: int, kept: Sequence[Half], seed: int) -> list[tuple[Fault, str, str]]:
    """Faults, sets and families in the order in which they are tried; `each` cells of every half kept, for every fault.

    Which cells goes round with the faults and seeds, and the first ones of all faults come first.
    """
    cells = [(data, recipe) for data in DATA for recipe in FAMILIES]
    halves = {"tuned": cells[0::2], "reported": cells[1::2]}
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    return [
        (fault, *halves[half][(FAULTS.index(fault) + 2 * turn + seed) % len(halves[half])])
        for turn in range(each)
        for half in kept
        for fault in chosen
    ]


def findings_of(told: Told, audit: bool) -> tuple[Case, list[Finding]]:
    """The case of a run, and what the doctor finds in its records, most serious first, causes before the rest."""
    run = sg.Run(told.path)
    case = case_of(run)
    stored = [one for one in run.findings() if one.rule == "not-finite" or (audit and one.step == 0)]
    known = {one.rule for one in stored}
    stored = [one for one in stored if one.rule not in _TRUE]
    return case, ranked([*stored, *(one for one in story(case, RULES) if one.rule not in known)], RULES)


def _first(case: Case, hit: Callable[[Case], Any]) -> int | None:
    """Images seen at the first tick that a rule people go by fires at."""
    where = np.flatnonzero(hit(case))
    return int(case["loss_d"].images[where[0]]) if len(where) else None


def _rising(case: Case) -> Any:
    """|loss_g| at twice the highest of its first tenth, and above the mean of the last three ticks."""
    values = np.abs(case["loss_g"].values)
    start = values[: max(3, len(values) // 10)].max(initial=0.0)
    return (values > 2 * start) & (np.arange(len(values)) > len(values) // 10)


SIMPLE: dict[str, Callable[[Case], int | None]] = {
    "loss_d < 0.05": lambda case: _first(case, lambda c: c["loss_d"].values < 0.05),
    "abs(loss_g) doubled": lambda case: _first(case, _rising),
    "accuracy of D > 0.95": lambda case: _first(
        case, lambda c: np.minimum(c["accuracy_real"].values, c["accuracy_fake"].values) > 0.95
    ),
}


def harmless(told: Told, others: Sequence[Told]) -> bool:
    """Whether a fault that may help did, by the score that picks the best, beside the run that is well."""
    if not any(fault.may_help for fault in FAULTS if fault.name == told.fault):
        return False
    well = next(
        (one for one in others if not one.fault and one.model_dump(include=_CELL) == told.model_dump(include=_CELL)),
        None,
    )
    if well is None:
        return False
    last, usual = (case_of(sg.Run(one.path))["scores.fd-training"].last for one in (told, well))
    return last <= _AS_GOOD * usual


_CELL = {"data", "recipe", "seed"}
_AS_GOOD = 1.1  # times the score of the run that is well


class Verdict(BaseModel):
    """What one judge said of one run: warnings or worse, how many are serious, when the first came, which it was."""

    noticed: bool
    named: bool
    delay: float | None
    serious: int
    warnings: int
    first: str = ""


def judged(told: Told, audit: bool) -> dict[str, Verdict]:
    """The doctor's verdict and those of the simple rules."""
    case, findings = findings_of(told, audit)
    causes = next((fault.causes for fault in FAULTS if fault.name == told.fault), ())
    grave = [one for one in findings if one.severity != "info"]
    after = [one for one in grave if one.images >= told.onset_images or one.step == 0]
    when = min((one.images for one in after), default=None)
    first = after[0].rule if after else ""
    verdicts = {
        "doctor": Verdict(
            noticed=bool(after),
            named=first in causes,
            delay=None if when is None else max(when - told.onset_images, 0) / told.images,
            serious=sum(one.severity == "serious" for one in grave),
            warnings=sum(one.severity == "warning" for one in grave),
            first=first or (findings[0].rule if findings else ""),
        )
    }
    for name, rule in SIMPLE.items():
        at = rule(case)
        late = None if at is None or at < told.onset_images else at
        delay = None if late is None else (late - told.onset_images) / told.images
        verdicts[name] = Verdict(
            noticed=late is not None, named=False, delay=delay, serious=0, warnings=int(at is not None)
        )
    return verdicts


def table(all_told: Sequence[Told], audit: bool) -> str:
    """Markdown: both halves, then each fault by itself, then every healthy run that got a warning."""
    unharmed = [told for told in all_told if harmless(told, all_told)]
    all_told = [told for told in all_told if told not in unharmed]
    verdicts = {told.path: judged(told, audit) for told in all_told}
    lines = [
        "| half | judge | faults | noticed | cause named | median delay | healthy | serious | warnings | an hour |",
        "|" + "---|" * 10,
    ]
    for half in ("reported", "tuned"):
        broken = [one for one in all_told if one.fault and one.half == half]
        well = [one for one in all_told if not one.fault and one.half == half]
        hours = sum(one.seconds for one in well) / 3600
        for judge in ("doctor", *SIMPLE):
            ill, healthy = ([verdicts[one.path][judge] for one in group] for group in (broken, well))
            delays = [one.delay for one in ill if one.delay is not None]
            named = _share(one.named for one in ill) if judge == "doctor" else ""
            median = f"{statistics.median(delays):.2f}" if delays else ""
            serious, warnings = (sum(getattr(one, kind) for one in healthy) for kind in ("serious", "warnings"))
            per_run = f"{serious / max(1, len(healthy)):.2f} | {warnings / max(1, len(healthy)):.2f}"
            lines.append(
                f"| {half} | {judge} | {len(ill)} | {_share(one.noticed for one in ill)} | {named} | {median} "
                f"| {len(healthy)} | {per_run} | {(serious + warnings) / max(hours, 1e-9):.1f} |"
            )
    lines += ["", "| fault | runs | noticed | cause named | delay | found first |", "|" + "---|" * 6]
    for fault in FAULTS:
        mine = [verdicts[one.path]["doctor"] for one in all_told if one.fault == fault.name]
        if not mine:
            continue
        delays = [one.delay for one in mine if one.delay is not None]
        found = ", ".join(f"{name or 'nothing'} {count}" for name, count in _counted(one.first for one in mine))
        median = f"{statistics.median(delays):.2f}" if delays else ""
        lines.append(
            f"| {fault.name} | {len(mine)} | {_share(one.noticed for one in mine)} "
            f"| {_share(one.named for one in mine)} | {median} | {found} |"
        )
    lines += ["", "Left out, as their pictures are no worse: " + ", ".join(told.path.name for told in unharmed)]
    lines += ["", "| healthy run | half | found |", "|---|---|---|"]
    for told in all_told:
        grave = [one for one in findings_of(told, audit)[1] if one.severity != "info"] if not told.fault else []
        lines += [f"| {told.recipe}, {told.data} | {told.half} | {', '.join(one.rule for one in grave)} |"] * bool(
            grave
        )
    return "\n".join(lines)


def _share(hits: Iterable[bool]) -> str:
    values = list(hits)
    return f"{sum(values)}/{len(values)} ({sum(values) / max(1, len(values)):.0%})"


def _counted(names: Iterable[str]) -> list[tuple[str, int]]:
    values = list(names)
    return sorted(((name, values.count(name)) for name in set(values)), key=lambda pair: -pair[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--faults", nargs="*", metavar="NAME", help="break runs, in these ways or in all")
    parser.add_argument("--healthy", action="store_true", help="train runs that are well")
    parser.add_argument("--table", action="store_true", help="read the records of all runs, and print what was found")
    parser.add_argument("--without-audit", action="store_true", help="leave out what can be said before the first step")
    parser.add_argument("--sets", nargs="+", default=list(DATA))
    parser.add_argument("--each", type=int, default=2, metavar="N", help="cells of either half for a fault")
    parser.add_argument("--halves", nargs="+", default=["tuned", "reported"], help="of which faults' cells are tried")
    parser.add_argument("--recipes", nargs="+", help="of the runs that are well")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--images", type=int, default=16_000, help="that each run sees")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"), help="folder of all that is written")
    options = parser.parse_args()
    for seed in options.seeds:
        for data in options.sets:
            for recipe in (options.recipes or [name for name in RECIPES if name != "ring"]) if options.healthy else []:
                one(options, data, recipe, seed, None)
        for fault, data, recipe in (
            tries(options.faults, options.each, options.halves, seed) if options.faults is not None else []
        ):
            if fault.fits(configure(DATA[data], recipe, {"size": SIZE}).dump()):
                one(options, data, recipe, seed, fault)
    if options.table:
        print(table(read(options.out), not options.without_audit))


if __name__ == "__main__":
    main()
