"""A run from its first line to its last: check, prepare, build, measure, train, resume."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch

from steadygan import records
from steadygan.claim import claimed, writer
from steadygan.config import difference, resolve
from steadygan.data import Dataset, is_missing, is_path
from steadygan.data.loader import Batches
from steadygan.errors import ConfigError, DataError, Diverged, Interrupted, os_errors
from steadygan.features import Scattering
from steadygan.metrics.sliced_wasserstein import SlicedWasserstein
from steadygan.names import path_of
from steadygan.networks import Pair, count_parameters
from steadygan.ops.images import to_uint8
from steadygan.records import Note, Score, Tick
from steadygan.rundir import RunDir, atomic_write
from steadygan.scoring import Judge, choose_reference
from steadygan.scoring.pick import FrechetToTraining
from steadygan.scoring.reference import LEAST
from steadygan.training import checkpoint
from steadygan.training.budget import DEFAULT_IMAGES, spent, too_short
from steadygan.training.build import Parts, make_parts, make_session
from steadygan.training.checkpoint import Checkpoint
from steadygan.training.config import Budget, RunConfig, own_parts
from steadygan.training.console import Reporter, Silent, reporter
from steadygan.training.listeners import (
    CheckpointWriter,
    Listener,
    Picker,
    SampleWriter,
    ScoreWriter,
    TickWriter,
    finish_pictures,
)
from steadygan.training.loop import StopRequest, play
from steadygan.training.runtime import enough_memory
from steadygan.training.sampling import rows
from steadygan.training.seeds import derive, seed_everything
from steadygan.training.session import Progress, Session
from steadygan.training.state import unpack
from steadygan.training.trial import try_out, with_cadence
from steadygan.version import __version__
from steadygan.visual.grid import save_picture
from steadygan.visual.points import picture

_SCORED = 512
_SMALLEST_DESCRIBED = 16
# what a resumed run may do otherwise; another precision or device rounds otherwise, too
_CHANGEABLE = ("budget", "log", "samples", "checkpoint", "scores", "runtime", "data.source")


@dataclass(frozen=True)
class Run:
    """A run folder, as Python sees it."""

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    @property
    def files(self) -> RunDir:
        """The names of its files."""
        return RunDir(self.path)

    def info(self) -> dict[str, Any]:
        """The contents of `run.json`; DataError if this is not the folder of a run."""
        try:
            info: Any = json.loads(self.files.run_json.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise DataError(f"{self.path} is not the folder of a run: its run.json cannot be read") from problem
        groups: dict[str, Any] = info if isinstance(info, dict) else {}
        missing = [name for name in ("config", "data", "parameters") if not isinstance(groups.get(name), dict)]
        if missing:
            raise DataError(f"{self.files.run_json} is not that of a run: it lacks {', '.join(missing)}")
        return groups

    def log(self) -> list[Tick]:
        """The ticks so far."""
        return records.read(self.files.log, Tick)

    def scores(self) -> list[Score]:
        """The scores so far."""
        return records.read(self.files.scores, Score)

    def notes(self) -> list[Note]:
        """The observation log."""
        return records.read(self.files.notes, Note)

    def note(self, text: str, author: str = "user") -> None:
        """Add a line to the observation log, dated by the last tick."""
        self.info()
        step, images = next(((tick.step, tick.images) for tick in reversed(self.log())), (0, 0))
        note = Note.model_validate({"step": step, "images": images, "author": author, "text": text})
        records.append(self.files.notes, note)


def train(config: RunConfig, out: Path, console: Reporter | None = None, dataset: Dataset | None = None) -> Run:
    """Train what `config` describes, into the new folder `out`; `dataset` saves opening its images again.

    Raises ConfigError and DataError before any work; Diverged and Interrupted leave the last checkpoint.
    """
    with claimed(out, config.data.source):
        return train_in(out, config, console, dataset)


def train_in(out: Path, config: RunConfig, console: Reporter | None = None, dataset: Dataset | None = None) -> Run:
    """As `train`, in a folder that the caller has claimed; of several processes, the first has."""
    by_default = config.budget.is_open()
    if by_default:
        config = config.model_copy(update={"budget": Budget(images=DEFAULT_IMAGES)})
    console = console or reporter()
    with closing(console), enough_memory():
        parts = make_parts(config, console, dataset)
        console = console if parts.runtime.main else Silent()
        parts, expected = try_out(parts, config.runtime.precision, console.say)
        console.say(expected.sentence())
        if by_default and (word := too_short(expected.steps)):
            console.say(word)
        parts = parts.with_config(with_cadence(parts.config, expected))
        session = make_session(parts, parts.runtime.agreed(out), console)
        listeners = _listeners(session)
        if parts.runtime.main:
            _write_info(session, parts.pair)
            _write_inputs(session)
            Run(out).note(f"started: {expected.sentence()}", "run")
        parts.runtime.wait()
        return _play(session, console, listeners)


@os_errors()
def resume(
    path: str | Path,
    budget: Budget | None = None,
    data: str = "",
    console: Reporter | None = None,
    own: RunConfig | None = None,
) -> Run:
    """Continue a run from its latest checkpoint, bit by bit as if it had not stopped (on the same kind of machine).

    `budget` replaces the run's own and counts from the run's beginning; `data` says where the images are now.
    `own` is the configuration the run was started with, if it holds objects of the user's own.
    Raises ConfigError if the run is still training.
    """
    Run(Path(path)).info()  # before a lock is put into what is no run
    with writer(Path(path)):
        return _go_on(Path(path), budget, data, console, own)


def _go_on(path: Path, budget: Budget | None, data: str, console: Reporter | None, own: RunConfig | None) -> Run:
    info = Run(path).info()
    config = _stored_config(path, info, own, budget, data)
    saved = _latest(path, config)
    console = console or reporter()
    with closing(console), enough_memory():
        parts = make_parts(config, console)
        console = console if parts.runtime.main else Silent()
        if parts.dataset.digest != info["data"]["digest"]:
            raise DataError(
                f"the images in {config.data.source} are not those this run was trained on (another digest); "
                "say where those are with --data, or start a new run"
            )
        if saved:
            _load_weights(parts, saved)
        session = make_session(parts, path, console)
        if saved:
            session.load_state_dict(unpack(saved.meta["state"], saved.tensors["state"]))
        listeners = _listeners(session)
        if parts.runtime.main:
            _forget_later(session)
            _write_info(session, parts.pair, info)
            Run(path).note(f"resumed after {session.progress.images:,} images", "run")
        parts.runtime.wait()
        return _play(session, console, listeners)


def _play(session: Session, console: Reporter, listeners: Sequence[Listener]) -> Run:
    """Train to the end of the budget, or to a stop, and draw the pictures of the whole run."""
    config, runtime, run = session.config, session.runtime, Run(session.run.path)
    stop = StopRequest()
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
    try:
        with stop.listening(), closing(batches):
            play(session, batches, listeners, stop, console.step)
    except Diverged as problem:
        if runtime.main:
            run.note(str(problem), "run")
            finish_pictures(session)
        raise
    images, done = session.progress.images, spent(config.budget, session.progress) >= 1
    for listener in listeners:
        if done and isinstance(listener, ScoreWriter):
            listener.finish(session)
    finish_pictures(session)
    if not done:
        if runtime.main:
            run.note(f"stopped on request after {images:,} images", "run")
        raise Interrupted(f"stopped after {images:,} images, all saved; continue with `steadygan resume {run.path}`")
    if runtime.main:
        run.note(f"finished after {images:,} images", "run")
    return run


def _listeners(session: Session) -> Sequence[Listener]:
    """Records, pictures, checkpoints and scores, in the order in which they act at the same step."""
    config = session.config
    writer = CheckpointWriter(config.checkpoint, config.checkpoint.keep, _picker(session))
    judge = _judge(session)
    scores = (ScoreWriter(config.checkpoint, judge, config.scores.most_time),) if judge else ()
    return (TickWriter(config.log, session.progress), SampleWriter(config.samples), writer, *scores)


def _picker(session: Session) -> Picker | None:
    """By features of training images; points and the smallest pictures have none worth the name. None in others."""
    if not session.runtime.main:
        return None
    training, images = session.dataset.training, session.dataset.images
    count = len(training)
    if session.dataset.spec.size < _SMALLEST_DESCRIBED:
        return SlicedWasserstein(images[training[_evenly(count, _SCORED)]])
    extractor = Scattering().build(session.runtime.device)
    return FrechetToTraining(
        images[training[_evenly(count, min(count, _SCORED))]], extractor, session.dataset.digest[:12]
    )


def _judge(session: Session) -> Judge | None:
    """The judge by held-out images; None if it is off, if there are too few of them, or in other processes."""
    settings, dataset = session.config.scores, session.dataset
    few = min(len(dataset.held_out), len(dataset.training)) < LEAST or dataset.spec.size < _SMALLEST_DESCRIBED
    if not session.runtime.main or not settings.metrics or few:
        return None
    reference = choose_reference(dataset, "held-out", settings.count)  # the same for every seed of the run
    return Judge(settings.metrics, reference, settings.features.build(session.runtime.device), repeats=0)


def _evenly(length: int, count: int) -> list[int]:
    """`count` indices spread over `length`, repeated where there are fewer."""
    return [index * length // count for index in range(count)]


def _stored_config(
    path: Path, info: dict[str, Any], own: RunConfig | None, budget: Budget | None, data: str
) -> RunConfig:
    """The configuration in `run.json`, checked again since the file may have been edited, with what is new."""
    parts = {name: getattr(own, name) for name in own.own_parts()} if own else {}
    missing = [name for name in own_parts(info.get("config", {})) if name not in parts]
    if missing:
        raise ConfigError(
            f"{path} uses objects of your own ({', '.join(missing)}), which run.json cannot bring back; "
            "resume with --recipe FILE.py:FUNCTION, or in Python with own=CONFIG"
        )
    try:
        config = resolve(RunConfig, {**info["config"], **parts})
    except (ConfigError, KeyError) as problem:
        lines = "; ".join(str(problem).splitlines())
        raise ConfigError(f"{path / 'run.json'} holds settings this steadygan cannot use: {lines}") from problem
    if budget is not None and not budget.is_open():
        config = config.model_copy(update={"budget": budget})
    source = str(path_of(data).absolute()) if data and is_path(data) else data or config.data.source
    if is_missing(source):
        raise DataError(f"the images of this run are not in {source}; say where they are with --data FOLDER")
    return config.model_copy(update={"data": config.data.model_copy(update={"source": source})})


def _same_settings(before: dict[str, Any], config: RunConfig, path: Path) -> None:
    """Refuse to continue under other settings than the checkpoint's own, but for those that change no weight."""
    changed = {
        name: values
        for name, values in difference(before, config.dump()).items()
        if not any(name == free or name.startswith(f"{free}.") for free in _CHANGEABLE)
    }
    if changed:
        lines = "; ".join(f"{name} was {old!r} and is now {new!r}" for name, (old, new) in changed.items())
        raise ConfigError(
            f"{path / 'run.json'} was changed since the checkpoint: {lines}. Put it back or start a new run"
        )


def _latest(path: Path, config: RunConfig) -> Checkpoint | None:
    """The checkpoint to continue from; None if the run was killed before its first, and starts again."""
    files = RunDir(path)
    if not files.latest.exists() and not files.all_checkpoints():
        _refuse_if_deleted(path)
        return None
    newest = files.pointed(files.latest) if files.latest.exists() else files.all_checkpoints()[-1]
    saved = checkpoint.load(newest)
    _same_settings(saved.meta["config"], config, path)
    if (used := spent(config.budget, Progress(**saved.meta["state"]["progress"]))) >= 1:
        images = saved.meta["images"]
        raise ConfigError(
            f"{path} has used {used:.0%} of its budget ({images:,} images); "
            f"give a larger one, such as --images {2 * images}"
        )
    return saved


def _refuse_if_deleted(path: Path) -> None:
    """A run that scored a checkpoint and has none lost it by another hand; starting again would lose the rest."""
    if scores := Run(path).scores():
        raise DataError(f"{path} had a checkpoint after {scores[-1].images:,} images, but it is gone; start a new run")


def _load_weights(parts: Parts, saved: Checkpoint) -> None:
    networks = {
        "generator": parts.pair.generator,
        "average": parts.average.network,
        "discriminator": parts.pair.discriminator,
    }
    for name, network in networks.items():
        network.load_state_dict(saved.tensors[name])


def _forget_later(session: Session) -> None:
    """Remove what was written after the checkpoint: it will be written again, the same."""
    run, images = session.run, session.progress.images
    records.keep_until(run.log, images, Tick)
    records.keep_until(run.scores, images, Score)
    for sample in run.samples.glob("*.png"):
        number = sample.stem.removeprefix("random-")
        if sample.name.startswith(".") or (number.isdigit() and int(number) > images):
            sample.unlink()
    checkpoint.drop_later(run, images)
    _mend_scores(run)


def _mend_scores(run: RunDir) -> None:
    """Write the score and the name of the best again, if the run was killed between a checkpoint and them."""
    scores = [Score.model_validate(checkpoint.read_meta(folder)["score"]) for folder in run.all_checkpoints()]
    known = {(score.images, score.protocol) for score in records.read(run.scores, Score)}
    for score in scores:
        if (score.images, score.protocol) not in known:
            records.append(run.scores, score)
    if scores and not (run.best.exists() and run.best.read_text(encoding="utf-8").strip() in _names(run)):
        best = min((one for one in scores if one.protocol == scores[-1].protocol), key=lambda score: score.value)
        atomic_write(run.best, run.checkpoint(best.images).name + "\n")


def _names(run: RunDir) -> list[str]:
    return [folder.name for folder in run.all_checkpoints()]


def _write_info(session: Session, pair: Pair, before: dict[str, Any] | None = None) -> None:
    """`run.json`, before the first step; a resumed run keeps what it does not decide anew."""
    config, dataset = session.config, session.dataset
    info = {
        **(before or {"created": records.now()}),
        "recipe": config.recipe,
        "seed": config.seed,
        "config": config.dump(),
        "parameters": {name: count_parameters(network) for name, network in pair._asdict().items()},
        "data": {
            "source": config.data.source,
            "digest": dataset.digest,
            "count": len(dataset),
            "held_out": len(dataset.held_out),
            "spec": dataset.spec.model_dump(),
            "class_names": list(dataset.class_names),
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
    atomic_write(session.run.run_json, json.dumps(info, indent=2, ensure_ascii=False) + "\n")


def _write_inputs(session: Session) -> None:
    """`inputs.png`: a batch of reals as the discriminator sees them."""
    config, dataset = session.config, session.dataset
    seed_everything(config.seed, "inputs")
    with closing(Batches(dataset, batch=64, seed=derive(config.seed, "order"), mirror=config.data.mirror)) as batches:
        seen = session.game.show(next(batches).images.to(session.runtime.device))
    save_picture(picture(rows(to_uint8(seen.cpu()))), session.run.inputs)
