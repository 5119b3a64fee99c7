"""What a run writes down: ticks, scores, findings and notes, one JSON object per line.

Together with `rundir` this is the narrow waist of steadygan: training writes these records,
and everything else (curves, doctor, reports, the studio) only reads them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steadygan.errors import DataError, os_errors
from steadygan.names import to_json
from steadygan.rundir import append_line, atomic_write, storage_errors, undisturbed

__all__ = ["Score"]

Severity = Literal["info", "warning", "serious"]
Better = Literal["lower", "higher", "as reals"]


_MOST = 2**53
"""Every whole number up to it is a float of its own, here and in a browser."""


def now() -> str:
    """The present time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Record(BaseModel):
    """A line of one of the run folder's `.jsonl` files; unknown fields of newer versions are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", ser_json_inf_nan="constants")

    step: int = Field(ge=0, le=_MOST)
    images: int = Field(default=0, ge=0, le=_MOST)

    def later_than(self, images: int, decides: bool = True) -> bool:
        """Whether it was written after the checkpoint of so many images; `decides` if care was yet to decide there."""
        return self.images > images


class Tick(Record):
    """What happened since the last tick: means over the interval, losses as they were before each update.

    `images` counts real images shown to the discriminator; `seconds` is training time since the run
    began, earlier sessions included and pauses excluded; `d_real` and `d_fake` are mean logits; `shares` holds what
    each penalty and each of the generator's terms added to the loss. `loss_d` is the sum of `loss_d_real` and
    `loss_d_fake`, which a loss without halves has not; `path` is the share of steps in which the discriminator moved on
    them apart (path A of moderated turns), 0 if it always moved on both together.
    """

    seconds: float
    images_per_second: float
    loss_d: float
    loss_g: float
    loss_d_real: float | None = None
    loss_d_fake: float | None = None
    path: float = 0.0
    penalty: float = 0.0
    generator_terms: float = 0.0
    shares: dict[str, float] = Field(default_factory=dict)
    d_real: float
    d_fake: float
    accuracy_real: float
    accuracy_fake: float
    grad_norm_d: float
    grad_norm_g: float
    lr_d: float
    lr_g: float
    input_wait_fraction: float = 0.0
    memory_mb: float = 0.0
    threads: int = 0


class Signals(Record):
    """What the doctor reads besides ticks, measured between two steps; what cannot be measured in a run is None.

    Each `*_real` is the same quantity of as many training images, the reference to compare with, the same in every line
    of a run. Pictures are 64, of the generator as it trains (in training mode), from fixed latents, if not said
    otherwise. Levels have a range of 1. Points, which are pictures of one pixel, have no looks.

    `d_*` and `accuracy_*` are the discriminator's mean logits and the shares it judges rightly, of training images, of
    held-out ones (None of fewer than 16) and of pictures, all under the same conditions: as the game shows them, in the
    modes in which it plays. `gradients` are, by player and layer, the root mean square of the last update's gradient,
    `updates` the length of that update over the length of the layer's weights (empty for an optimizer of one's own).
    `diversity` is the mean root mean square difference of two thumbnails of 16 pixels, `rank` their effective rank, 0
    to 63, `ms_ssim` the mean likeness of pictures, `twins` the share of pictures nearer to another one than 99 of 100
    reals are to theirs, `copies` that of pictures nearer to a training image (of up to 2,048) than 99 of 100 held-out
    ones are: by chance 0.01, or 1 / (M + 1) with M < 100 held-out images. `movement` is the mean difference of a
    picture to that of the same latent in the last line, over the reals' diversity; None in the first line after a start
    or a resume. `distance` is a sliced Wasserstein distance to training images, lower is better, 0.05 to 0.1 of other
    reals. `checkerboard` is the power at the frequencies of a grid of 2 or 4 pixels over that at those nearby, of the
    grid that stands out most: about 1 without a grid, 10 and more with one. `contrast` is the mean deviation within a
    channel of a picture, `colour` the mean of each channel, `saturated` the share of values at the ends of the range.
    `dead` is, by player, the share of a layer's units behind an activation that answer the same to everything, in the
    layer with the most. `modes` is the mean difference of a picture with batch norms in training and in evaluation
    mode, over the contrast; None without any, and large until their statistics have settled, some 50 steps. `augment`
    is the probability with which augmentation is applied, `leak` how far pictures have moved from reals (0) to
    augmented reals (1), None where these are hardly different. `inputs` are least, mean, deviation and most of the
    reals as the discriminator is given them. `seconds` is what measuring took.
    """

    d_real: float | None = None
    d_held_out: float | None = None
    d_fake: float | None = None
    accuracy_real: float | None = None
    accuracy_held_out: float | None = None
    accuracy_fake: float | None = None
    gradients: dict[str, dict[str, float]] = Field(default_factory=dict)
    updates: dict[str, dict[str, float]] = Field(default_factory=dict)
    diversity: float | None = None
    diversity_real: float | None = None
    rank: float | None = None
    rank_real: float | None = None
    ms_ssim: float | None = None
    ms_ssim_real: float | None = None
    twins: float | None = None
    copies: float | None = None
    movement: float | None = None
    distance: float | None = None
    checkerboard: float | None = None
    checkerboard_real: float | None = None
    contrast: float | None = None
    contrast_real: float | None = None
    colour: tuple[float, ...] = ()
    colour_real: tuple[float, ...] = ()
    saturated: float | None = None
    saturated_real: float | None = None
    dead: dict[str, float] = Field(default_factory=dict)
    modes: float | None = None
    augment: float | None = None
    leak: float | None = None
    inputs: tuple[float, ...] = ()
    seconds: float = 0.0


class Score(BaseModel):
    """A metric of generated pictures. Two scores compare only if their `protocol` is the same.

    `floor` is what reals score against other reals; from `low` to `high` lies the value at infinitely many repetitions
    with 95 % probability, sampling of both sides considered.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    metric: str
    value: float
    floor: float | None = None
    low: float | None = None
    high: float | None = None
    better: Better = "lower"
    unit: str = ""
    says: str = ""
    protocol: str

    def at(self, step: int, images: int) -> DatedScore:
        """The same as a record of a run."""
        return DatedScore.model_validate(self.model_dump() | {"step": step, "images": images})


class DatedScore(Score, Record):
    """A score at one moment of a run."""


class Finding(Record):
    """Something the doctor noticed, with the evidence for it and the remedy.

    `step` and `images` are when it was first to be seen. `says` is it in a few words, `causes` what usually leads to
    it, `remedy` what to do, the first thing to try first, `unless` when that advice does not hold, `picture` a file of
    the run folder that shows it. `back_to` is set where the run went back: to the state after so many images, 0 being
    fresh weights. What was written after that, up to and with `images`, is of weights that were given up.
    """

    rule: str
    severity: Severity
    says: str = ""
    evidence: str
    causes: str = ""
    remedy: str
    unless: str = ""
    source: str = ""
    picture: str = ""
    back_to: int | None = Field(default=None, ge=0)

    @property
    def act(self) -> str:
        """What care did, in a word or two, as in "set back"; "" if this is no act of care."""
        return self.rule.removeprefix("care-").replace("-", " ") if self.rule.startswith("care-") else ""

    def later_than(self, images: int, decides: bool = True) -> bool:
        """Care acts when a checkpoint is written."""
        return super().later_than(images) or bool(decides and self.act and self.images == images)

    def gave_up(self, images: int) -> bool:
        """Whether the run went back over what it was after so many images."""
        return self.back_to is not None and self.back_to < images <= self.images


class Note(Record):
    """A line of the observation log, written by the run itself or by the user."""

    time: str = Field(default_factory=now)
    author: Literal["run", "user"] = "run"
    text: str


def scores_alike(scores: Iterable[DatedScore]) -> dict[tuple[str, str], list[DatedScore]]:
    """By metric and protocol the scores that compare, oldest first."""
    found: dict[tuple[str, str], list[DatedScore]] = {}
    for score in sorted(scores, key=lambda score: score.images):
        found.setdefault((score.metric, score.protocol), []).append(score)
    return found


CLOSE = 1.25
"""How far above the lowest score that picks the best checkpoint a later one may be and still be the best."""


def nearly_lowest(values: Iterable[float]) -> list[int]:
    """Where values, oldest first, are at most a quarter above the lowest until then."""
    lowest, found = math.inf, []
    for place, value in enumerate(values):
        lowest = min(lowest, value)
        if value <= CLOSE * lowest:
            found.append(place)
    return found


def close_to_best(scores: Iterable[DatedScore]) -> list[DatedScore]:
    """Of the scores that pick a run's checkpoint, oldest first, those that are `nearly_lowest`.

    The last of them is the best. A run that falls apart loses far more than a quarter. Short of that a lower score says
    little: of eight runs of four minutes that had one earlier, five were nearer to held-out images at their end by 8 to
    29 %, judged by features learned on the set, and three farther by 2 % at most.
    """
    scores = list(scores)
    return [scores[place] for place in nearly_lowest(score.value for score in scores)]


R = TypeVar("R", bound=Record)


def append(path: Path, record: Record) -> None:
    """Add one record to a `.jsonl` file; a line is either wholly there or ignored by `read`."""
    append_line(path, to_json(record))


@os_errors()
def read(path: Path, kind: type[R]) -> list[R]:
    """All records of a file, oldest first; a missing file is an empty list.

    A last line cut short by a crash is passed over; damage anywhere else raises DataError.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            records.append(kind.model_validate(json.loads(line)))
        except (ValueError, ValidationError, RecursionError) as problem:
            if number == len(lines):
                break
            raise DataError(f"{path}, line {number} is not a {kind.__name__}; repair or delete that line") from problem
    return records


def keep_until(path: Path, images: int, kind: type[R], decides: bool = True) -> None:
    """Drop the records later than `images`: a resumed run writes them again."""
    if not path.exists():
        return
    with storage_errors(path), undisturbed(path):
        kept = [record for record in read(path, kind) if not record.later_than(images, decides)]
        atomic_write(path, "".join(to_json(record) + "\n" for record in kept))
