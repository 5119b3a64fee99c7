"""Another program's log as a case: its columns under our names, in the order of the run, as means like ticks."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steadygan.config import nearest
from steadygan.doctor.case import SCORES, Case, Series
from steadygan.doctor.collapse import LINES
from steadygan.doctor.losses import LOSSES
from steadygan.doctor.quantities import FIELDS, PLACES
from steadygan.doctor.reading import TOTAL, Column, Sheet, read_sheet
from steadygan.errors import ConfigError, DataError

_ALSO = {
    **dict.fromkeys(("bce", "vanilla", "ns", "dcgan", "logistic"), "non_saturating"),
    **dict.fromkeys(("wgan", "wgan-gp", "wgan_gp"), "wasserstein"),
    **dict.fromkeys(("lsgan", "mse"), "least_squares"),
}
POINTS = 2000  # ticks that a longer log is averaged to
_LEAST = 1e-6  # a probability's distance from 0 and 1, so that its logit is a number


@dataclass(frozen=True)
class Log:
    """Another program's log: the case, `read` which field was taken from which column, and `remarks` how.

    Where it does not say how many images were seen, one is counted for each step. It is taken for that of a whole run.
    """

    case: Case
    read: Mapping[str, str]
    remarks: tuple[str, ...] = ()


def read_log(path: Path, columns: Mapping[str, str] | None = None, loss: str = "") -> Log:
    """The log in a file. `columns` names columns by field, as in {"loss_d": "errD"}, where they are called otherwise
    than usual; `loss` is the kind of loss, "" if unknown.

    ConfigError for a field, a column or a loss that is not there; DataError if the file is empty, no text, or nothing
    in it is known.
    """
    asked, kind = dict(columns or {}), _kind(loss)
    for place in asked:
        if place not in FIELDS and not place.startswith(SCORES):
            raise ConfigError(f"column: there is no '{place}'{nearest(place, FIELDS) or '; '.join(['', _USUAL])}")
    sheet = read_sheet(path, asked)
    if not sheet.lines:
        raise DataError(f"{path} holds no number with a name; give a log as CSV, as JSON or as printed lines")
    chosen = _chosen(sheet)
    for place, name in asked.items():
        if place not in chosen or chosen[place].quantity.far >= 0:
            raise ConfigError(f"column {place}={name}: {path} has no such column with numbers; {_there(sheet)}")
    if not chosen.keys() - {*PLACES, *_ASIDE, TOTAL}:
        raise DataError(
            f"{path} has no column that says how the game goes; {_there(sheet)}; say which is which, as in "
            f"--column loss_d={shlex.quote([*sheet.names][-1])}"
        )
    remarks: list[str] = []
    if sheet.damaged:
        remarks.append(f"{sheet.damaged:,} damaged lines were passed over")
    order = _order(chosen, sheet.lines, remarks)
    series = {place: order.series(column) for place, column in chosen.items() if place not in {*PLACES, TOTAL}}
    kind = _settle(series, kind, chosen, remarks)
    names = {place: column.name for place, column in chosen.items() if place != TOTAL}
    case = Case(series=series, loss=kind)
    return Log(replace(case, budget_images=case.images), names, (*remarks, *_wanting(case, sheet, chosen)))


_ASIDE = ("lr_d", "lr_g", "signals.augment")  # says nothing of a game by itself


def _wanting(case: Case, sheet: Sheet, chosen: Mapping[str, Column]) -> Iterator[str]:
    """What could be told if more were known."""
    for place in ("loss_d", "loss_g"):
        used = chosen.get(place)
        others = [one.name for one in sheet.kept() if one.quantity.field == place and one is not used]
        if used and others and used.quantity.far >= 0:
            again = f"--column {place}={shlex.quote(others[0])}"
            yield f"{', '.join(others[:5])} may be {place}, too: ask again with {again}"
    losses = [len(case[place]) for place in ("loss_d", "loss_g") if place in case.series]
    if losses and max(losses) < LINES:
        yield f"{max(losses)} lines are too few to tell how a loss goes: from {LINES} on it can be"
    elif losses and not case.loss:
        yield "the kind of loss is not known: --loss bce (or wgan, lsgan, hinge, relativistic) lets more be judged"


_USUAL = "there are loss_d, loss_g, d_real, d_fake, accuracy_real, accuracy_fake, step, epoch, images and scores.NAME"


def _kind(loss: str) -> str:
    kind = _ALSO.get(loss.lower(), loss.lower().replace("-", "_"))
    if kind and kind not in LOSSES:
        raise ConfigError(f"loss: '{loss}' is not one of {', '.join(LOSSES)}{nearest(kind, [*LOSSES, *_ALSO])}")
    return kind


def _there(sheet: Sheet) -> str:
    names = [name for name in sheet.names if name != TOTAL]
    more = ", ..." if len(names) > 20 else ""
    return f"it has: {', '.join(names[:20])}{more}"


def _chosen(sheet: Sheet) -> dict[str, Column]:
    """A column for each field: the one that was asked for, or else the one most plainly called so."""
    found: dict[str, Column] = {}
    for column in sorted(sheet.kept(), key=lambda one: one.quantity.far):
        found.setdefault(column.quantity.field, column)
    return found


# -- in which order ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Order:
    """The point of each line among those of the run, -1 for what was done again later, and each point's place."""

    points: NDArray[np.int64]
    steps: NDArray[np.int64]
    images: NDArray[np.int64]

    def series(self, column: Column) -> Series:
        """A column as means over the lines of each point; one that is no number makes the mean none."""
        points = self.points[np.frombuffer(column.lines, np.int64)]
        used = points >= 0
        values = np.frombuffer(column.values)[used] * column.quantity.scale + column.quantity.offset
        count = np.bincount(points[used], minlength=len(self.steps))
        with np.errstate(invalid="ignore"):
            sums = np.bincount(points[used], weights=values, minlength=len(self.steps))
        there = count > 0
        return Series(self.steps[there], self.images[there], sums[there] / count[there])


def _order(chosen: Mapping[str, Column], lines: int, remarks: list[str]) -> _Order:
    """Where the lines of a log belong, from its steps, epochs or images, or else their own number."""
    steps, by = _steps(chosen, lines)
    back = np.append(np.where(np.diff(steps) < 0, steps[1:], np.iinfo(np.int64).max), np.iinfo(np.int64).max)
    kept = np.flatnonzero(steps < np.minimum.accumulate(back[::-1])[::-1])
    if len(kept) < lines:
        again = int((np.diff(steps) < 0).sum())
        remarks.append(f"{by} goes backwards {again:,} times: of what was done again the newest is read")
    if by == "line":
        remarks.append("nothing says where a line belongs: lines are counted")
    number = np.full(lines, -1, np.int64)
    number[kept] = np.arange(len(kept))
    count = min(len(kept), POINTS)
    if len(kept) > POINTS:
        number[kept] = number[kept] * POINTS // len(kept)
        remarks.append(f"{len(kept):,} lines were averaged to {POINTS:,} points")
    if "images" not in chosen:
        remarks.append("images are not counted: where they are spoken of, a step is meant")
    last = kept[np.searchsorted(number[kept], np.arange(count), side="right") - 1]
    images = _along(chosen["images"], lines) if "images" in chosen else steps
    return _Order(number, steps[last], np.maximum.accumulate(images.astype(np.int64)[last]))


def _steps(chosen: Mapping[str, Column], lines: int) -> tuple[NDArray[np.int64], str]:
    """The step of each line, and what it was taken from."""
    place = next((name for name in ("step", "batch") if name in chosen), "")
    if place:
        at = _along(chosen[place], lines)
        if "epoch" in chosen:
            epoch = _along(chosen["epoch"], lines)
            if TOTAL in chosen or ((np.diff(at) < 0) & (np.diff(epoch) > 0)).any():
                total = float(np.max(np.frombuffer(chosen[TOTAL].values))) if TOTAL in chosen else at.max() + 1
                at = at + epoch * total
        return _whole(_unwound(at)), chosen[place].name
    if "images" in chosen:
        return _whole(_along(chosen["images"], lines)), chosen["images"].name
    if "epoch" in chosen:
        epoch = _along(chosen["epoch"], lines)
        if len(np.unique(np.floor(epoch))) > lines / 2:
            return _whole(epoch), chosen["epoch"].name
    return np.arange(lines), "line"


def _along(column: Column, lines: int) -> NDArray[np.float64]:
    """A place for every line: its own, or else that of the last one before it that has one."""
    places = np.frombuffer(column.values) * column.quantity.scale + column.quantity.offset
    good = np.isfinite(places)
    if not good.any():
        return np.arange(lines, dtype=np.float64)
    at = np.searchsorted(np.frombuffer(column.lines, np.int64)[good], np.arange(lines), side="right") - 1
    return places[good][np.maximum(at, 0)]


def _unwound(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """A counter that begins anew in each of three or more epochs of the same length, as one that goes on."""
    ends = np.flatnonzero(np.diff(at) < 0)
    starts = np.concatenate([[0], ends + 1])
    if len(ends) < 3 or len({*at[ends]}) > 1 or len({*at[starts]}) > 1:
        return at
    epochs: NDArray[np.float64] = np.repeat(np.arange(len(starts), dtype=np.float64), np.diff([*starts, len(at)]))
    unwound: NDArray[np.float64] = at + epochs * (float(at.max()) + 1)
    return unwound


def _whole(places: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places as counts."""
    return np.clip(places, 0, 2.0**62).astype(np.int64)


# -- in which unit -----------------------------------------------------------------------------------------------------


def _settle(series: dict[str, Series], loss: str, chosen: Mapping[str, Column], remarks: list[str]) -> str:
    """Bring what programs write in several ways to the one that rules read; the kind of loss, as far as it is known."""
    if both := series.pop("accuracy", None):
        remarks.append(f"{chosen['accuracy'].name} is taken for the discriminator's accuracy on reals and fakes alike")
        for name in ("accuracy_real", "accuracy_fake"):
            series.setdefault(name, both)
    for name in [name for name in series if name.startswith("accuracy") and _most(series[name]) > 1.5]:
        series[name] = _with(series[name], series[name].values / 100)
    if _are_halves(series, chosen):
        remarks.append(f"{chosen['d_real'].name} and {chosen['d_fake'].name} are taken for halves of D's loss")
        series["loss_d_real"], series["loss_d_fake"] = series.pop("d_real"), series.pop("d_fake")
    halves = [series[name] for name in ("loss_d_real", "loss_d_fake") if name in series]
    if "loss_d" not in series and len(halves) == 2 and np.array_equal(halves[0].steps, halves[1].steps):
        series["loss_d"] = _with(halves[0], halves[0].values + halves[1].values)
        remarks.append("loss_d is the sum of its halves")
    verdicts = [name for name in ("d_real", "d_fake") if name in series and "logit" not in chosen[name].name.lower()]
    shares = all(_within(series[name]) for name in verdicts)
    if verdicts and shares and loss in ("", "non_saturating", "minimax"):
        remarks.append(f"{' and '.join(chosen[name].name for name in verdicts)} are probabilities, read as logits")
        for name in verdicts:
            probable = np.clip(series[name].values, _LEAST, 1 - _LEAST)
            series[name] = _with(series[name], np.log(probable / (1 - probable)))
        if not loss and "loss_d" in series and len(verdicts) == 2 and not np.min(series["loss_d"].finite().values) < 0:
            remarks.append(
                "D gives probabilities, so the loss is taken for non_saturating; --loss says if it is another"
            )
            return "non_saturating"
    return loss


def _are_halves(series: Mapping[str, Series], chosen: Mapping[str, Column]) -> bool:
    """Whether D_real and D_fake are losses, as pix2pix calls them: beside G_GAN, or as D's loss is of them."""
    if not {"d_real", "d_fake"} <= series.keys() or {"loss_d_real", "loss_d_fake"} & series.keys():
        return False
    if "loss_d" not in series:
        return "loss_g" in chosen and "gan" in chosen["loss_g"].name.lower()
    whole, real, fake = (series[name].values for name in ("loss_d", "d_real", "d_fake"))
    return len(whole) == len(real) == len(fake) and any(
        np.allclose(whole, part * (real + fake), rtol=0.02, atol=1e-3, equal_nan=True) for part in (1, 0.5)
    )


def _with(series: Series, values: NDArray[np.float64]) -> Series:
    return Series(series.steps, series.images, values)


def _most(series: Series) -> float:
    return float(np.max(series.finite().values, initial=0.0))


def _within(series: Series) -> bool:
    """Whether all values are shares of 1."""
    values = series.finite().values
    return len(values) > 0 and bool(((values >= 0) & (values <= 1)).all())
