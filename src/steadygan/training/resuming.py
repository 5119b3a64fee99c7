"""Continuing a run: under the settings it had, from its last checkpoint, without what was written after that."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from steadygan.care import AnyCare
from steadygan.claim import writer
from steadygan.config import difference, flatten, resolve
from steadygan.data import is_missing, is_path
from steadygan.doctor.audit.plan import DEFAULT_IMAGES
from steadygan.errors import ConfigError, DataError, os_errors
from steadygan.names import path_of
from steadygan.records import close_to_best
from steadygan.runs import Run, SavedCheckpoint
from steadygan.training import checkpoint
from steadygan.training.budget import expected_seconds, spent, with_schedules
from steadygan.training.build import make_parts, make_session
from steadygan.training.caring import put_on
from steadygan.training.changing import beside
from steadygan.training.config import Budget, Cadence, CarePart, RunConfig, Settings
from steadygan.training.console import Reporter, Silent, reporter
from steadygan.training.listeners import prune
from steadygan.training.restoring import stored_config
from steadygan.training.run import make_listeners, play_out, write_info
from steadygan.training.runtime import enough_memory
from steadygan.training.session import Progress
from steadygan.training.state import unpack


@os_errors()
def resume(
    path: str | Path,
    budget: Budget | None = None,
    data: str = "",
    console: Reporter | None = None,
    recipe: RunConfig | None = None,
    care: str | AnyCare = "",
    checkpoint: str = "latest",
) -> Run:
    """Continue a run from its latest checkpoint, bit by bit as if it had not stopped (on the same kind of machine).

    `budget` replaces the run's own and counts from the run's beginning; `data` says where the images are now; `care`
    replaces what the run does by itself. `recipe` is the configuration the run was started with, if it holds objects of
    the user's own. Another `checkpoint` is one by its name; what came after it is removed.
    Raises ConfigError if the run is still training.
    """
    run = Run(Path(path))
    run.info()  # before a lock is put into what is no run
    with writer(run.path):
        config = _config(run, recipe, budget, data, care)
        saved = _from(run, config, checkpoint)
        return _go_on(run, _with_schedules(config, saved, run), saved, console)


def _go_on(run: Run, config: RunConfig, saved: SavedCheckpoint | None, console: Reporter | None) -> Run:
    info = run.info()
    tensors = checkpoint.load(saved) if saved else {}
    console = console or reporter()
    with closing(console), enough_memory():
        parts = make_parts(config, console, convolutions=info.device.convolutions)
        console = console if parts.runtime.main else Silent()
        if parts.dataset.digest != info.data.digest:
            raise DataError(
                f"the images in {config.data.source} are not those this run was trained on (another digest); "
                "say where those are with --data, or start a new run"
            )
        parts.load_weights(tensors, run.path)
        session = make_session(parts, run.path, console)
        if saved:
            state = unpack(saved.meta.state, tensors["state"])
            if state.get("changes"):
                put_on(session, state["changes"])
            session.load_state_dict(state)
        listeners = make_listeners(session)
        if parts.runtime.main:
            if saved:  # first, so that one that is killed here goes on from the same
                run.call_latest(saved.images)
            run.forget_later(session.progress.images, session.decides)
            _mend_scores(run)
            prune(session)
            write_info(session, parts.pair, info)
            run.note(f"resumed after {session.progress.images:,} images", "run")
        parts.runtime.wait()
        return play_out(session, console, listeners)


class _Care(Settings):
    """What may be given for `care`."""

    care: CarePart


def _config(run: Run, recipe: RunConfig | None, budget: Budget | None, data: str, care: str | AnyCare) -> RunConfig:
    """The configuration of the run, with what is new."""
    config = stored_config(run, recipe)
    if care:
        config = config.model_copy(update={"care": resolve(_Care, {"care": care}).care})
    if config.care.fixed_looks and config.doctor.is_open() and config.doctor.most_time:  # as `with_cadence` has it
        times = {name: every and -(-every // 5) for name, every in _every(config.checkpoint).items()}
        config = config.model_copy(update={"doctor": config.doctor.model_copy(update=times)})
    if budget is not None and not budget.is_open():
        config = config.model_copy(update={"budget": budget})
    source = str(path_of(data).absolute()) if data and is_path(data) else data or config.data.source
    if is_missing(source):
        raise DataError(f"the images of this run are not in {source}; say where they are with --data FOLDER")
    return config.model_copy(update={"data": config.data.model_copy(update={"source": source})})


def _with_schedules(config: RunConfig, saved: SavedCheckpoint | None, run: Run) -> RunConfig:
    """With schedules as long as another budget lets the run be at the speed it had, if it had any."""
    if saved and (done := Progress(**saved.meta.progress)).images:
        rate = done.images / max(done.seconds, 1e-9)
        images = rate * expected_seconds(config.budget, rate, done.images / done.steps)
    else:
        images = run.info().config["budget"].get("schedule_images") or DEFAULT_IMAGES
    return config.model_copy(update={"budget": with_schedules(config.budget, images)})


def _every(cadence: Cadence) -> dict[str, int | None]:
    return {"every_images": cadence.every_images, "every_steps": cadence.every_steps}


def _from(run: Run, config: RunConfig, which: str) -> SavedCheckpoint | None:
    """The checkpoint to continue from; None if the run was killed before its first, and starts again."""
    there = run.checkpoints()
    if which == "latest" and not run.files.latest.exists():
        if not there:
            _refuse_if_deleted(run)
            return None
        which = there[-1].name
    saved = run.checkpoint(which)
    _same_settings(saved.meta.config, config, run)
    if (used := spent(config.budget, Progress(**saved.meta.progress))) >= 1:
        raise ConfigError(
            f"{run.path} has used {used:.0%} of its budget ({saved.images:,} images); "
            f"give a larger one, such as --images {2 * saved.images}"
        )
    return saved


def _refuse_if_deleted(run: Run) -> None:
    """A run that scored a checkpoint and has none lost it by another hand; starting again would lose the rest."""
    if scores := run.scores():
        raise DataError(
            f"{run.path} had a checkpoint after {scores[-1].images:,} images, but it is gone; start a new run"
        )


def _same_settings(before: dict[str, Any], config: RunConfig, run: Run) -> None:
    """Refuse to continue under other settings than the checkpoint's own, but for those that change no weight."""
    known, usual = flatten(before), flatten(RunConfig().dump())
    changed = {
        name: (old, new)
        for name, (old, new) in difference(before, config.dump()).items()
        if not beside(config, name)
        and not _moved(name, old, new)
        and not (name not in known and name in usual and new == usual[name])  # of a version that did not have it yet
    }
    if changed:
        lines = "; ".join(f"{name} was {old!r} and is now {new!r}" for name, (old, new) in changed.items())
        raise ConfigError(
            f"{run.files.run_json} was changed since the checkpoint: {lines}. Put it back or start a new run"
        )


def _moved(name: str, old: Any, new: Any) -> bool:
    """Whether it is only the file of a class of the user's own that is another, as when a notebook becomes a recipe."""
    return name.endswith(".type") and str(old).rpartition(".")[2] == str(new).rpartition(".")[2]


def _mend_scores(run: Run) -> None:
    """Write the scores and the name of the best again, as they were before the run was killed between a checkpoint and
    them, or was sent back over its best.
    """
    scores = {one.images: one.meta.score for one in run.checkpoints() if one.meta.score}
    run.add_scores(scores.values())
    if scores:
        picks = [one for one in run.scores() if one.protocol == scores[max(scores)].protocol]
        there = [one for one in picks if one.images in scores]
        close = [one for one in close_to_best(picks) if one in there]
        run.call_best((close[-1] if close else min(there, key=lambda score: score.value)).images)
