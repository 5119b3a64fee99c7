"""One run of a study in a process of its own: trained or gone on with, scored, and what came of it left behind."""

from __future__ import annotations

import math
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

import torch

from steadygan.claim import alone, claimed, writer
from steadygan.data import Dataset
from steadygan.doctor.collapse import LIMITS
from steadygan.errors import ConfigError, Diverged
from steadygan.recipes.basis import basis_of
from steadygan.recipes.choose import recipe_of
from steadygan.records import Score
from steadygan.runs import BasisInfo, Run, SavedCheckpoint
from steadygan.studies.ablation.records import Outcome
from steadygan.studies.ablation.study import BASE, Finished, Study, StudyFolder
from steadygan.studies.evaluate import evaluate
from steadygan.training.budget import spent
from steadygan.training.build import open_data
from steadygan.training.config import Budget, RunConfig
from steadygan.training.console import Reporter, reporter
from steadygan.training.resuming import resume
from steadygan.training.run import train_in
from steadygan.training.session import Progress

COLLAPSES = {"mode-collapse", "partial-collapse"}
"""Rules of the doctor by which a run counts as collapsed."""

_VARIETY = "ms-ssim"


def run_job(folder: Path, variant: str, seed: int, rung: bool = False, tied: bool = False) -> None:
    """Bring one run of a study to its end or, with `rung`, to a third of its budget; what is done already stays.

    Two processes never make the same run: the second waits for the first. `tied`: it stops, saving its state, when the
    standard input ends, as it does with the process that started it. Errors are those of training and `evaluate`; a
    divergence is an outcome.
    """
    home = StudyFolder(folder)
    study = home.read()
    if study is None:
        raise ConfigError(f"{folder} holds no study; start one with `steadygan ablate`")
    if tied:
        _stop_with_parent()
    home.jobs.mkdir(parents=True, exist_ok=True)
    console = reporter()
    with alone(home.job_lock(variant, seed), f"making {variant} with seed {seed}", "", console.say):
        if home.finished(variant, seed) is None:
            _make(home, study, (variant, seed), rung, console)


def _make(home: StudyFolder, study: Study, which: tuple[str, int], rung: bool, console: Reporter) -> None:
    run, config = home.run(*which), study.config(*which)
    dataset = open_data(config, console)
    try:
        _train(study, config, run, budget_of(study, rung), console, dataset)
    except Diverged as problem:
        home.finish(Finished(outcome=_outcome(study, which, run, None, None, "diverged", str(problem))))
        return
    if rung:
        return
    peak = _peak_bytes(run, study)
    scores = _scores(study, which, config, run, console, dataset)
    score = scores[study.score.metric]
    reason = "" if math.isfinite(score.value) else "its score is not a finite number"
    outcome = _outcome(study, which, run, score, _collapsed(run, config, scores), "finished", reason)
    home.finish(Finished(outcome=outcome.model_copy(update={"peak_memory_bytes": peak}), score=score))


def budget_of(study: Study, rung: bool) -> Budget:
    """The budget of every run, or the third of it after which halving looks; that ends with a checkpoint."""
    whole = study.budget
    if not rung:
        return whole
    if whole.minutes:
        return Budget(minutes=whole.minutes / 3)
    return Budget(images=min(4 * study.measured.every_images, whole.images or 0))


def _train(study: Study, config: RunConfig, run: Run, budget: Budget, console: Reporter, dataset: Dataset) -> None:
    """From nothing, or from where it was left."""
    if not run.files.run_json.exists() or not run.checkpoints():
        if run.path.exists():  # ended before its first checkpoint
            with writer(run.path):
                shutil.rmtree(run.path)
        config = config.model_copy(update={"budget": budget})
        base = study.config(BASE, config.seed)
        alike = config.networks == base.networks
        with claimed(run.path, config.data.source):
            train_in(run.path, config, console, dataset, basis=_basis(study, config), like=base,
                     convolutions=study.measured.convolutions if alike else None)  # fmt: skip
    elif spent(budget, Progress(**_latest(run).meta.progress)) < 1:
        resume(run.path, budget, console=console, recipe=study.recipe_config())


def _latest(run: Run) -> SavedCheckpoint:
    return run.checkpoint("latest") if run.files.latest.exists() else run.checkpoints()[-1]


def _basis(study: Study, config: RunConfig) -> BasisInfo | None:
    """What `run.json` says of the recipe; nothing where its file is no longer there."""
    with suppress(ConfigError):
        return basis_of(config, study.recipe, recipe_of(study.recipe), study.facts)
    return None


def _scores(
    study: Study, which: tuple[str, int], config: RunConfig, run: Run, console: Reporter, dataset: Dataset
) -> dict[str, Score]:
    """The score that decides, of latents and reals that follow from the seed; variety where no doctor looked."""
    plan = study.score
    metrics = [plan.metric, *([] if config.doctor.most_time else [_VARIETY])]
    found = evaluate(
        run,
        dataset,
        console=console,
        recipe=study.recipe_config(),
        metrics=metrics,
        features=plan.features,
        count=plan.count,
        checkpoint=plan.checkpoint,
        device=study.measured.device,
        seed=which[1],
        repeats=0,
    )
    return {score.metric: score for score in found.scores}


def _collapsed(run: Run, config: RunConfig, scores: dict[str, Score]) -> bool | None:
    if config.doctor.most_time:
        return any(finding.rule in COLLAPSES for finding in run.findings())
    variety = scores.get(_VARIETY)
    if variety is None or variety.floor is None or variety.floor >= 1:
        return None
    return (variety.value - variety.floor) / (1 - variety.floor) >= LIMITS["ms_ssim"][True]


def _peak_bytes(run: Run, study: Study) -> int | None:
    """The most memory of all sessions, as far as their ticks and this process know."""
    most = max((tick.memory_mb for tick in run.log()), default=0.0) * 2**20
    if study.measured.device == "cuda" and torch.cuda.is_initialized():
        most = max(most, torch.cuda.max_memory_allocated())
    return int(most) or None


def _outcome(
    study: Study,
    which: tuple[str, int],
    run: Run,
    score: Score | None,
    collapsed: bool | None,
    state: str,
    reason: str,
) -> Outcome:
    """What came of a run, as far as its folder tells."""
    images, seconds = reached(run)
    return Outcome.model_validate(
        {
            "variant": which[0],
            "seed": which[1],
            "value": score.value if score and math.isfinite(score.value) else None,
            "better": study.score.better,
            "floor": score.floor if score and score.floor is not None and math.isfinite(score.floor) else None,
            "seconds": seconds,
            "peak_memory_bytes": _peak_bytes(run, study),
            "collapsed": collapsed,
            "images": images,
            "state": state,
            "reason": reason,
        }
    )


def reached(run: Run) -> tuple[int, float]:
    """Images seen and seconds of training, by the last tick; zeros if there is none."""
    last = run.log()[-1:]
    return (last[0].images, last[0].seconds) if last else (0, 0.0)


def without_run(study: Study, which: tuple[str, int], run: Run, state: str, reason: str) -> Outcome:
    """The outcome of a run that came to no score, told by those who watched it."""
    return _outcome(study, which, run, None, None, state, reason)


def _stop_with_parent() -> None:
    """Stop as at Ctrl-C when the standard input ends: the parent holds its other end, and no child of ours does."""

    handle = sys.stdin.fileno()

    def wait() -> None:
        with suppress(OSError):
            while os.read(handle, 1):  # not through Python's buffer, whose lock the end of the program wants
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True, name="parent").start()
