"""A run from its first line to its last: check, prepare, build, measure, train."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL
import torch

from steadygan.claim import claimed
from steadygan.data import Dataset
from steadygan.data.loader import Batches
from steadygan.doctor.audit.plan import DEFAULT_IMAGES
from steadygan.errors import ConfigError, Interrupted
from steadygan.networks import Pair, count_parameters
from steadygan.ops.images import to_uint8
from steadygan.runs import BasisInfo, LayerWay, Run, RunInfo, StartInfo
from steadygan.training.budget import too_short
from steadygan.training.build import Parts, make_parts, make_session
from steadygan.training.config import RunConfig
from steadygan.training.console import Reporter, Silent, again, reporter
from steadygan.training.doctor import Doctor, audit
from steadygan.training.listeners import (
    CheckpointWriter,
    FilmWriter,
    LastWords,
    Listener,
    SampleWriter,
    ScoreWriter,
    TickWriter,
    last_words_of_a_failure,
)
from steadygan.training.loop import StopRequest, play
from steadygan.training.origin import open_origin
from steadygan.training.runtime import enough_memory
from steadygan.training.sampling import rows
from steadygan.training.scores import choose_scores
from steadygan.training.seeds import derive, seed_everything
from steadygan.training.session import Session
from steadygan.training.snapshot import take
from steadygan.training.tracking import Tracking
from steadygan.training.trial import try_out, with_cadence
from steadygan.version import __version__
from steadygan.visual.grid import save_picture
from steadygan.visual.points import picture


class Beginning(NamedTuple):
    """What `run.json` says of a new run that its session does not know."""

    start: StartInfo | None
    basis: BasisInfo | None


def train(config: RunConfig, out: Path, console: Reporter | None = None, dataset: Dataset | None = None) -> Run:
    """Train what `config` describes, into the new folder `out`; `dataset` saves opening its images again.

    Raises ConfigError and DataError before any work; Diverged and Interrupted leave the last checkpoint.
    """
    with claimed(out, config.data.source):
        return train_in(out, config, console, dataset)


def train_in(
    out: Path,
    config: RunConfig,
    console: Reporter | None = None,
    dataset: Dataset | None = None,
    basis: BasisInfo | None = None,
    like: RunConfig | None = None,
    convolutions: tuple[LayerWay, ...] | None = None,
) -> Run:
    """As `train`, in a folder that the caller has claimed; of several processes, the first has. `basis` is written into
    `run.json`; fresh weights are those of `like` where both have a layer alike, and `convolutions` are computed so.
    """
    by_default = config.budget.is_open()
    if by_default:
        usual = config.budget.model_copy(update={"images": DEFAULT_IMAGES})
        config = config.model_copy(update={"budget": usual})
    console = console or reporter()
    with closing(console), enough_memory():
        parts = make_parts(config, console, dataset, convolutions, like)
        console = console if parts.runtime.main else Silent()
        start = _take_over(parts, console)
        parts, expected = try_out(parts, config.runtime.precision, console.say)
        console.say(expected.sentence())
        if by_default and (word := too_short(expected.steps)):
            console.say(word)
        parts = parts.with_config(with_cadence(parts.config, expected))
        session = make_session(parts, parts.runtime.agreed(out), console)
        listeners = make_listeners(session)
        for listener in listeners if start else ():
            if listener.at_start:  # before `run.json`: from then on the run needs nothing of where it started
                listener(session, take(session, 0))
        if parts.runtime.main:
            write_info(session, parts.pair, Beginning(start, basis))
            _write_inputs(session)
            Run(out).note(f"started: {expected.sentence()}", "run")
            if parts.config.doctor.most_time:
                audit(session, parts.pair)
        parts.runtime.wait()
        return play_out(session, console, listeners)


def _take_over(parts: Parts, console: Reporter) -> StartInfo | None:
    """Give the networks the weights of those that the run starts from, if any, and say so.

    ConfigError if they would have another form.
    """
    config, spec = parts.config, parts.dataset.spec
    if not config.start.source:
        return None
    origin = open_origin(config.start.source)
    origin.check_networks(config)
    origin.check_images(config.networks, spec)
    fresh = parts.pair._asdict() | {"average": parts.average.network}
    tensors = origin.tensors(config.networks, spec, fresh)
    if config.freeze.discriminator and "discriminator" not in tensors:
        raise ConfigError(
            f"freeze.discriminator: {origin.where} has no discriminator that could stay as it is; give --from the "
            "folder of its run, or leave the setting out"
        )
    parts.load_weights(tensors, origin.where)
    console.say(origin.sentence(config.networks, spec))
    return origin.info


def play_out(session: Session, console: Reporter, listeners: Sequence[Listener]) -> Run:
    """Train to the end of the budget, or to a stop, draw the pictures of the whole run, and let the listeners go."""
    failed = True
    try:
        run = _play_out(session, console, listeners)
        failed = False
    except Interrupted:
        failed = False
        raise
    except Exception as problem:
        if session.runtime.main:
            last_words_of_a_failure(session, problem)
        raise
    finally:
        for listener in listeners:
            listener.leave(session, failed)
    return run


def _play_out(session: Session, console: Reporter, listeners: Sequence[Listener]) -> Run:
    config, runtime, run = session.config, session.runtime, session.run
    stop = StopRequest()
    session.heard_by = listeners
    session.begin()
    batches = Batches(
        session.dataset,
        batch=config.batch,
        seed=derive(config.seed, "order"),
        start_images=session.progress.images,
        rank=runtime.rank,
        world=runtime.world,
        device=runtime.device,
        mirror=config.data.mirror,
    )
    with stop.listening(), closing(batches):
        done = play(session, batches, listeners, stop, console.step)
    if not done:
        images = session.progress.images
        raise Interrupted(f"stopped after {images:,} images, all saved; continue with `{again(run.path)}`")
    return run


def make_listeners(session: Session) -> Sequence[Listener]:
    """Records, pictures, the doctor, checkpoints and scores, in the order in which they act at the same step.

    Care decides after all of them, by what they wrote: what comes before a checkpoint is there if the run goes on from
    it.
    """
    config, scores = session.config, choose_scores(session)
    return (
        TickWriter(config.log, session.progress),
        SampleWriter(config.samples),
        *((Doctor(config.doctor, config.log),) if config.doctor.most_time else ()),
        CheckpointWriter(config.checkpoint, scores),
        *((ScoreWriter(config.checkpoint, scores, config.scores.most_time),) if scores and scores.judge else ()),
        FilmWriter(),
        *((Tracking(config.log.to, config.samples),) if config.log.to else ()),
        LastWords(),
    )


def write_info(session: Session, pair: Pair, before: RunInfo | Beginning) -> None:
    """`run.json`, before the first step; a resumed run keeps what it does not decide anew, and what care changed is in
    the checkpoints alone.
    """
    config, dataset, basis = session.asked, session.dataset, before.basis
    if basis and isinstance(before, RunInfo):
        basis = basis.going_on(before.config, config.dump())
    info = {
        **(before.model_dump() if isinstance(before, RunInfo) else before._asdict()),
        "basis": basis,
        "recipe": config.recipe,
        "seed": config.seed,
        "config": config.dump(),
        "parameters": {name: count_parameters(network) for name, network in pair._asdict().items()},
        "data": {
            "source": config.data.source,
            "prepared": str(dataset.path.absolute()),
            "digest": dataset.digest,
            "count": len(dataset),
            "held_out": len(dataset.held_out),
            "spec": dataset.spec,
            "class_names": dataset.class_names,
        },
        "device": session.runtime.describe(),
        "versions": {
            "steadygan": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
        },
    }
    session.run.write_info(RunInfo.model_validate(info))


def _write_inputs(session: Session) -> None:
    """`inputs.png`: a batch of reals as the discriminator sees them."""
    config, dataset = session.config, session.dataset
    seed_everything(config.seed, "inputs")
    with closing(Batches(dataset, batch=64, seed=derive(config.seed, "order"), mirror=config.data.mirror)) as batches:
        seen = session.game.show(next(batches).images.to(session.runtime.device))
    save_picture(picture(rows(to_uint8(seen.cpu()))), session.run.files.inputs)
