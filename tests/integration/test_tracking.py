"""What a run writes is in other people's tools, too: once, whole, and without anything that could stop the run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import steadygan as sg
from quiet import Quiet
from readers import DOUBLE, READERS, Held, Points, read_tensorboard
from steadygan.cli.main import main
from steadygan.recipes import configure
from steadygan.recipes.techniques import members
from steadygan.records import DatedScore, Finding, Tick
from steadygan.runs import Run
from steadygan.training.config import Cadence
from steadygan.training.resuming import resume
from steadygan.training.run import train
from steadygan.training.trackers import AnyTracker, LogEntry, TensorBoard
from steadygan.training.tracking import NAMES, Tracking, entry_of, history
from tiny import TINY, WATCHED, set_options

TRACKERS = members(AnyTracker)
kinds = pytest.mark.parametrize("tracker", TRACKERS, ids=lambda one: one.model_fields["kind"].default)


def run(pictures, out, to, act=lambda session: None, base=TINY, steps=14) -> tuple[Run, Quiet]:
    settings = {**base, "size": 16, "budget": {"steps": steps}, "log": {**TINY["log"], "to": to}}
    console = Quiet(act)
    return train(configure(pictures, "dcgan", settings=settings), out, console), console


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory) -> Run:
    """A run that TensorBoard was told of from its first step to its last, with the doctor beside it.

    Beside it lies what a kill in its eleventh step, after the checkpoint of 64 images, would have left.
    """
    folder = tmp_path_factory.mktemp("runs")

    def copy(session) -> None:
        if session.progress.steps == 11:
            shutil.copytree(session.run.path, folder / "killed")

    return run(pictures, folder / "whole", ["tensorboard"], copy, WATCHED)[0]


@pytest.fixture
def finished(whole, tmp_path) -> Run:
    """A run that no tool was told of."""
    shutil.copytree(whole.path, tmp_path / "finished", ignore=shutil.ignore_patterns("tensorboard"))
    return Run(tmp_path / "finished")


@pytest.fixture
def no_account(tmp_path, monkeypatch):
    """A user whom Weights & Biases has never seen, in a session of their own."""
    import wandb

    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / "theirs"))
    wandb.teardown()
    yield monkeypatch
    wandb.teardown()


@pytest.fixture
def at_hand(no_account):
    """All tools can be used: Weights & Biases offline, trackio by its double."""
    no_account.setenv("WANDB_MODE", "offline")
    no_account.setitem(sys.modules, "trackio", DOUBLE)
    DOUBLE.runs.clear()


def session_of(run: Run, images: int | None = None) -> SimpleNamespace:
    """What a listener sees of a run that goes on."""
    images = run.log()[-1].images if images is None else images
    return SimpleNamespace(
        run=run, runtime=SimpleNamespace(main=True), progress=SimpleNamespace(images=images), say=print
    )


def told(run: Run, what: str = "numbers") -> Points:
    """What a run folder holds, as tools should have it."""
    points: Points = {}
    for entry in history(run):
        for name, value in getattr(entry, what).items():
            points.setdefault(name, []).append((entry.images, value))
    return points


def same(points: Points) -> Points:
    """Numbers as TensorBoard keeps them."""
    return {name: [(images, float(np.float32(value))) for images, value in line] for name, line in points.items()}


def no_step_twice(held: Held) -> bool:
    lines = (*held.numbers.values(), *held.pictures.values())
    return all(len({images for images, _ in line}) == len(line) for line in lines)


def lasting(held: Held) -> Points:
    """What is the same whenever a run is played: no times, nor what is measured when there is time."""
    timed = ("speed/", "progress/seconds", "signals/", "score/")
    return {name: line for name, line in held.numbers.items() if not name.startswith(timed)}


def test_every_number_of_a_tick_is_called_something() -> None:
    assert set(NAMES) == set(Tick.model_fields) - {"images", "shares"}
    assert len({*NAMES.values()}) == len(NAMES)


def test_tensorboard_shows_the_numbers_of_the_log_at_images_seen(whole):
    held = read_tensorboard(whole.path)
    log = whole.log()
    assert len(log) == 7
    for field, name in NAMES.items():
        wanted = [(tick.images, getattr(tick, field)) for tick in log if getattr(tick, field) is not None]
        assert held.numbers[name] == [(images, pytest.approx(value, rel=1e-6)) for images, value in wanted]
    assert held.numbers == same(told(whole))
    assert {name.split("/")[0] for name in held.numbers} >= {"loss", "logits", "score", "signals", "progress"}


def test_tensorboard_shows_the_grids_the_notes_the_findings_and_the_settings(whole):
    held = read_tensorboard(whole.path)
    assert [images for images, _ in held.pictures["samples"]] == [64, 112]
    for images, data in held.pictures["samples"]:
        with Image.open(BytesIO(data)) as shown, Image.open(whole.files.sample(images)) as grid:
            assert np.array_equal(np.asarray(shown), np.asarray(grid))
    assert held.pictures["inputs"] == [(0, whole.files.inputs.read_bytes())]
    assert [text.split(": ", 1)[1] for _, text in held.texts["notes"]] == [note.text for note in whole.notes()]
    assert {f"finding/{one.rule}" for one in whole.findings()} == {*held.texts} - {"notes", "settings"} != set()
    assert held.settings["optimizer.generator.lr"] == whole.info().config["optimizer"]["generator"]["lr"]
    assert "[optimizer.generator]" in held.texts["settings"][0][1]


def test_a_score_is_told_with_its_floor_and_its_interval() -> None:
    score = DatedScore(step=2, images=16, metric="fd", value=3.0, floor=1.0, low=2.5, protocol="p")
    assert entry_of(score) == LogEntry(16, {"score/fd": 3.0, "score/fd/floor": 1.0, "score/fd/low": 2.5})


def test_an_act_of_care_is_told_in_words() -> None:
    act = Finding(step=2, images=16, rule="care-set-back", severity="info", evidence="E", remedy="R", back_to=8)
    assert entry_of(act).texts == {"finding/care-set-back": "info: care-set-back: E\n\nR"}


@kinds
def test_each_tool_is_told_all_that_a_run_holds_and_nothing_twice(tracker, finished, at_hand):
    tool = tracker()
    assert tool.problem() == ""
    for _ in range(2):  # the second time is a resume
        tracking = Tracking([tool], Cadence())
        tracking.begin(session_of(finished))
        assert tracking.journals
        tracking.leave(session_of(finished), failed=False)
    held = READERS[tool.kind](finished.path)
    numbers = told(finished)
    assert same(held.numbers) == same(numbers)
    assert {name: [images for images, _ in line] for name, line in held.pictures.items()} == {
        "inputs": [0],
        "samples": [64, 112],
    }
    assert held.pictures["samples"][-1][1] == finished.files.sample(112).read_bytes()
    assert {*held.texts} - {"settings"} == {*told(finished, "texts")}
    assert "finished after 112 images" in held.texts["notes"][-1][1]
    assert held.settings["optimizer.generator.lr"] == finished.info().config["optimizer"]["generator"]["lr"]
    assert no_step_twice(held)


@kinds
def test_a_tool_that_is_not_installed_is_one_line(tracker, monkeypatch):
    kind = tracker().kind
    monkeypatch.setitem(sys.modules, kind, None)
    assert tracker().problem() == f"{kind} is not installed; pip install 'steadygan[{kind}]'"


@pytest.mark.parametrize("more", [["--dry-run"], []], ids=["dry", "in earnest"])
def test_what_is_not_installed_is_said_before_any_work(more, pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    line = ["train", pictures, "-o", tmp_path / "run", "--set", 'log.to=["tensorboard"]', *set_options(TINY), *more]
    with pytest.raises(SystemExit) as left:
        main([*map(str, line)])
    assert left.value.code == 2
    wanted = "log.to: tensorboard is not installed; pip install 'steadygan[tensorboard]'"
    assert capsys.readouterr().err == f"steadygan: {wanted}\n"
    assert not (tmp_path / "run").exists()


def test_nobody_is_asked_for_a_key(no_account, pictures, capsys):
    with pytest.raises(SystemExit) as left:
        main(["train", str(pictures), "--dry-run", "--set", "log.to=wandb", "--steps", "2"])
    assert left.value.code == 2
    wanted = "log.to: wandb has no key of yours; run `wandb login`, or set WANDB_MODE=offline"
    assert capsys.readouterr().err == f"steadygan: {wanted}\n"


def test_a_tool_is_named_once(pictures, capsys):
    with pytest.raises(SystemExit):
        main(["train", str(pictures), "--dry-run", "--set", "log.to=[tensorboard, tensorboard]"])
    assert capsys.readouterr().err == "steadygan: log.to: tensorboard is named twice; name it once\n"


def test_after_a_kill_tensorboard_shows_what_it_would_without(whole, tmp_path):
    killed = Run(shutil.copytree(whole.path.with_name("killed"), tmp_path / "killed"))
    [events] = (killed.path / "tensorboard").iterdir()
    os.link(events, kept := tmp_path / "copy that shares what it can")
    looking_on = EventAccumulator(str(killed.path / "tensorboard")).Reload()
    assert [event.step for event in looking_on.Scalars("loss/generator")] == [16, 32, 48, 64, 80]
    resume(killed.path, console=Quiet())
    assert [event.step for event in looking_on.Reload().Scalars("loss/generator")] == [16, 32, 48, 64, 80, 96, 112]
    assert [file.stat().st_size > 0 for file in sorted((killed.path / "tensorboard").iterdir())] == [False, True]
    assert kept.stat().st_size > 0
    held, wanted = read_tensorboard(killed.path), read_tensorboard(whole.path)
    assert lasting(held) == lasting(wanted) != {}
    assert held.numbers == same(told(killed))
    assert held.pictures == wanted.pictures
    assert no_step_twice(held)


@pytest.mark.slow
def test_a_tool_may_be_named_between_a_kill_and_a_resume(whole, tmp_path):
    gone = shutil.ignore_patterns("tensorboard")
    killed = Run(shutil.copytree(whole.path.with_name("killed"), tmp_path / "killed", ignore=gone))
    resume(killed.path, console=Quiet())
    held = read_tensorboard(killed.path)
    assert held.numbers == same(told(killed))
    assert [images for images, _ in held.numbers["loss/generator"]] == [16, 32, 48, 64, 80, 96, 112]


@pytest.mark.slow
def test_no_tool_is_loaded_before_it_is_named():
    code = "import sys, steadygan.training.run; print(sorted({'tensorboard', 'wandb', 'trackio'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


class Own:
    """A tool of the user's own, which may fail somewhere."""

    def __init__(self, kind: str) -> None:
        self.kind, self.entries, self.closed, self.reached = kind, [], None, -1

    def problem(self) -> str:
        return ""

    def _do(self, what: str) -> None:
        if what == self.kind:
            raise OSError(28, "No space left on device")

    def open(self, run: Run):
        self._do("open")
        return self

    def add(self, entry: LogEntry) -> None:
        self.entries.append(entry)
        if len(self.entries) > 6:
            self._do("add")

    def flush(self) -> None:
        if len(self.entries) > 6:
            self._do("flush")

    def close(self, failed: bool) -> None:
        self.closed = failed
        self._do("close")


@pytest.mark.slow
def test_a_tool_that_fails_is_one_note_and_the_run_and_the_other_tools_go_on(pictures, tmp_path, monkeypatch):
    class Full:
        """As the disk is under TensorBoard."""

        def __init__(self, file) -> None:
            self.left = 9

        def write(self, data: bytes) -> None:
            self.left -= 1
            if not self.left:
                raise OSError(28, "No space left on device")

        def flush(self) -> None:
            pass

    monkeypatch.setattr("torch.utils.tensorboard.RecordWriter", Full)

    def see(session) -> None:
        if session.progress.steps == 5:
            session.run.note("look: stripes")

    failing, good = [Own(where) for where in ("open", "add", "flush", "close")], Own("good")
    done, console = run(pictures, tmp_path / "run", [*failing, TensorBoard(), good], see)
    names = ["open", "tensorboard", "add", "flush", "close"]
    texts = [f"log.to: the run goes on without {name}: [Errno 28] No space left on device" for name in names]
    assert sorted(note.text for note in done.notes() if "log.to" in note.text) == sorted(texts)
    assert {*texts} <= {*console.said}
    numbers = [
        (entry.images, entry.numbers["loss/generator"]) for entry in good.entries if "loss/generator" in entry.numbers
    ]
    assert numbers == [(tick.images, tick.loss_g) for tick in done.log()]
    assert any("look: stripes" in entry.texts.get("notes", "") for entry in good.entries)
    assert "finished after 112 images" in good.entries[-1].texts["notes"]
    assert good.closed is False


def test_a_tool_that_cannot_begin_leaves_no_file_open(finished, monkeypatch):
    class Full:
        def __init__(self, file) -> None:
            opened.append(file)

        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    opened = []
    monkeypatch.setattr("torch.utils.tensorboard.RecordWriter", Full)
    with pytest.raises(OSError, match="No space left"):
        TensorBoard().open(finished)
    assert [file.closed for file in opened] == [True]


@pytest.mark.slow
@pytest.mark.parametrize("failed", [True, False])
def test_a_run_that_fails_is_left_as_failed_and_one_that_is_stopped_is_not(failed, pictures, tmp_path):
    def end(session) -> None:
        if failed:
            raise RuntimeError("broken")
        signal.raise_signal(signal.SIGTERM)

    good = Own("good")
    with pytest.raises(RuntimeError if failed else sg.Interrupted):
        run(pictures, tmp_path / "run", [good], end)
    assert good.closed is failed


def test_what_a_run_writes_again_at_the_place_it_goes_on_from_is_told_once(whole):
    good = Own("good")
    tracking, session = Tracking([good], Cadence()), session_of(whole)
    tracking.begin(session)
    before = len(good.entries)
    [score] = [one for one in whole.scores() if one.images == 112]
    tracking.hear(session, score)
    tracking(session, None)
    assert len(good.entries) == before
    tracking.hear(session, score.model_copy(update={"value": 0.5}))
    assert len(good.entries) == before + 1


def test_an_object_that_is_no_tool_is_told_what_it_lacks(pictures, tmp_path):
    with pytest.raises(sg.ConfigError, match=r"log\.to\[0\]: SimpleNamespace lacks `problem`, `open`"):
        run(pictures, tmp_path / "run", [SimpleNamespace(kind="mine")])
