"""A case that grows with what is written is the case that is read from the folder afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from steadygan.doctor.case import Growing, case_of
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


@pytest.mark.parametrize("read_before", [0, 30, 90])
def test_it_is_the_same_as_what_the_folder_gives(tmp_path, read_before):
    run = Run(tmp_path)
    spec = {"size": 8, "channels": 3}
    config = {"batch": 8, "budget": {"minutes": 3}, "loss": {"kind": "hinge"}}
    run.write_info(RunInfo.model_validate({"config": config, "parameters": {}, "data": {"digest": "", "spec": spec}}))
    for number in range(1, 1 + read_before):
        run.write(line(number))
    growing = Growing(run)
    early = growing.case
    for number in range(1 + read_before, 101):
        run.write(line(number))
        growing.add(line(number))
    case, read = growing.case, case_of(run)
    assert case.series.keys() == read.series.keys()
    for name, series in read.series.items():
        for field in ("steps", "images", "values"):
            np.testing.assert_array_equal(getattr(case[name], field), getattr(series, field))
    assert (case.images, case.loss, case.budget_images) == (800, "hinge", read.budget_images)
    assert early.images == 8 * (read_before - read_before % 4 // 3)  # what was given out before does not change
