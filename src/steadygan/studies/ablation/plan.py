"""Before a study starts: what it trains, whether that can work, how long it takes and how much room it needs."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steadygan.care import Watch
from steadygan.config import difference, merge, parse_assignment, resolve
from steadygan.data import Dataset, resplit
from steadygan.data.pool import cores
from steadygan.doctor.budget import duration
from steadygan.errors import ConfigError
from steadygan.features import AnyFeatures, Scattering
from steadygan.networks import Pair
from steadygan.part import Value
from steadygan.recipes.choose import DEFAULT
from steadygan.recipes.start import facts_for, plan
from steadygan.runs.study import FEWEST
from steadygan.scoring import choose_metrics, choose_reference
from steadygan.studies.ablation.engines import Engine, LocalProcesses
from steadygan.studies.ablation.study import ScorePlan, Study, StudyFolder, StudyMachine, StudyVariant
from steadygan.studies.ablation.switching import setting_values
from steadygan.studies.ablation.variants import asked, refused, variants_of
from steadygan.training.build import make_parts
from steadygan.training.config import Budget, RunConfig, Settings
from steadygan.training.console import Reporter, Silent
from steadygan.training.runtime import choose_device, enough_memory
from steadygan.training.threads import choose_threads, counted, is_pinned
from steadygan.training.trial import try_out
from steadygan.version import __version__

_CHECKPOINTS = 12  # a run; three and multiples of it make a third of the budget end with one
_LOOK_SECONDS = 1.5  # about what the doctor takes for one
_FEWEST_LOOKS, _MOST_LOOKS = 4, 24  # of it in a run, at the same images in all: what it finds says what collapsed
_MOST_SCORED = 5_000
_GRIDS = 40  # pictures of a run, of each of two kinds
_CHECKPOINT_SECONDS = 1.0  # about what one takes with its score and its grids
_START_SECONDS = 25.0  # that a job takes before and after training: loading torch, the report, the score that decides
_KEPT = 3  # checkpoints of a run on the disk at once: the newest, the best, and the one being written
_ROOM = 2**28  # bytes that should stay free


@dataclass(frozen=True)
class Request:
    """What the user asked for. `sets` are texts as behind `--set`: one value is for all runs, several are varied.

    `jobs` 0 chooses how many run side by side.
    """

    source: str
    recipe: str = DEFAULT
    vary: Sequence[str] = ()
    sets: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    pairs: bool = False
    seeds: int = 3
    budget: Budget = Budget()  # noqa: RUF009 - frozen
    metric: str = "kid"
    features: AnyFeatures | str = Scattering()  # noqa: RUF009 - frozen
    checkpoint: str = "best"
    halving: bool = False
    jobs: int = 0
    engine: Engine = LocalProcesses()  # noqa: RUF009 - frozen


class Outlay(Value):
    """How much a study is: `seconds` in all if every variant is as fast as the base, bytes on the disk and free."""

    runs: int
    done: int
    jobs: int
    seconds: float
    disk_bytes: int
    free_bytes: int


class StudyPlan(Value):
    """A study before it starts, and what it will take."""

    study: Study
    estimate: Outlay

    def lines(self) -> list[str]:
        """The plan in words."""
        study, it, score = self.study, self.estimate, self.study.score
        others = ", ".join(one.title for one in study.variants[1:])
        seeds = f"{len(study.seeds)} seed{'s' * (len(study.seeds) > 1)}"
        length = f"{study.budget.images:,} images" if study.budget.images else f"{study.budget.minutes:g} minutes"
        done = f", {it.done} of them done" if it.done else ""
        halves = "; after a third of it, the worse half of what clearly loses stops" if study.halving else ""
        machine = study.measured
        aside = f"{it.jobs} jobs side by side, " if it.jobs > 1 else ""
        score_line = (
            f"score: {score.metric} of {score.count:,} pictures against held-out images, of the {score.checkpoint} "
            "checkpoint, which fd-training picks"
        )
        time_line = (
            f"about {duration(it.seconds)} on {machine.device}: {aside}{counted(machine.threads)} each, "
            f"{machine.images_per_second:,.0f} images/s measured for {study.recipe}; what costs more takes longer"
        )
        room_line = (
            f"about {_size(it.disk_bytes)} on the disk, of {_size(it.free_bytes)} free; "
            f"{machine.memory_mb / 1024:.1f} GiB of memory a job"
        )
        return [
            f"{it.runs} runs{done}: {study.recipe} and {len(study.variants) - 1} variants ({others}), {seeds} each",
            f"each for {length}{halves}; pairs share seed, held-out images, order of images and first weights",
            score_line,
            time_line,
            room_line,
            *(f"left out: {one.name}: {one.reason}" for one in study.left_out),
            *([] if len(study.seeds) >= FEWEST else [f"fewer than {FEWEST} seeds: nothing will be decided"]),
        ]


def make_plan(request: Request, folder: StudyFolder | None = None, console: Reporter | None = None) -> StudyPlan:
    """Everything is opened, checked and measured, nothing is trained; what is in the folder goes on.

    ConfigError and DataError say in one line what cannot be, be it that the folder holds another study.
    """
    said = console or Silent()
    _check_budget(request.budget)
    if request.seeds < 1:
        raise ConfigError(f"--seeds {request.seeds}: give one seed or more")
    request.engine.ready()
    stored = folder.read() if folder else None
    fixed, values = _settings(request)
    wanted = asked(request.vary, values)
    metric = _metric(request)
    settings = merge(fixed, {"budget": request.budget.model_dump(exclude_none=True)})
    with closing(said):
        config, dataset, _ = plan(request.source, request.recipe, settings, said)
        if "care" not in fixed:  # one that goes back or ends early has another budget
            config = config.model_copy(update={"care": Watch()})
        found = variants_of(config, dataset.spec, wanted, request.vary, request.pairs)
        seeds = tuple(range(request.seeds))
        splits = {seed: resplit(dataset, seed, said.say) for seed in seeds}
        score = _score(request, metric, splits.values(), stored)
        threads = _threads(request, config.runtime.threads, found.variants)
        measured = stored.measured if stored else _measure(config, dataset, threads, said)
    choose_device(measured.device)
    study = Study(
        source=config.data.source,
        digest=dataset.digest,
        digests={seed: split.digest for seed, split in splits.items()},
        recipe=request.recipe,
        facts=facts_for(config, dataset, measured.device),
        base=_as_measured(config, measured).dump(),
        variants=found.variants,
        seeds=seeds,
        budget=request.budget,
        score=score,
        halving=request.halving,
        left_out=found.left_out,
        measured=measured,
        versions={"steadygan": __version__, "torch": torch.__version__, "numpy": np.__version__},
    )
    if stored and folder:
        study = _grown(stored, study, folder)
    _check_length(study)
    return StudyPlan(study=study, estimate=_estimate(study, request, folder))


def _check_budget(budget: Budget) -> None:
    if (budget.images is None) == (budget.minutes is None):
        raise ConfigError("say how long each run is to be: --images N or --minutes M, one of them")


def _check_length(study: Study) -> None:
    """Refuse a budget that ends before a run has begun."""
    step, rate = study.measured.images_per_step, study.measured.images_per_second
    images = study.budget.images or rate * 60 * (study.budget.minutes or 0)
    least = 3 * step if study.halving else step
    if images < least:
        given = f"--images {study.budget.images}" if study.budget.images else f"--minutes {study.budget.minutes:g}"
        much = f"{images:,.0f} images, " if study.budget.minutes else ""
        raise ConfigError(
            f"{given}: {much}less than {'three steps' if study.halving else 'one step'} of {step:,.0f} images; give "
            f"more, such as --images {round(1000 * step)}"
        )


def _settings(request: Request) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Settings of all runs, and values to try by their places."""
    fixed, values = dict(request.settings), {}
    for text in request.sets:
        tree = parse_assignment(text)  # refuses what is none
        place, found = setting_values(text)
        if len(found) > 1:
            values[place] = list(dict.fromkeys(found))
        elif reason := refused(place, varied=False):
            raise ConfigError(f"--set {place}: {reason}")
        else:
            fixed = merge(fixed, tree)
    return fixed, values


def _metric(request: Request) -> Any:
    metric = choose_metrics([request.metric])[0]
    if metric.better not in ("lower", "higher"):
        raise ConfigError(f"--metric {request.metric}: it is best where it is as of reals, and ranks nothing; take kid")
    return metric


class _Features(Settings):
    features: AnyFeatures


def _score(request: Request, metric: Any, splits: Any, stored: Study | None) -> ScorePlan:
    """As many pictures as are held out under every seed; a study that goes on keeps its number."""
    counts = [choose_reference(split, "held-out", _MOST_SCORED).count for split in splits]
    count = min([*counts, *([stored.score.count] if stored else [])])
    wanted = _features(request.features) if isinstance(request.features, str) else request.features
    features = resolve(_Features, {"features": wanted}).features
    features.build(torch.device("cpu"))  # what cannot be loaded is said now, and not by every job
    return ScorePlan.model_validate(
        {"metric": metric.name, "better": metric.better, "features": features, "count": count,
         "checkpoint": request.checkpoint}
    )  # fmt: skip


def _features(word: str) -> dict[str, str]:
    """By their name, or the file of an extractor of one's own."""
    return {"kind": "exported", "path": word} if word.endswith((".pt", ".pt2")) else {"kind": word}


def _threads(request: Request, asked: int, variants: Sequence[StudyVariant]) -> int:
    """Threads of a job: as many as somebody chose (runtime.threads, OMP_NUM_THREADS), else the processors, but one
    from three up, are shared out among the jobs.
    """
    processors = cores() - (cores() >= 3)
    if is_pinned(asked):
        return min(choose_threads(asked), processors)
    return max(1, processors // (request.jobs or _usual_jobs(request, len(variants), processors)))


def _usual_jobs(request: Request, variants: int, processors: int) -> int:
    """All variants of a seed side by side, as far as there are processors; a GPU each."""
    device = request.settings.get("runtime", {}).get("device", "auto")
    if choose_device(device) == "cuda":
        return torch.cuda.device_count()
    return 1 if request.budget.minutes else max(1, min(processors, variants))


def _measure(config: RunConfig, dataset: Dataset, threads: int, said: Reporter) -> StudyMachine:
    """How fast the base is on this machine, with the threads of a job; what is `auto` in it is decided for all runs."""
    said.say(f"measuring {config.recipe}")
    config = _with_runtime(config, threads=threads)
    with enough_memory():
        parts = make_parts(config, Silent(), dataset)
        parts, expected = try_out(parts, config.runtime.precision, said.say)
    chosen, images = parts.runtime.choices, config.budget.images
    total = images or expected.images_per_second * 60 * (config.budget.minutes or 0)
    return StudyMachine(
        device=chosen.device,
        precision=chosen.precision,
        layout=chosen.layout,
        threads=threads,
        convolutions=chosen.convolutions or (),
        images_per_second=round(expected.images_per_second, 2),
        images_per_step=expected.images_per_step,
        memory_mb=round(expected.memory_mb, 1),
        run_bytes=_run_bytes(parts.pair, config, dataset),
        every_images=_every(total, _CHECKPOINTS, config.batch),
        look_images=_every(total, _looks(expected.seconds * config.doctor.most_time), config.batch),
    )


def _every(images: float, parts: int, batch: int) -> int:
    """Whole steps between so many moments of a run."""
    return max(1, round(images / parts / batch)) * batch


def _looks(seconds: float) -> int:
    """How many looks of the doctor these seconds pay for, within reason."""
    return int(min(max(seconds / _LOOK_SECONDS, _FEWEST_LOOKS), _MOST_LOOKS))


def _with_runtime(config: RunConfig, **settings: Any) -> RunConfig:
    return config.model_copy(update={"runtime": config.runtime.model_copy(update=settings)})


def _as_measured(config: RunConfig, measured: StudyMachine) -> RunConfig:
    """The base with all decided that a run would decide by itself, each by its own measurements."""
    config = _with_runtime(
        config,
        threads=measured.threads, device=measured.device, precision=measured.precision, layout=measured.layout,
    )  # fmt: skip
    update: dict[str, Any] = {}
    if config.checkpoint.is_open():
        keep = {"keep": 1} if config.checkpoint == type(config.checkpoint)() else {}
        update["checkpoint"] = config.checkpoint.model_copy(update={"every_images": measured.every_images} | keep)
    if config.doctor.is_open() and config.doctor.most_time:
        update["doctor"] = config.doctor.model_copy(update={"every_images": measured.look_images})
    return config.model_copy(update=update)


def _run_bytes(pair: Pair, config: RunConfig, dataset: Dataset) -> int:
    """Of checkpoints (both players, the average, two moments of each player) and of grids of pictures."""
    generator, discriminator = (sum(value.nbytes for value in one.state_dict().values()) for one in pair)
    picture = dataset.spec.size**2 * dataset.spec.channels
    return _KEPT * (4 * generator + 3 * discriminator) + 3 * _GRIDS * config.samples.count * picture


def _estimate(study: Study, request: Request, folder: StudyFolder | None) -> Outlay:
    runs, measured = study.runs(), study.measured
    done = sum(1 for run in runs if folder and folder.finished(*run))
    jobs = request.engine.places(study, request.jobs)
    images = study.budget.images
    seconds = 60 * (study.budget.minutes or 0)  # which all that a run does counts in
    if images:
        looks = images / measured.look_images * _LOOK_SECONDS
        seconds = images / measured.images_per_second + _CHECKPOINTS * _CHECKPOINT_SECONDS + looks
    where = next(one for one in ((folder.path if folder else Path()).absolute(),
                                 *(folder.path if folder else Path()).absolute().parents) if one.exists())  # fmt: skip
    estimate = Outlay(
        runs=len(runs),
        done=done,
        jobs=jobs,
        seconds=math.ceil((len(runs) - done) / jobs) * (seconds + _START_SECONDS),
        disk_bytes=(len(runs) - done) * measured.run_bytes,
        free_bytes=shutil.disk_usage(where).free,
    )
    if folder and estimate.disk_bytes + _ROOM > estimate.free_bytes:
        raise ConfigError(
            f"the study needs about {_size(estimate.disk_bytes)} and {where} has {_size(estimate.free_bytes)} free; "
            "free some space, or vary less"
        )
    return estimate


def _grown(stored: Study, study: Study, folder: StudyFolder) -> Study:
    """The stored study with what is new in it; ConfigError names a setting that is another one."""
    known = {one.name: one for one in study.variants}
    asked_, before = (_identity(one, stored) for one in (study, stored))
    if changed := difference(before, asked_):
        place, (old, new) = next(iter(changed.items()))
        raise ConfigError(
            f"{folder.path} holds a study of other settings: {place} was {_short(old)} and is now {_short(new)}; "
            "choose another folder with -o, or give what it was begun with"
        )
    variants = (
        *stored.variants,
        *(one for name, one in known.items() if name not in {v.name for v in stored.variants}),
    )
    seeds = tuple(sorted({*stored.seeds, *study.seeds}))
    if stored.halving and folder.stopped() is not None and (seeds, variants) != (stored.seeds, stored.variants):
        raise ConfigError(
            f"{folder.path} has stopped variants already, by --halving; more needs another folder with -o"
        )
    left = {one.name: one for one in (*stored.left_out, *study.left_out)}
    return study.model_copy(
        update={"variants": variants, "seeds": seeds, "digests": stored.digests | study.digests,
                "left_out": tuple(left.values()), "facts": stored.facts}
    )  # fmt: skip


def _identity(study: Study, stored: Study) -> dict[str, Any]:
    """What may not change in a study; more seeds and more variants may come."""
    tree = study.model_dump(mode="json", exclude={"variants", "seeds", "digests", "left_out", "facts", "measured"})
    common = {one.name for one in stored.variants} & {one.name for one in study.variants}
    tree["variants"] = {one.name: one.changes for one in study.variants if one.name in common}
    tree["images of seed"] = {str(seed): study.digests[seed] for seed in stored.digests.keys() & study.digests.keys()}
    return tree


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]} ..."


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
