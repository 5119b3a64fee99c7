"""Care that reports only, and care that keeps a run alive and its best: the `care` setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, Field

from steadygan.care.acts import Act, Continue, Moment, RollBack, Stop
from steadygan.doctor.budget import past_best
from steadygan.doctor.remedies import PLAYERS, times
from steadygan.part import Value


class Policy(Protocol):
    """Decides what is done with a run, from its records; its state is part of a checkpoint, as plain data.

    The same moment in the same state leads to the same act, so that a run that was killed after one does it again.
    """

    def needs(self) -> tuple[int, ...]:
        """Checkpoints, by images seen, that it may still go back to."""
        ...

    def decide(self, moment: Moment) -> Act: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class State(BaseModel):
    """What keeping remembers: how often the run was set back, from where and whereto the last time.

    `last_to` None were fresh weights.
    """

    set_backs: int = 0
    last_at: int = -1
    last_to: int | None = None


class Watch(Value):
    """Nothing is done: what goes wrong is said, as the doctor finds it, and a value that is not finite ends the run."""

    fixed_looks: ClassVar[bool] = False

    kind: Literal["watch"] = "watch"

    def build(self) -> Policy:
        return Watching()


class Keep(Value):
    """The best is kept, a run long past it is ended, and one that diverges goes on from its last good checkpoint.

    It is ended when the score that picks the best checkpoint is clearly worse than at its best, and `patience` of the
    budget has passed since; `stop` false never ends it. Early stopping: Prechelt (1998), Early stopping - but when?,
    section 2. Where a value is not finite, the run is set back to its last checkpoint, or to the one before if that
    did not hold, or begins anew, with both learning rates times `lr_factor`; after `set_backs` times it ends as it
    does under `watch`.
    """

    fixed_looks: ClassVar[bool] = False
    """Whether it goes by the doctor's findings, which then looks at fixed images and not as time allows."""

    kind: Literal["keep"] = "keep"
    stop: bool = True
    patience: float = Field(default=0.3, gt=0, le=1)
    lr_factor: float = Field(default=1 / 3, gt=0, lt=1)
    set_backs: int = Field(default=5, ge=0)

    def build(self) -> Policy:
        return Keeping(self)


class Watching:
    """The policy of `Watch`."""

    def needs(self) -> tuple[int, ...]:
        return ()

    def decide(self, moment: Moment) -> Act:
        return Continue()

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


class Keeping:
    """The policy of `Keep`."""

    def __init__(self, settings: Keep, state: State | None = None) -> None:
        self.settings = settings
        self.state = state or State()

    def needs(self) -> tuple[int, ...]:
        return () if self.state.last_to is None else (self.state.last_to,)

    def decide(self, moment: Moment) -> Act:
        return self.set_back(moment) if moment.broken else self.past_best(moment)

    def past_best(self, moment: Moment) -> Act:
        """Whether the run is to be ended, its best long gone."""
        case, found = moment.case, past_best(moment.case)
        if not self.settings.stop or found is None or found.cheap:
            return Continue()
        since = (case.images - found.images) / (case.budget_images or case.images)
        if since < self.settings.patience:
            return Continue()
        return Stop(
            f"{found.called} was {found.best:.3g} after {found.images:,} images and is {found.now:.3g} now, "
            f"{found.now / found.best - 1:.0%} worse, {since:.0%} of the budget later"
        )

    def set_back(self, moment: Moment) -> Act:
        """To the newest checkpoint, or if one was tried already and none came since, to the one before that."""
        state, settings = self.state, self.settings
        slower = {
            place: times(moment.case.setting(place), settings.lr_factor)
            for place in (f"optimizer.{player}.lr" for player in PLAYERS)
        }
        if state.set_backs >= settings.set_backs or not moment.allowed(slower):
            return Continue()
        again = state.last_at >= 0 and not any(one > state.last_at for one in moment.checkpoints)
        earlier = -1 if state.last_to is None else state.last_to
        there = [one for one in moment.checkpoints if not again or one < earlier]
        if not (there or moment.fresh):
            return Continue()
        to = there[-1] if there else None
        self.state = state.model_copy(
            update={"set_backs": state.set_backs + 1, "last_at": moment.images, "last_to": to}
        )
        first, *_ = moment.broken.split("; ")  # what came of it is in the finding that says so
        return RollBack(to, {**moment.changes, **slower}, first)

    def state_dict(self) -> dict[str, Any]:
        return self.state.model_dump(mode="json")

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.state = type(self.state).model_validate(state)
