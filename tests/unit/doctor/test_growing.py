"""A case that grows with what is written is the case that is read from the folder afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from steadygan.doctor.case import Case, GrowingCase, case_of
from steadygan.records import DatedScore, Finding, Record, Signals, Tick
from steadygan.runs import Run, RunInfo


def tick(step: int) -> Tick:
    losses = {"loss_d": 1.0 / step, "loss_g": step, "d_real": 1, "d_fake": -1, "accuracy_real": 1, "accuracy_fake": 1}
    return Tick(
        step=step, images=8 * step, seconds=step / 2, images_per_second=16, grad_norm_d=1, grad_norm_g=1,
        lr_d=1, lr_g=1, shares={"penalty.r1": step / 10} if step % 2 else {}, **losses,
    )  # fmt: skip


def line(number: int) -> Record:
    place = {"step": number, "images": 8 * number}
    kinds = (
        lambda: tick(number),
        lambda: Signals(**place, diversity=0.1 * number, gradients={"generator": {"a": number}}, colour=(0.1, 0.2)),
        lambda: DatedScore(**place, metric="swd", value=number, protocol="p"),
        lambda: Finding(**place, rule="r", severity="info", evidence="e", remedy=""),
    )
    return kinds[number % 4]()


@pytest.fixture
def run(tmp_path) -> Run:
    run = Run(tmp_path)
    spec = {"size": 8, "channels": 3}
    config = {"batch": 8, "budget": {"minutes": 3}, "loss": {"kind": "hinge"}}
    run.write_info(RunInfo.model_validate({"config": config, "parameters": {}, "data": {"digest": "", "spec": spec}}))
    return run


def same(case: Case, read: Case) -> None:
    assert case.series.keys() == read.series.keys()
    for name, series in read.series.items():
        for field in ("steps", "images", "values"):
            np.testing.assert_array_equal(getattr(case[name], field), getattr(series, field))
    assert (case.images, case.step, case.budget_images) == (read.images, read.step, read.budget_images)


@pytest.mark.parametrize("read_before", [0, 30, 90])
def test_it_is_the_same_as_what_the_folder_gives(run, read_before):
    for number in range(1, 1 + read_before):
        run.write(line(number))
    growing = GrowingCase(run)
    early = growing.case
    for number in range(1 + read_before, 101):
        run.write(line(number))
        growing.add(line(number))
    case, read = growing.case, case_of(run)
    same(case, read)
    assert (case.images, case.loss) == (800, "hinge")
    assert early.images == 8 * (read_before - read_before % 4 // 3)  # what was given out before does not change


def test_stretches_that_a_run_went_back_over_are_forgotten_alike(run):
    growing = GrowingCase(run)
    went_back = {40: 20, 60: 20, 72: 60, 100: None}  # after so many lines: to where
    for number in range(1, 101):
        run.write(line(number))
        growing.add(line(number))
        if number in went_back:
            whole, kept = growing.case, went_back[number]
            back_to = None if kept is None else 8 * kept
            run.write(_act(number, back_to))
            if back_to is not None:
                growing.forget(back_to, 8 * number)
                assert growing.case.images <= back_to < whole.images  # what was given out before does not change
    same(growing.case, case_of(run))
    seen = sorted({int(images) // 8 for series in growing.case.series.values() for images in series.images})
    expected = {number for number in (*range(1, 21), *range(73, 101)) if number % 4 != 3}
    assert seen == sorted(expected)


def test_a_run_that_began_again_from_fresh_weights_has_only_what_came_after(run):
    for number in range(1, 13):
        run.write(line(number))
    run.write(_act(8, 0))

    case = case_of(run)
    assert {int(images) for series in case.series.values() for images in series.images} == {72, 80, 96}
    assert (case.began_images, case.began_step, case.steps_learned) == (64, 8, 4)


def _act(number: int, back_to: int | None) -> Finding:
    place = {"step": number, "images": 8 * number}
    return Finding(**place, rule="set-back", severity="info", evidence="e", remedy="", back_to=back_to)
