from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from steadygan.records import DatedScore, Finding, Tick
from steadygan.visual.curves import running_mean, save_curves, short_count, thinned
from telling import telling


def tick(index: int, loss_g: float = 1.5, grad_norm_g: float = 0.5) -> Tick:
    return Tick.model_construct(
        step=100 * index,
        images=6400 * index,
        seconds=10.0 * index,
        images_per_second=230.0,
        loss_d=1.2,
        loss_g=loss_g,
        d_real=1.0,
        d_fake=-1.0,
        accuracy_real=0.8,
        accuracy_fake=0.9,
        grad_norm_d=2.0,
        grad_norm_g=grad_norm_g,
        lr_d=2e-4,
        lr_g=2e-4,
    )


def score(images: int, value: float, metric: str = "swd", protocol: str = "a") -> DatedScore:
    return DatedScore(step=images // 64, images=images, metric=metric, value=value, protocol=protocol)


def finding(index: int, rule: str, back_to: int | None = None) -> Finding:
    back = None if back_to is None else 6400 * back_to
    return Finding(
        step=100 * index, images=6400 * index, rule=rule, severity="info", evidence="", remedy="", back_to=back
    )


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("ticks", telling([0, 1, 2, 30, 130], 0, 1, 130))
def test_any_number_of_ticks_gives_a_picture_of_1200_by_800(tmp_path: Path, ticks: int) -> None:
    save_curves([tick(index) for index in range(ticks)], tmp_path / "curves.png")
    assert pixels(tmp_path / "curves.png").shape == (800, 1200, 3)


@pytest.mark.slow
def test_another_course_of_the_loss_is_another_picture(tmp_path: Path) -> None:
    save_curves([tick(index) for index in range(20)], tmp_path / "a.png")
    save_curves([tick(index, loss_g=1.5 - 0.02 * index) for index in range(20)], tmp_path / "b.png")
    save_curves([tick(index) for index in range(20)], tmp_path / "c.png")
    assert not np.array_equal(pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png"))
    assert np.array_equal(pixels(tmp_path / "a.png"), pixels(tmp_path / "c.png"))


@pytest.mark.slow
def test_halves_of_the_loss_and_the_path_taken_are_drawn_where_there_are_any(tmp_path: Path) -> None:
    log = [tick(index) for index in range(20)]
    parts = {"a": {}, "b": {"loss_d_real": 0.5, "loss_d_fake": 0.7}, "c": {"path": 0.25}, "d": {"path": 0.0}}
    for name, part in parts.items():
        save_curves([one.model_copy(update=part) for one in log], tmp_path / f"{name}.png")
    without, halves, path, never = (pixels(tmp_path / f"{name}.png") for name in parts)
    assert not np.array_equal(without, halves)
    assert not np.array_equal(without, path)
    assert np.array_equal(without, never)


@pytest.mark.slow
def test_scores_get_their_own_place(tmp_path: Path) -> None:
    log = [tick(index) for index in range(20)]
    save_curves(log, tmp_path / "a.png")
    save_curves(log, tmp_path / "b.png", [score(6400, 0.4), score(12800, 0.3)])
    save_curves(log, tmp_path / "c.png", [score(6400, 0.4), score(12800, 0.3, protocol="b")])
    drawn = [pixels(tmp_path / f"{name}.png") for name in "abc"]
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[1], drawn[2]), "scores of different protocols share a curve"


@pytest.mark.slow
def test_values_that_are_not_finite_or_zero_gradients_do_not_stop_it(tmp_path: Path) -> None:
    log = [tick(1), tick(2, float("nan"), 0.0), tick(3, float("inf"), float("nan"))]
    save_curves(log, tmp_path / "curves.png")
    save_curves(log[1:], tmp_path / "none.png")
    assert pixels(tmp_path / "curves.png").shape == (800, 1200, 3)


def test_a_gradient_of_zero_is_a_gap_and_does_not_stretch_the_axis(tmp_path: Path) -> None:
    for name, gradient in (("zero", 0.0), ("gap", float("nan"))):
        save_curves([tick(1), tick(2, grad_norm_g=gradient), tick(3)], tmp_path / f"{name}.png")
    assert np.array_equal(pixels(tmp_path / "zero.png"), pixels(tmp_path / "gap.png"))


@pytest.mark.slow
def test_of_a_hundred_thousand_ticks_no_more_is_drawn_than_of_a_thousand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plot, points = Axes.plot, []

    def counting(self: Axes, x: Any, *others: Any, **style: Any) -> Any:
        points.append(len(x))
        return plot(self, x, *others, **style)

    monkeypatch.setattr(Axes, "plot", counting)
    one, drawn = tick(1), []
    for count in (1000, 100_000):
        log = [one.model_copy(update={"images": 64 * index, "loss_g": 1 + index % 7}) for index in range(count)]
        save_curves(log, tmp_path / "curves.png")
        drawn.append(sum(points))
        points.clear()
    assert 0 < drawn[1] <= 1.1 * drawn[0]


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The axes of a picture of twenty ticks, of which the third to the tenth got out of bounds, with these findings."""

    def draw(*findings: Finding) -> list[Axes]:
        log = [tick(index, 1e6 if 2 < index <= 10 else 1.5) for index in range(1, 21)]
        save_curves(log, tmp_path / "curves.png", [score(6400 * index, 0.4) for index in (5, 10, 15, 20)], findings)
        return figures[-1].axes

    figures: list[Any] = []
    savefig = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **b: (figures.append(self), savefig(self, *a, **b)))
    return draw


def gaps(axes: Axes) -> list[list[float]]:
    """Of each curve, after how many images it is parted."""
    curves = [np.asarray(line.get_xdata(), float) for line in axes.lines if len(line.get_xdata()) > 2]
    return [x[np.flatnonzero(np.isnan(x)) - 1].tolist() for x in curves]


def test_acts_of_care_are_marked_in_every_panel_and_named_once_those_close_together_as_one(drawn) -> None:
    acts = [finding(5, "care-set-back", 0), finding(10, "care-set-back", 2), finding(20, "care-ended")]
    panels = drawn(finding(3, "mode-collapse"), *acts, finding(20, "care-ended"))
    for axes in panels:
        marks = [np.unique(line.get_xdata()).tolist() for line in axes.lines if line.get_linestyle() == "--"]
        assert marks == [[32_000], [64_000], [128_000], [128_000]]
    assert [[text.get_text() for text in axes.texts if text.get_rotation()] for axes in panels] == [
        ["set back", "set back", "2× ended"], *[[]] * (len(panels) - 1)
    ]  # fmt: skip


@pytest.mark.slow
def test_curves_are_parted_where_the_run_was_set_back_and_what_it_gave_up_does_not_flatten_the_rest(drawn) -> None:
    panels = drawn(finding(10, "care-set-back", 2), finding(15, "care-kept"))
    assert {tuple(gap) for axes in panels for gap in gaps(axes)} == {(64_000.0,)}
    assert panels[0].get_ylim()[1] < 5
    assert not any(gap for axes in drawn(finding(15, "care-kept")) for gap in gaps(axes))


def test_an_act_later_than_all_else_is_within_the_picture(tmp_path: Path) -> None:
    save_curves([], tmp_path / "curves.png", (), [finding(1, "care-set-back", 0)])
    assert pixels(tmp_path / "curves.png").shape == (800, 1200, 3)


@pytest.mark.parametrize(
    ("images", "text"),
    [(0, "0"), (500, "500"), (12_800, "12.8k"), (1_000_000, "1M"), (1_250_000, "1.25M"), (2e9, "2G")],
)
def test_images_are_counted_in_few_characters(images: float, text: str) -> None:
    assert short_count(images) == text


def test_the_running_mean_is_centred_and_shorter_at_the_ends() -> None:
    assert running_mean(np.array([0.0, 3.0, 6.0, 0.0]), 1).tolist() == [1.5, 3.0, 3.0, 3.0]


def test_the_running_mean_passes_over_what_is_not_finite() -> None:
    found = running_mean(np.array([1.0, np.nan, 3.0, np.nan, np.nan, np.nan]), 1)
    np.testing.assert_array_equal(found, [1, 2, 3, 3, np.nan, np.nan])


def test_thinning_keeps_every_spike_of_a_long_series() -> None:
    values = np.zeros(100_000)
    values[[123, 45_678]] = 9.0
    values[77_777] = -4.0
    kept = thinned(values)
    assert {123, 45_678, 77_777} <= set(kept.tolist())
    assert len(kept) <= 600
    assert (np.diff(kept) > 0).all()
