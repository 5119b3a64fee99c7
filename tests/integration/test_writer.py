"""One writer a run, and what becomes of it when its terminal is closed: real processes, a real terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import steadygan as sg
from steadygan.claim import LOCK
from steadygan.cli.main import main
from steadygan.recipes import configure
from steadygan.training import run as run_module
from steadygan.training.console import Silent
from steadygan.training.run import train
from tiny import TINY, command, set_options

OPTIONS = [*set_options(TINY), "--size", "16"]


class Acting(Silent):
    """A silent console that does something once, at the third step."""

    def __init__(self, act):
        self.act = act

    def step(self, session):
        if session.progress.steps == 3:
            self.act()


def run(pictures, out, act=lambda: None, **settings):
    config = configure(pictures, "dcgan", settings={**TINY, "size": 16, "budget": {"steps": 4}, **settings})
    return train(config, out, Acting(act))


def test_while_a_run_trains_others_may_read_and_note_and_not_resume(pictures, tmp_path, capsys):
    refused = []

    def act():
        sg.Run(tmp_path / "a").note("a thought")
        with pytest.raises(SystemExit) as left:
            main(["resume", str(tmp_path / "a")])
        refused.append(left.value.code)
        with pytest.raises(sg.ConfigError, match="this process is already training"):
            run(pictures, tmp_path / "a")

    done = run(pictures, tmp_path / "a", act)
    assert refused == [2]
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"steadygan: this process is already training {tmp_path / 'a'}; wait for it, or stop it")
    assert [note.text.split()[0] for note in done.notes()] == ["started:", "a", "finished"]
    assert not (done.path / LOCK).exists()


@pytest.mark.slow
def test_a_run_is_free_again_after_an_error_in_it(pictures, tmp_path):
    def fail():
        raise RuntimeError("a bug in a notebook")

    with pytest.raises(RuntimeError, match="notebook"):
        run(pictures, tmp_path / "a", fail)
    with pytest.raises(RuntimeError, match="notebook"):
        sg.resume(tmp_path / "a", console=Acting(fail))
    assert sg.resume(tmp_path / "a", console=Silent()).log()[-1].step == 4


def test_what_fails_before_the_first_line_leaves_no_folder(tmp_path, pictures, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "no picture.png").write_text("x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_module, "make_parts", interrupted)
    with pytest.raises(sg.DataError):
        sg.train("bad", "dcgan", out="a/b")
    for out in ("a/b", None):
        with pytest.raises(sg.Interrupted):
            sg.train(pictures, "dcgan", out)
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


def test_resume_of_what_is_no_run_puts_no_lock_there(tmp_path):
    with pytest.raises(sg.DataError, match="is not the folder of a run"):
        sg.resume(tmp_path)
    assert list(tmp_path.iterdir()) == []


ON_A_TERMINAL = """
import os, signal, sys
signal.signal(signal.SIGHUP, getattr(signal, sys.argv[1]))
os.close(os.open(os.ttyname(2), os.O_RDWR))  # the terminal of this session from now on
os.execv(sys.argv[2], sys.argv[2:])
"""


class Terminal:
    """A process on a terminal of its own, which can be closed under it."""

    def __init__(self, arguments: list[str], hang_up: str = "SIG_DFL") -> None:
        self.screen, far = pty.openpty()
        line = [sys.executable, "-c", ON_A_TERMINAL, hang_up, *arguments]
        self.process = subprocess.Popen(line, stdin=far, stdout=far, stderr=far, start_new_session=True)
        os.close(far)

    def wait_for(self, file: Path) -> None:
        """Read along until the file is there."""
        while not file.exists():
            assert self.process.poll() is None
            os.read(self.screen, 65536)

    def close(self) -> int:
        os.close(self.screen)
        return self.process.wait()


@pytest.fixture
def on_terminal():
    """Starts processes on terminals; none outlives the test."""
    started = []
    yield lambda *arguments: started.append(Terminal(*arguments)) or started[-1]
    for one in started:
        with suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)
        one.process.wait()


@pytest.mark.slow
def test_a_closed_terminal_saves_the_run_and_stops_it_and_resume_goes_on(pictures, tmp_path, on_terminal, capsys):
    done = sg.Run(tmp_path / "a")
    terminal = on_terminal(command("train", pictures, "-o", done.path, "--steps", 100_000, *OPTIONS))
    terminal.wait_for(done.files.latest)
    with pytest.raises(SystemExit, match="2"):
        main(["resume", str(done.path)])
    assert f"another process is training {done.path} (process {terminal.process.pid})" in capsys.readouterr().err
    assert terminal.close() == 130
    steps = done.log()[-1].step
    assert done.files.pointed(done.files.latest) == done.files.checkpoint(8 * steps)
    assert done.notes()[-1].text.startswith("stopped on request")
    sg.resume(done.path, sg.Budget(steps=steps + 2), console=Silent())
    assert done.log()[-1].step == steps + 2


@pytest.mark.slow
def test_under_nohup_a_run_outlives_its_terminal_and_ends_as_if_nothing_had_been(pictures, tmp_path, on_terminal):
    done = sg.Run(tmp_path / "a")
    seldom = ["--set", "checkpoint.every_images=800", "--set", "samples.every_images=800"]
    line = command("train", pictures, "-o", done.path, "--steps", 200, *OPTIONS, *seldom)
    terminal = on_terminal(line, "SIG_IGN")
    terminal.wait_for(done.files.log)
    assert terminal.close() == 0
    assert done.log()[-1].step == 200
    assert done.notes()[-1].text.startswith("finished")


@pytest.mark.slow
def test_a_closed_terminal_while_images_are_prepared_keeps_what_is_done(tmp_path, on_terminal):
    line = command("prepare", "builtin:critters", "-o", tmp_path / "set", "--size", "128", "--workers", "2")
    terminal = on_terminal(line)
    terminal.wait_for(tmp_path / ".set.part" / "journal.jsonl")
    while (tmp_path / ".set.part" / "journal.jsonl").read_bytes().count(b"\n") < 3:
        os.read(terminal.screen, 65536)
    assert terminal.close() == 130
    assert [path.name for path in tmp_path.iterdir()] == [".set.part"]
    assert "died" not in (tmp_path / ".set.part" / "journal.jsonl").read_text()


@pytest.mark.slow
def test_three_trainings_started_at_once_have_three_folders_and_one_data_set(pictures, tmp_path):
    environment = os.environ | {"STEADYGAN_CACHE": str(tmp_path / "cache")}
    line = command("train", pictures, "--recipe", "dcgan", "--steps", 20, *OPTIONS)
    several = [
        subprocess.Popen(line, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [one.communicate()[1] for one in several]
    assert [one.returncode for one in several] == [0, 0, 0], said
    runs = [sg.Run(path) for path in sorted((tmp_path / "runs").iterdir())]
    assert [done.path.name for done in runs] == [f"dcgan-squares-0{number}" for number in (1, 2, 3)]
    assert all([tick.step for tick in done.log()] == list(range(2, 21, 2)) for done in runs)
    assert len(list((tmp_path / "cache" / "datasets").iterdir())) == 1
    assert sum("preparing images: " in text for text in said) == 1


@pytest.mark.slow
def test_of_two_that_resume_at_once_one_wins(pictures, tmp_path):
    run(pictures, tmp_path / "a", checkpoint={"every_images": 800})
    line = command("resume", tmp_path / "a", "--steps", 300)
    both = [subprocess.Popen(line, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate()[1] for one in both]
    codes = [one.returncode for one in both]
    assert sorted(codes) == [0, 2], said
    assert f"(process {both[codes.index(0)].pid})" in said[codes.index(2)]
    assert [tick.step for tick in sg.Run(tmp_path / "a").log()] == list(range(2, 301, 2))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_stop_before_anything_was_written_leaves_nothing(tmp_path, number):
    environment = os.environ | {"STEADYGAN_CACHE": str(tmp_path / "cache")}
    line = command("train", "builtin:critters", "-o", tmp_path / "runs" / "a", "--size", "128")
    process = subprocess.Popen(line, stderr=subprocess.PIPE, env=environment, text=True)
    assert "preparing" in process.stderr.readline()
    assert (tmp_path / "runs" / "a").is_dir()
    process.send_signal(number)
    process.communicate()
    assert process.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
