"""Signals that ask to stop, and terminals and pipes that go away."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading

import pytest

from steadygan.terminal import STOPPING, Stream, interrupt, when_asked_to_stop


@pytest.mark.parametrize("number", STOPPING)
def test_every_way_to_ask_is_answered_inside_the_block_and_as_before_outside(number):
    asked = []
    before = signal.getsignal(number)
    with when_asked_to_stop(lambda number, frame: asked.append(number)):
        os.kill(os.getpid(), number)
    assert asked == [number]
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", STOPPING)
def test_what_was_ignored_stays_ignored(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with when_asked_to_stop(interrupt):
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_the_second_word_of_a_closed_terminal_disturbs_nobody_while_things_are_put_in_order():
    said = []
    with when_asked_to_stop(interrupt):
        try:
            os.kill(os.getpid(), signal.SIGHUP)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGHUP)
            said.append("in order")
    assert said == ["in order"]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_outside_the_main_thread_there_is_nothing_to_take_over():
    done = []

    def other():
        with when_asked_to_stop(interrupt):
            done.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert done == [before]


WRITES = """
import sys
from steadygan.terminal import Stream
input()
for _ in range(3):
    print("x" * 9000, file=Stream(sys.stdout), flush=True)
print("y", file=Stream(sys.stderr))
sys.exit(7)
"""


@pytest.mark.parametrize("other_end", ["pipe", "terminal", "full disk"])
def test_output_that_nobody_takes_ends_nothing_and_changes_no_exit_code(other_end):
    near, far = pty.openpty() if other_end == "terminal" else os.pipe()
    if other_end == "full disk":
        os.dup2(os.open("/dev/full", os.O_WRONLY), far)
    line = [sys.executable, "-c", WRITES]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=far, stderr=far, text=True)
    os.close(near)
    os.close(far)
    process.communicate("\n")
    assert process.returncode == 7


def test_a_stream_that_lasts_is_otherwise_the_stream_that_it_was(tmp_path):
    with (tmp_path / "log").open("w", encoding="latin-1") as file:
        stream = Stream(file)
        assert stream.write("abc") == 3
        stream.flush()
        assert (stream.encoding, stream.fileno(), stream.isatty()) == ("latin-1", file.fileno(), False)
    assert (tmp_path / "log").read_text() == "abc"
