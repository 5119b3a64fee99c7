"""kill -9 at any moment, the writing of a checkpoint included: what is left resumes to the same weights, bit by bit."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time

import pytest

import steadygan as sg
from tiny import WATCHED, command, fingerprint, set_options, steadygan

STEPS, SHORT = 600, 14
# a checkpoint every other step: about half of the time goes into writing them, so half of the kills hit one
SETTINGS = WATCHED | {"checkpoint": {"every_images": 16, "keep": 2}, "samples": {"every_images": 400, "count": 4}}


def _kill_after_some_steps(arguments: list[str], log, rng: random.Random) -> None:
    """Start a process, wait until it has trained some steps, and kill it a random moment later."""
    before = log.stat().st_size if log.exists() else 0
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while process.poll() is None and time.monotonic() < deadline:
        if log.exists() and log.stat().st_size not in (0, before):
            break
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.25))
    process.send_signal(signal.SIGKILL)
    process.wait()


KILLS_ITSELF = """
import os, signal, sys
left = {moment}

def count(event, arguments):
    global left
    if arguments and {folder!r} in str(arguments[0]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
from steadygan.cli.main import main
main({arguments!r})
"""


def _kill_when_it_touches(folder, moment: int, arguments: list[str]) -> None:
    """Run a command that is killed the moment it opens, renames or removes something in a folder once too often."""
    code = KILLS_ITSELF.format(moment=moment, folder=str(folder), arguments=[str(part) for part in arguments])
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def _options(steps: int) -> list[str]:
    return [*set_options(SETTINGS), "--size", "16", "--steps", str(steps)]


def _whole(pictures, tmp_path, steps: int) -> sg.Run:
    whole = sg.Run(tmp_path / "whole")
    assert steadygan("train", pictures, "-o", whole.path, *_options(steps)).returncode == 0
    return whole


def _killed(pictures, tmp_path, kills: int, steps: int) -> sg.Run:
    rng = random.Random(0)
    killed = sg.Run(tmp_path / "killed")
    start = command("train", pictures, "-o", killed.path, *_options(steps))
    for _ in range(kills):
        _kill_after_some_steps(start, killed.files.log, rng)
        start = command("resume", killed.path)
    _resume(killed)
    return killed


def _resume(killed: sg.Run) -> None:
    last = steadygan("resume", killed.path)
    assert last.returncode == 0, last.stderr


def _assert_same(whole: sg.Run, killed: sg.Run, steps: int) -> None:
    final = [run.files.checkpoint(8 * steps) for run in (whole, killed)]
    assert fingerprint(final[0]) == fingerprint(final[1])
    ticks = [{tick.images: tick.loss_d for tick in run.log()} for run in (whole, killed)]
    assert ticks[0] == ticks[1]
    assert len(killed.files.all_checkpoints()) <= 3
    assert not list(killed.path.rglob("*.part*"))
    json.loads(killed.files.run_json.read_text())


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    return _whole(pictures, tmp_path_factory.mktemp("runs"), SHORT)


@pytest.mark.slow
def test_a_kill_changes_nothing(pictures, tmp_path, whole):
    killed = sg.Run(tmp_path / "killed")
    _kill_when_it_touches(killed.path, 101, ["train", pictures, "-o", killed.path, *_options(SHORT)])
    _kill_when_it_touches(killed.path, 50, ["resume", killed.path])
    assert 0 < killed.log()[-1].step < SHORT
    _resume(killed)
    _assert_same(whole, killed, SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(20, 200, 7))
def test_a_kill_at_any_write_changes_nothing(pictures, tmp_path, whole, moment):
    killed = sg.Run(tmp_path / "killed")
    _kill_when_it_touches(killed.path, moment, ["train", pictures, "-o", killed.path, *_options(SHORT)])
    _resume(killed)
    _assert_same(whole, killed, SHORT)


@pytest.mark.slow
def test_twenty_kills_change_nothing(pictures, tmp_path):
    _assert_same(_whole(pictures, tmp_path, STEPS), _killed(pictures, tmp_path, 20, STEPS), STEPS)
