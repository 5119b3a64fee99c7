"""kill -9 at any moment, the writing of a checkpoint included: what is left resumes to the same weights, bit by bit."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time

import pytest

import steadygan as sg
from tiny import TINY, command, fingerprint, set_options, steadygan

STEPS = 600
# a checkpoint every other step: about half of the time goes into writing them, so half of the kills hit one
SETTINGS = TINY | {"checkpoint": {"every_images": 16, "keep": 2}, "samples": {"every_images": 400, "count": 4}}


def _kill_after_some_steps(arguments: list[str], log, rng: random.Random) -> None:
    """Start a process, wait until it has trained some steps, and kill it a random moment later."""
    before = log.stat().st_size if log.exists() else 0
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if log.exists() and log.stat().st_size not in (0, before):
            break
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.25))
    process.send_signal(signal.SIGKILL)
    process.wait()


def _killed_and_whole(pictures, tmp_path, kills: int, steps: int) -> tuple[sg.Run, sg.Run]:
    rng = random.Random(0)
    options = [*set_options(SETTINGS), "--size", "16", "--steps", str(steps)]
    whole, killed = sg.Run(tmp_path / "whole"), sg.Run(tmp_path / "killed")
    assert steadygan("train", pictures, "-o", whole.path, *options).returncode == 0
    start = command("train", pictures, "-o", killed.path, *options)
    for _ in range(kills):
        _kill_after_some_steps(start, killed.files.log, rng)
        start = command("resume", killed.path)
    last = steadygan("resume", killed.path)
    assert last.returncode == 0, last.stderr
    return whole, killed


def _assert_same(whole: sg.Run, killed: sg.Run, steps: int) -> None:
    final = [run.files.checkpoint(8 * steps) for run in (whole, killed)]
    assert fingerprint(final[0]) == fingerprint(final[1])
    ticks = [{tick.images: tick.loss_d for tick in run.log()} for run in (whole, killed)]
    assert ticks[0] == ticks[1]
    assert len(killed.files.all_checkpoints()) <= 3
    assert not list(killed.path.rglob("*.part*"))
    json.loads(killed.files.run_json.read_text())


def test_a_kill_changes_nothing(pictures, tmp_path):
    _assert_same(*_killed_and_whole(pictures, tmp_path, kills=1, steps=30), 30)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_change_nothing(pictures, tmp_path):
    _assert_same(*_killed_and_whole(pictures, tmp_path, kills=20, steps=STEPS), STEPS)
