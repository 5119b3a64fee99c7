"""What happens beside the game: records, pictures, scores and checkpoints. Each is called at its own cadence."""

from __future__ import annotations

import json
import shlex
import time
from contextlib import suppress
from typing import Any, ClassVar

import torch

from steadygan import records
from steadygan.doctor.case import Case, loss_of
from steadygan.doctor.divergence import NOT_FINITE
from steadygan.doctor.remedies import times
from steadygan.errors import Diverged, SteadyganError
from steadygan.networks import classes_of
from steadygan.records import Note, Record, Tick
from steadygan.report.write import write_report
from steadygan.runs import Run, checkpoints
from steadygan.schedule import ScheduleSettings, at
from steadygan.training import checkpoint
from steadygan.training.config import Cadence
from steadygan.training.not_finite import first_not_finite
from steadygan.training.sampling import labels_in_turn, rows
from steadygan.training.scores import Scores
from steadygan.training.seeds import fixed_latents
from steadygan.training.session import Progress, Session
from steadygan.training.snapshot import Snapshot
from steadygan.training.state import pack, weights
from steadygan.visual.curves import save_curves
from steadygan.visual.gif import save_gif
from steadygan.visual.grid import save_picture
from steadygan.visual.points import picture

_STATISTICS = 128  # latents from which batch-norm statistics are measured for a picture; a checkpoint takes more
_FIRST_SCORES = 2.0  # seconds that scores are thought to take before they have been measured
_FIRST_DRAWING = 0.5  # seconds that curves are thought to take before they have been drawn
_DRAWING_SHARE = 0.01  # of the run's time at most goes into redrawing the curves


class Listener:
    """Called after a step that passes a multiple of its `cadence`, and after the last one.

    All that are called after one step get the same snapshot, whose `statistics` are on the most latents any of them
    asks for. Every process calls its listeners alike; those that write do so in the first, `session.runtime.main`.
    """

    cadence: Cadence
    statistics = 0
    at_start: ClassVar[bool] = False
    """Whether it also acts before the first step of a run that starts from trained networks."""

    def begin(self, session: Session) -> None:
        """Act once before the first step, when the run folder holds what the run goes on from."""

    def __call__(self, session: Session, now: Snapshot) -> None:
        """Act on what there is after this step."""

    def finish(self, session: Session, now: Snapshot, done: bool) -> None:
        """Act once at the end, after every listener was called; `done` if its budget is spent, not if stopped."""

    def hear(self, session: Session, record: Record) -> None:
        """Know a record that was just written; in the process that writes."""

    def leave(self, session: Session, failed: bool) -> None:
        """Let go of what is held, after the last note, whatever ended the run; `failed` if it neither ended well nor
        was stopped.
        """


class TickWriter(Listener):
    """Writes a line of `log.jsonl`. The one place where the run waits for the device, and sees a divergence."""

    def __init__(self, cadence: Cadence, start: Progress) -> None:
        self.cadence = cadence
        self.last = (start.seconds, start.images, 0.0)
        self.written = -1

    def begin(self, session: Session) -> None:
        self.written = max((tick.images for tick in session.run.log()), default=-1)

    def __call__(self, session: Session, now: Snapshot) -> None:
        meter, progress = session.meter, session.progress
        if meter.total is None:
            return
        sums = torch.cat([meter.total, session.game.healthy.reshape(1) * meter.count]) / meter.count
        *means, healthy = session.runtime.mean(sums).tolist()
        _refuse_divergence(session, healthy)
        seconds, images, waited = self.last
        elapsed = max(progress.seconds - seconds, 1e-9)
        settings = session.config.scheduled().optimizer
        tick = Tick(
            step=progress.steps,
            images=progress.images,
            seconds=round(progress.seconds, 3),
            images_per_second=round((progress.images - images) / elapsed, 2),
            input_wait_fraction=round((session.input_wait_seconds - waited) / elapsed, 4),
            threads=session.threads.now,
            memory_mb=round(session.runtime.memory_mb(), 1),
            lr_d=at(settings.discriminator.lr, session.game.images),
            lr_g=at(settings.generator.lr, session.game.images),
            **_fields(dict(zip(meter.names, means, strict=True))),
        )
        session.threads.look()
        self.last = (progress.seconds, progress.images, session.input_wait_seconds)
        meter.total, meter.count = None, 0
        if session.runtime.main and progress.images != self.written:  # a run that care ended may come to its end again
            session.write(tick)


def _fields(means: dict[str, float]) -> dict[str, Any]:
    """Means by the fields of a tick; those of single penalties and terms together in one."""
    shares = {name: value for name, value in means.items() if "." in name}
    return {name: value for name, value in means.items() if name not in shares} | {"shares": shares}


def _refuse_divergence(session: Session, healthy: float) -> None:
    """Stop, in every process, if a value was not finite in any; say and write down which layer made it."""
    if healthy < 1:
        where = first_not_finite(session)
        evidence, advice = _diverged(session)
        if session.runtime.main:
            config = session.config.dump()
            found = NOT_FINITE.finding(Case({}, config, loss_of(config)), f"{evidence}; {where}")
            now = {"step": session.progress.steps, "images": session.progress.images}
            session.write(found.model_copy(update=now))
        problem = Diverged(f"training diverged: {evidence}; {where}; {advice}")
        problem.evidence = f"{evidence}; {where}"
        raise problem


def _diverged(session: Session) -> tuple[str, str]:
    """When a value was not finite: who and when; what is left, and what to try."""
    game = session.game
    generator = game.optimizers["generator"]
    player = "generator" if bool(generator.broke) else "discriminator"
    latest = session.run.files.latest
    kept = latest.read_text(encoding="utf-8").strip() if latest.exists() else None
    left = f"the last good checkpoint is {kept}" if kept else "no checkpoint had been written yet"
    rate = getattr(session.config.optimizer, player).lr
    slower = times(rate.model_dump(mode="json") if isinstance(rate, ScheduleSettings) else rate, 0.5)
    lower = shlex.quote(f"optimizer.{player}.lr={json.dumps(slower)}")
    advice = (
        f"no weight was changed with it and {left}. In a new run, try a lower learning rate "
        f"(--set {lower}) or a gradient penalty "
        '(--set \'penalties=[{"kind":"r1","gamma":1}]\')'
    )
    return f"the {player}'s gradient was not finite after {int(generator.turns):,} turns of the generator", advice


class SampleWriter(Listener):
    """Grids from the fixed latents and from fresh ones, and now and then the curves."""

    statistics = _STATISTICS
    at_start = True

    def __init__(self, cadence: Cadence) -> None:
        self.cadence = cadence
        self.drawing_seconds, self.last_seconds = 0.0, _FIRST_DRAWING

    def __call__(self, session: Session, now: Snapshot) -> None:
        if not session.runtime.main:
            return
        images, seed, count = session.progress.images, session.config.seed, session.config.samples.count
        reals = session.dataset.images[: 4 * count] if session.dataset.spec.size == 1 else None
        classes = classes_of(session.average.network)
        for path, place in (
            (session.run.files.sample(images), ("samples",)),
            (session.run.files.random_sample(images), ("random samples", images)),
        ):
            latents = fixed_latents(range(count), session.latents, seed, *place)
            pictures = now.pictures(latents, *labels_in_turn(range(count), classes))
            save_picture(picture(rows(pictures), reals, classes), path)
        if self.drawing_seconds + self.last_seconds < _DRAWING_SHARE * session.progress.seconds:
            start = time.perf_counter()
            draw_curves(session)
            self.last_seconds = time.perf_counter() - start
            self.drawing_seconds += self.last_seconds


def draw_curves(session: Session) -> None:
    """`curves.png` from the records so far."""
    run = session.run
    save_curves(run.log(), run.files.curves, run.scores(), run.findings())


class CheckpointWriter(Listener):
    """Picks by the averaged generator's pictures, saves everything, keeps the newest and the best."""

    statistics = 4 * _STATISTICS
    at_start = True

    def __init__(self, cadence: Cadence, scores: Scores | None) -> None:
        self.cadence = cadence
        self.scores = scores

    def __call__(self, session: Session, now: Snapshot) -> None:
        _refuse_divergence(session, float(session.runtime.mean(session.game.healthy)))
        if self.scores:  # in the first process
            score = self.scores.pick(session, now)
            plain, tensors = pack(session.state_dict())
            meta = {"config": session.asked.dump(), "state": plain, "score": score}
            networks = session.networks() | {"average": now.network}
            parts = {name: weights(network) for name, network in networks.items()}
            checkpoint.save(session.run.files, session.progress.images, {**parts, "state": tensors}, meta)
            session.run.pick(score)
            session.hear(score)
            prune(session)
        session.runtime.wait()


def prune(session: Session) -> None:
    """Delete checkpoints that are neither new, nor the best, nor needed by care or to undo what it did."""
    needed = (*session.care.needs(), *_undoing(session.run))
    checkpoints.prune(session.run.files, session.config.checkpoint.keep, needed)


def _undoing(run: Run) -> list[int]:
    """The checkpoint from which the last set-back can be undone, if any, by its images."""
    backs = [act.images for act in run.findings() if act.back_to is not None]
    return [one.images for one in run.checkpoints() if backs and one.images <= backs[-1]][-1:]


class ScoreWriter(Listener):
    """Scores against held-out images after a checkpoint, as often as their share of the run's time allows.

    Its pictures are not those that pick the best checkpoint. The end of a run is scored in any case. What goes wrong is
    said and written down, and the run goes on without scores.
    """

    statistics = CheckpointWriter.statistics

    def __init__(self, cadence: Cadence, scores: Scores, most_time: float) -> None:
        self.cadence = cadence
        self.scores: Scores | None = scores
        self.most_time = most_time
        self.seconds = 0.0
        self.last_seconds = _FIRST_SCORES
        self.scored_images = 0

    def __call__(self, session: Session, now: Snapshot) -> None:
        if self.seconds + self.last_seconds < self.most_time * session.progress.seconds:
            self._score(session, now)

    def finish(self, session: Session, now: Snapshot, done: bool) -> None:
        if done and session.progress.images != self.scored_images:
            self._score(session, now)

    def _score(self, session: Session, now: Snapshot) -> None:
        if self.scores is None:
            return
        run, start = session.run, time.perf_counter()
        try:
            found = self.scores.report(session, now)
        except SteadyganError as problem:
            self.scores = None
            text = f"no more scores against held-out images: {problem}"
            session.say(text)
            steps, images = session.progress.steps, session.progress.images
            records.append(run.files.notes, Note(step=steps, images=images, text=text))
            return
        session.run.add_scores(found)
        for score in found:
            session.hear(score)
        self.scored_images, self.last_seconds = session.progress.images, time.perf_counter() - start
        self.seconds += self.last_seconds


class FilmWriter(Listener):
    """The pictures that need the whole run: `progress.gif` and `curves.png`, at its end."""

    cadence = Cadence()

    def finish(self, session: Session, now: Snapshot, done: bool) -> None:
        draw_whole_run(session)


class LastWords(Listener):
    """How the run ended, in its notes, and `report.html`; after all others, whose files that shows."""

    cadence = Cadence()

    def finish(self, session: Session, now: Snapshot, done: bool) -> None:
        if session.runtime.main:
            images = session.progress.images
            session.run.note(f"{'finished' if done else 'stopped on request'} after {images:,} images", "run")
            tell(session)


def last_words_of_a_failure(session: Session, problem: Exception) -> None:
    """As `LastWords`, with the pictures of the whole run, as far as what ended the run lets it be written."""
    text = str(problem) or type(problem).__name__
    if not isinstance(problem, Diverged):
        text = f"ended by an error after {session.progress.images:,} images: {text}"
    for act in (lambda: session.run.note(text, "run"), lambda: draw_whole_run(session), lambda: tell(session)):
        with suppress(Exception):  # what is told is `problem`
            act()


def tell(session: Session) -> None:
    """Write `report.html`; what goes wrong with it is a note, for it must not be how a run ends."""
    try:
        write_report(session.run)
    except Exception as problem:  # noqa: BLE001 - all is saved, and a report can be written again
        with suppress(SteadyganError):  # of a disk that is full now
            session.run.note(f"report.html could not be written: {problem}", "run")


def draw_whole_run(session: Session) -> None:
    """`progress.gif` and `curves.png`."""
    frames = session.run.files.fixed_samples()
    if session.runtime.main and frames:
        captions = [f"{int(frame.stem):,} images" for frame in frames]
        save_gif(frames, session.run.files.progress, captions=captions)
        draw_curves(session)
