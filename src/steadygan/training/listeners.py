"""What happens beside the game: records, pictures, scores and checkpoints. Each is called at its own cadence."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steadygan import records
from steadygan.errors import DataError, Diverged, SteadyganError
from steadygan.networks import classes_of
from steadygan.records import Note, Score, Tick
from steadygan.rundir import RunDir, atomic_write
from steadygan.schedule import at
from steadygan.scoring import Judge, Reference
from steadygan.training import checkpoint
from steadygan.training.checkpoint import Checkpoint
from steadygan.training.config import Cadence
from steadygan.training.sampling import generate, rows, spread_labels
from steadygan.training.seeds import fixed_latents
from steadygan.training.session import Progress, Session
from steadygan.training.state import pack
from steadygan.visual.curves import save_curves
from steadygan.visual.gif import save_gif
from steadygan.visual.grid import save_picture
from steadygan.visual.points import picture

_STATISTICS = 128  # latents from which batch-norm statistics are measured for a picture; a checkpoint takes more
_FIRST_SCORES = 2.0  # seconds that scores are thought to take before they have been measured
_DRAWING_SHARE = 0.005  # of the run's time at most goes into redrawing the curves


class Listener(Protocol):
    """Called after a step that passes a multiple of its cadence, and once more at the end."""

    cadence: Cadence

    def __call__(self, session: Session) -> None: ...


class TickWriter:
    """Writes a line of `log.jsonl`. The one place where the run waits for the device, and sees a divergence."""

    def __init__(self, cadence: Cadence, start: Progress) -> None:
        self.cadence = cadence
        self.last = (start.seconds, start.images, 0.0)

    def __call__(self, session: Session) -> None:
        meter, progress = session.meter, session.progress
        if meter.total is None:
            return
        sums = torch.cat([meter.total, session.game.healthy.reshape(1) * meter.count]) / meter.count
        *means, healthy = session.runtime.mean(sums).tolist()
        _refuse_divergence(session, healthy)
        seconds, images, waited = self.last
        elapsed = max(progress.seconds - seconds, 1e-9)
        settings = session.config.optimizer
        tick = Tick(
            step=progress.steps,
            images=progress.images,
            seconds=round(progress.seconds, 3),
            images_per_second=round((progress.images - images) / elapsed, 2),
            input_wait_fraction=round((session.input_wait_seconds - waited) / elapsed, 4),
            memory_mb=round(session.runtime.memory_mb(), 1),
            lr_d=at(settings.discriminator.lr, session.game.images),
            lr_g=at(settings.generator.lr, session.game.images),
            **_fields(dict(zip(meter.names, means, strict=True))),
        )
        self.last = (progress.seconds, progress.images, session.input_wait_seconds)
        meter.total, meter.count = None, 0
        if session.runtime.main:
            records.append(session.run.log, tick)


def _fields(means: dict[str, float]) -> dict[str, Any]:
    """Means by the fields of a tick; those of single penalties and terms together in one."""
    shares = {name: value for name, value in means.items() if "." in name}
    return {name: value for name, value in means.items() if name not in shares} | {"shares": shares}


def _refuse_divergence(session: Session, healthy: float) -> None:
    """Stop, in every process, if a value was not finite in any."""
    if healthy < 1:
        raise Diverged(_diverged(session))


def _diverged(session: Session) -> str:
    """What to say when a value was not finite: who, when, and what is left."""
    game = session.game
    generator = game.descents["generator"]
    player = "generator" if bool(generator.broke) else "discriminator"
    kept = session.run.latest.read_text(encoding="utf-8").strip() if session.run.latest.exists() else None
    left = f"the last good checkpoint is {kept}" if kept else "no checkpoint had been written yet"
    return (
        f"training diverged: the {player}'s gradient was not finite after {int(generator.turns):,} turns of the "
        f"generator; no weight was changed with it and {left}. In a new run, try a lower learning rate "
        f"(--set optimizer.{player}.lr={at(getattr(session.config.optimizer, player).lr, game.images) / 2:g}) "
        'or a gradient penalty (--set \'penalties=[{"kind":"r1","gamma":1}]\')'
    )


class SampleWriter:
    """Grids from the fixed latents and from fresh ones, and now and then the curves."""

    def __init__(self, cadence: Cadence) -> None:
        self.cadence = cadence
        self.drawing_seconds = 0.0

    def __call__(self, session: Session) -> None:
        if not session.runtime.main:
            return
        images, seed, count = session.progress.images, session.config.seed, session.config.samples.count
        reals = session.dataset.images[: 4 * count] if session.dataset.spec.size == 1 else None
        measure(session, _STATISTICS)
        for path, place in (
            (session.run.sample(images), ("samples",)),
            (session.run.random_sample(images), ("random samples", images)),
        ):
            latents = fixed_latents(count, session.latent_dim, seed, *place)
            labels = spread_labels(count, classes_of(session.average.network))
            pictures = rows(generate(session.average.network, latents, *labels, batch=session.config.batch))
            save_picture(picture(pictures, reals), path)
        if self.drawing_seconds <= _DRAWING_SHARE * session.progress.seconds:
            start = time.perf_counter()
            draw_curves(session)
            self.drawing_seconds += time.perf_counter() - start


def measure(session: Session, count: int) -> None:
    """Give the averaged generator batch-norm statistics of its own, from `count` latents that never change."""
    latents = fixed_latents(count, session.latent_dim, session.config.seed, "statistics")
    inputs = (latents, *shuffled_labels(session, count))
    session.average.measure(*(part.to(session.runtime.device) for part in inputs), batch=session.config.batch)


def shuffled_labels(session: Session, count: int) -> tuple[Tensor, ...]:
    """Labels int64 (count,) of training images all over the set, the same each time; () without conditions."""
    labels = session.dataset.labels
    if labels is None:
        return ()
    picked = np.random.default_rng(0).choice(session.dataset.training, count)
    return session.given(torch.from_numpy(labels[picked]))


def draw_curves(session: Session) -> None:
    """`curves.png` from the records so far."""
    run = session.run
    save_curves(records.read(run.log, Tick), run.curves, records.read(run.scores, Score))


class Picker(Protocol):
    """The score that picks the best checkpoint: of `count` pictures uint8 (N, S, S, C), lower is better."""

    name: str
    protocol: str
    count: int

    def __call__(self, fake: NDArray[np.uint8]) -> float: ...


class CheckpointWriter:
    """Picks by the averaged generator's pictures, saves everything, keeps the newest and the best."""

    def __init__(self, cadence: Cadence, keep: int, picker: Picker | None) -> None:
        self.cadence = cadence
        self.keep = keep
        self.picker = picker

    def __call__(self, session: Session) -> None:
        _refuse_divergence(session, float(session.runtime.mean(session.game.healthy)))
        if self.picker:  # in the first process
            measure(session, 4 * _STATISTICS)
            self._save(session, self._score(session, self.picker))
        session.runtime.wait()

    @staticmethod
    def _score(session: Session, picker: Picker) -> Score:
        count = picker.count
        latents = fixed_latents(count, session.latent_dim, session.config.seed, "scores")
        labels = shuffled_labels(session, count)
        value = picker(rows(generate(session.average.network, latents, *labels, batch=session.config.batch)))
        return Score(
            step=session.progress.steps,
            images=session.progress.images,
            metric=picker.name,
            value=value,
            protocol=picker.protocol,
        )

    def _save(self, session: Session, score: Score) -> None:
        run, images = session.run, session.progress.images
        plain, tensors = pack(session.state_dict())
        meta = {"config": session.config.dump(), "state": plain, "score": score.model_dump()}
        folder = checkpoint.save(run, images, Checkpoint({**session.weights(), "state": tensors}, meta))
        records.append(run.scores, score)
        if score.value <= _best_value(run, score.protocol):
            atomic_write(run.best, folder.name + "\n")
        checkpoint.prune(run, self.keep)


def _best_value(run: RunDir, protocol: str) -> float:
    """Score of the checkpoint that `best` names; infinite if there is none, or if it was measured otherwise."""
    try:
        best = checkpoint.read_meta(run.pointed(run.best))["score"]
    except DataError:
        return math.inf
    return float(best["value"]) if best["protocol"] == protocol else math.inf


class ScoreWriter:
    """Scores against held-out images after a checkpoint, as often as their share of the run's time allows.

    Its pictures are not those that pick the best checkpoint. `finish` scores the end of a run, if that is not done.
    What goes wrong is said and written down, and the run goes on without scores.
    """

    def __init__(self, cadence: Cadence, judge: Judge, most_time: float) -> None:
        self.cadence = cadence
        self.judge: Judge | None = judge
        self.most_time = most_time
        self.seconds = 0.0
        self.last_seconds = _FIRST_SCORES
        self.scored_images = 0

    def __call__(self, session: Session) -> None:
        if self.seconds + self.last_seconds < self.most_time * session.progress.seconds:
            self.finish(session)

    def finish(self, session: Session) -> None:
        """Score what there is now."""
        progress = session.progress
        if self.judge is None or progress.images == self.scored_images:
            return
        start = time.perf_counter()
        try:
            scores = self.judge(self._pictures(session, self.judge.reference))
        except SteadyganError as problem:
            self.judge = None
            text = f"no more scores against held-out images: {problem}"
            session.say(text)
            records.append(session.run.notes, Note(step=progress.steps, images=progress.images, text=text))
            return
        for score in scores:
            kept = score.model_dump(exclude={"unit", "says"})
            records.append(session.run.scores, Score(step=progress.steps, images=progress.images, **kept))
        self.scored_images, self.last_seconds = progress.images, time.perf_counter() - start
        self.seconds += self.last_seconds

    @staticmethod
    def _pictures(session: Session, reference: Reference) -> Iterator[Tensor]:
        """By the statistics that the checkpoint before it measured."""
        network = session.average.network
        latents = fixed_latents(reference.count, session.latent_dim, session.config.seed, "held-out scores")
        labels = reference.dataset.labels
        given = () if labels is None else session.given(torch.from_numpy(labels[reference.real]))
        for part in zip(*(one.split(session.config.batch) for one in (latents, *given)), strict=True):
            yield generate(network, *part, batch=session.config.batch)


def finish_pictures(session: Session) -> None:
    """The pictures that need the whole run: `progress.gif` and `curves.png`."""
    frames = session.run.fixed_samples()
    if session.runtime.main and frames:
        captions = [f"{int(frame.stem):,} images" for frame in frames]
        save_gif(frames, session.run.progress, captions=captions)
        draw_curves(session)
