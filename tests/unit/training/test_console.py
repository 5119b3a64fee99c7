"""What a notebook shows of a training: two outputs that are replaced, as cheap as they are said to be."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from steadygan.runs import Run
from steadygan.training import console
from steadygan.training.config import Budget, Cadence
from steadygan.training.console import Bars, Lines, Live, Silent, again, reporter
from steadygan.training.session import Progress


class Cell:
    """The outputs of a cell, by the names they were displayed under, and how often each was replaced."""

    def __init__(self) -> None:
        self.outputs: dict[str, list[str]] = {}

    def publish(self, data, transient, update):
        name = transient["display_id"]
        assert update == (name in self.outputs)
        assert set(data) == {"text/html", "text/plain"}
        self.outputs.setdefault(name, []).append(data["text/html"])

    def last(self) -> list[str]:
        return [shown[-1] for shown in self.outputs.values()]


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(console.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(console.time, "perf_counter", lambda: clock.now)
    return clock


def session(tmp_path, seconds=10.0, crossed=True):
    config = SimpleNamespace(budget=Budget(images=1000), log=Cadence(), samples=Cadence(), checkpoint=Cadence())
    progress = Progress(steps=25, images=250, seconds=seconds)
    return SimpleNamespace(run=Run(tmp_path), config=config, progress=progress, crossed=lambda cadence: crossed)


def test_it_replaces_two_outputs_however_long_it_trains(tmp_path, clock):
    live = Live((cell := Cell()).publish)
    live.say("about <b> 2 s")
    for _ in range(50):
        clock.now += 10
        live.step(session(tmp_path))
    words, card = cell.last()
    assert "about &lt;b&gt; 2 s" in words
    assert 'value="0.2500"' in words
    assert "250 images, 25 images/s, 30 s left" in words
    assert tmp_path.name in card
    live.close()
    assert len(cell.outputs) == 2
    assert "<progress" not in cell.last()[0]
    assert "about &lt;b&gt; 2 s" in cell.last()[0]


def test_it_shows_nothing_between_two_times_and_draws_what_came_meanwhile_once(tmp_path, clock):
    live = Live((cell := Cell()).publish)
    for _ in range(20):
        live.step(session(tmp_path))
    assert [len(shown) for shown in cell.outputs.values()] == [1, 1]
    for _ in range(20):
        clock.now += 10
        live.step(session(tmp_path, crossed=False))
    assert [len(shown) for shown in cell.outputs.values()] == [21, 2]


@pytest.mark.parametrize(("spent", "drawn"), [(0.04, 2), (0.06, 1)])
def test_cards_take_a_hundredth_of_the_time_at_most(tmp_path, clock, spent, drawn):
    live = Live((cell := Cell()).publish)
    live.step(session(tmp_path))
    live.seconds = live.last_seconds = spent
    clock.now += 10
    live.step(session(tmp_path))
    assert len([*cell.outputs.values()][-1]) == drawn


def test_the_end_is_drawn_whatever_it_costs(tmp_path, clock):
    live = Live((cell := Cell()).publish)
    live.step(session(tmp_path))
    live.seconds = 1e9
    live.close()
    live.close()
    assert [len(shown) for shown in cell.outputs.values()][-1] == 2


def test_a_count_has_a_speed_once_there_is_one_and_its_end_is_said_once(clock):
    lines = Lines(written := io.StringIO())
    for done, seconds in ((128, 0), (250, 0.007), (250, 0), (300, 6), (500, 4), (500, 0)):
        clock.now += seconds
        lines.preparing(done, 250 if done <= 250 else 500)
    said = written.getvalue().splitlines()
    assert said[:2] == ["preparing images: 128 of 250", "preparing images: 250 of 250"]
    assert said[2].startswith("preparing images: 300 of 500, 29/s, 7 s left")
    assert [line.split(",")[0] for line in said[3:]] == ["preparing images: 500 of 500"]


def test_a_count_that_is_over_becomes_a_sentence_and_one_that_never_began_leaves_nothing():
    live = Live((cell := Cell()).publish)
    live.close()
    assert cell.outputs == {}
    for done in range(11):
        live.preparing(done, 10)
    live.close()
    assert cell.last()[0].count("preparing images: 10 of 10") == 1
    assert "<progress" not in cell.last()[0]


@pytest.fixture
def ipython(monkeypatch):
    """Let this process look as if it were IPython's, with this shell."""

    def start(shell):
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))

    return start


def test_a_notebook_has_the_live_display_and_everything_else_what_it_had(ipython, monkeypatch):
    notebook = SimpleNamespace(kernel=1, display_pub=Cell())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())  # half loaded
    assert isinstance(reporter(), Lines)
    ipython(None)  # loaded, not running
    assert isinstance(reporter(), Lines)
    ipython(SimpleNamespace())  # on a terminal
    monkeypatch.setattr(sys, "stderr", terminal := io.StringIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    assert isinstance(reporter(), Bars)
    ipython(notebook)
    assert isinstance(reporter(), Live)
    assert isinstance(reporter(main=False), Silent)
    monkeypatch.setattr(console, "parent_process", lambda: 1)  # a child of the notebook's process
    assert not isinstance(reporter(), Live)


def test_how_to_go_on_is_said_in_the_language_that_is_read(ipython, tmp_path):
    assert again(tmp_path / "a b") == f"steadygan resume '{tmp_path}/a b'"
    ipython(SimpleNamespace())
    assert again(tmp_path / "a'b") == f'sg.resume("{tmp_path}/a\'b")'
