"""Care beside the loop: it lets the policy decide, and is the one place where acts are applied."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from textwrap import shorten

from torch import Tensor

from steadygan.care import Act, Changes, Continue, Moment, RollBack, Stop
from steadygan.doctor.remedies import written
from steadygan.errors import ConfigError, DataError, Diverged
from steadygan.networks import Pair
from steadygan.records import Finding, Note, append
from steadygan.runs import SavedCheckpoint
from steadygan.training import checkpoint
from steadygan.training.build import make_game, make_pair
from steadygan.training.changing import changed
from steadygan.training.session import Meter, Session
from steadygan.training.state import unpack

Tensors = Mapping[str, Mapping[str, Tensor]]

_SAID = 160  # characters of a reason that are said; all of it is written down
_UNDONE = "undoes it: goes on from just before, without care"
_WITHOUT = "goes on without care"


def decide(session: Session, problem: Diverged | None = None) -> bool:
    """Let the policy decide, and do it, in every process alike. Whether the run is to end.

    Raises `problem`, which is a value that was not finite, if nothing is done about it.
    """
    act: Act = Continue()
    if session.runtime.main:
        moment = moment_of(session, problem)
        act = _from_whole(session, session.care.decide(moment), moment.checkpoints)
    act = session.runtime.agreed(act)
    if problem is not None and not isinstance(act, RollBack):
        raise problem
    before = session.changes
    if isinstance(act, RollBack):
        set_back(session, act)
    if act.reason and session.runtime.main:
        _tell(session, act, before)
    return isinstance(act, Stop)


def moment_of(session: Session, problem: Diverged | None = None) -> Moment:
    """What a policy is told, in the process that writes."""
    run, config, acts = session.run, session.config, session.run.findings()
    best = run.checkpoint("best").images if run.files.best.exists() else None
    there = [one for one in run.checkpoints() if not any(act.gave_up(one.images) for act in acts)]
    warned = [one for one in acts if one.severity != "info" and not any(act.gave_up(one.images) for act in acts)]
    return Moment(
        session.progress.images,
        session.case(),
        tuple(one.images for one in there if problem is None or _regular(one)),
        best,
        session.changes,
        "" if problem is None else problem.evidence,
        lambda changes: _allowed(session, changes),
        fresh=not config.start.source,
        advised=tuple(one for one in warned if one.step == 0),
        found=tuple(one for one in warned if one.step > 0),
    )


def _regular(saved: SavedCheckpoint) -> bool:
    """Whether a run that is never stopped has this checkpoint, too; one that cannot be read tells when it is loaded."""
    try:
        return bool(saved.meta.state.get("decides", True))
    except DataError:
        return True


def _allowed(session: Session, changes: Changes) -> bool:
    try:
        changed(session.config, changes, session.dataset.spec, session.runtime.world)
    except ConfigError:
        return False
    return True


def _from_whole(session: Session, act: Act, there: Sequence[int]) -> Act:
    """The same act; where the checkpoint to go back to is damaged, from the newest earlier one that is whole, or anew.

    DataError if there is none and the run may not begin anew.
    """
    if not isinstance(act, RollBack) or act.to_images is None:
        return act
    damage: DataError | None = None
    for images in reversed([one for one in there if one <= act.to_images]):
        try:
            SavedCheckpoint(session.run.files.checkpoint(images)).check()
        except DataError as problem:
            damage = damage or problem
        else:
            return replace(act, to_images=images, reason=f"{act.reason}; {damage}") if damage else act
    if session.config.start.source and damage:
        raise damage
    return replace(act, to_images=None, reason=f"{act.reason}; {damage}")


def set_back(session: Session, act: RollBack) -> None:
    """Go on from a checkpoint, or from fresh weights, under changed settings; images are counted on."""
    progress = vars(session.progress).copy()
    put_on(session, act.changes)
    if act.to_images is None:
        pair = make_pair(session.config, session.dataset.spec)
        weights = {name: network.state_dict() for name, network in pair._asdict().items()}
        _load(session, {**weights, "average": weights["generator"]})
    else:
        saved = SavedCheckpoint(session.run.files.checkpoint(act.to_images))
        tensors = checkpoint.load(saved)
        _load(session, tensors)
        session.game.load_state_dict(unpack(saved.meta.state, tensors["state"])["game"])
    vars(session.progress).update(progress)
    session.game.images = session.progress.images
    session.meter = Meter()


def put_on(session: Session, changes: Changes) -> None:
    """Rebuild the game around the same networks, by the settings that the user chose and these changes of them."""
    session.changes = changes
    session.config = changed(session.asked, changes, session.dataset.spec, session.runtime.world)
    pair = Pair(session.game.generator, session.game.discriminator)
    session.game = make_game(session.config, pair, session.dataset.spec, session.runtime.world)


def _load(session: Session, tensors: Tensors) -> None:
    for name, network in session.networks().items():
        network.load_state_dict(tensors[name])


def _tell(session: Session, act: Act, before: Changes) -> None:
    """Say it, and write it down as a note and as a finding; rules no longer see what the run was set back from."""
    run, now = session.run, session.progress
    back_to = (act.to_images or 0) if isinstance(act, RollBack) else None
    there = [one.name for one in run.checkpoints()][-1:] if back_to is not None else []
    without = " ".join(["steadygan resume RUN --care watch", *(f"--from-checkpoint {name}" for name in there)])
    anew = written(_anew(session, before))
    done = f"{act.sentence}, with {', '.join(anew)}" if anew else act.sentence
    finding = Finding(
        step=now.steps,
        images=now.images,
        rule=act.rule,
        severity="info",
        says=done,
        evidence=act.reason,
        remedy=f"{without} ({_UNDONE if there else _WITHOUT})",
        back_to=back_to,
    )
    session.write(finding)
    if session.story and back_to is not None:
        session.story.forget(back_to, now.images)
    note = Note(step=now.steps, images=now.images, text=f"care: {done}: {act.reason}")
    if not any(one.images == note.images and one.text == note.text for one in run.notes()):  # a killed run acts again
        append(run.files.notes, note)
    why = shorten(act.reason, _SAID, placeholder=" …")
    command = without.replace("RUN", shlex.quote(str(run.path)))
    session.say(f"care: {done}: {why}; {'to undo it' if there else 'without care'}: {command}")


def _anew(session: Session, before: Changes) -> Changes:
    """The settings that are others than under the changes before, as they are now."""
    case, after = session.case(), session.changes
    other = [place for place in {**before, **after} if before.get(place) != after.get(place)]
    return {place: after.get(place, case.setting(place)) for place in other}
