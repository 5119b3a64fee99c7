"""One writer a folder, seen from processes that come at once, are refused, wait, fork and die."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from steadygan.claim import LOCK, alone, claimed, claimed_next, writer
from steadygan.errors import ConfigError, StorageError
from steadygan.rundir import append_line

HOLD = "import sys\nfrom pathlib import Path\nfrom steadygan.claim import *\nfolder = Path(sys.argv[1])\n"


def process(code: str, folder: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """A process that runs the code; what it prints and what it is told go through pipes."""
    line = [sys.executable, "-c", HOLD + code, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(line, env=os.environ | (environment or {}), **pipes)  # type: ignore[call-overload]


HOLDER = "with writer(folder):\n    print('held', flush=True)\n    input()"


@pytest.fixture
def held(tmp_path):
    """A folder and the process that holds it."""
    holder = process(HOLDER, tmp_path)
    assert holder.stdout.readline() == "held\n"
    yield tmp_path, holder
    holder.kill()
    holder.communicate()


def test_the_second_writer_is_refused_in_one_line_that_names_the_first(held):
    folder, holder = held
    with pytest.raises(ConfigError) as refused, writer(folder):
        pass
    assert str(refused.value).startswith(f"another process is training {folder} (process {holder.pid}); ")
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_holder_on_another_machine_is_named_with_it(held):
    folder, _ = held
    (folder / LOCK).write_text(" 17 elsewhere")
    with pytest.raises(ConfigError, match=r"\(process 17 on elsewhere\)"), writer(folder):
        pass


def test_a_holder_that_did_not_say_who_it_is_refuses_all_the_same(held):
    folder, _ = held
    (folder / LOCK).write_text("")
    with pytest.raises(ConfigError, match=rf"^another process is training {folder}; "), writer(folder):
        pass


def test_two_threads_of_one_process_are_two_writers(tmp_path):
    refused = []

    def second():
        try:
            with writer(tmp_path):
                pass
        except ConfigError as problem:
            refused.append(str(problem))

    with writer(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert refused[0].startswith(f"this process is already training {tmp_path}; ")


@pytest.mark.parametrize("ending", ["kill", "terminate", "communicate"])
def test_a_lock_ends_with_its_process_however_that_ends(held, ending):
    folder, holder = held
    getattr(holder, ending)()
    holder.wait()
    with writer(folder):
        pass
    assert list(folder.iterdir()) == []


def test_a_lock_is_given_back_after_an_error_and_can_be_taken_again(tmp_path):
    for _ in range(2):
        with suppress(RuntimeError), writer(tmp_path):
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []


FORKED = """
import os, signal, subprocess
with writer(folder):
    child = os.fork()
    if child == 0:
        os.close(1)
        signal.pause()
    started = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], close_fds=False, stdout=-3)
    print(child, started.pid, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_neither_a_fork_nor_a_program_that_the_holder_started_keeps_the_lock(tmp_path):
    holder = process(FORKED, tmp_path)
    children = [int(number) for number in holder.communicate()[0].split()]
    try:
        assert len(children) == 2
        assert holder.returncode == -signal.SIGKILL
        with writer(tmp_path):
            for child in children:
                os.kill(child, 0)  # it is there
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def test_of_one_torchrun_the_first_process_holds_the_folder_and_the_others_go_along(held, monkeypatch):
    folder, _ = held
    monkeypatch.setenv("RANK", "1")
    with writer(folder), claimed(folder, ""), claimed_next(folder / "run", "") as named:
        assert named == folder / "run-01"
        assert not named.exists()


NEXT = """
print('ready', flush=True); input()
with claimed_next(folder / "run", "") as mine:
    (mine / "file").write_text("x")
    print(mine.name, flush=True); input()
"""


def test_of_several_that_start_at_once_each_gets_a_folder_of_its_own(tmp_path):
    several = [process(NEXT, tmp_path / "runs") for _ in range(3)]
    assert [one.stdout.readline() for one in several] == ["ready\n"] * 3
    for one in several:
        one.stdin.write("\n")
        one.stdin.flush()
    names = {one.stdout.readline().strip() for one in several}
    for one in several:
        one.communicate("\n")
    assert names == {"run-01", "run-02", "run-03"} == {path.name for path in (tmp_path / "runs").iterdir()}
    with claimed_next(tmp_path / "runs" / "run", "") as mine:
        assert mine.name == "run-04"


CLAIM = """
print('ready', flush=True); input()
from steadygan.errors import ConfigError
try:
    with claimed(folder, ""):
        (folder / "file").write_text("x")
        print("won", flush=True); input()
except ConfigError as problem:
    print(problem, flush=True); input()
"""


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
def test_of_two_that_want_one_folder_exactly_one_gets_it(tmp_path, there):
    folder = tmp_path / "a" / "run"
    if there:
        folder.mkdir(parents=True)
    both = [process(CLAIM, folder) for _ in range(2)]
    assert [one.stdout.readline() for one in both] == ["ready\n"] * 2
    for one in both:
        one.stdin.write("\n")
        one.stdin.flush()
    said = sorted((one.stdout.readline().strip(), one.pid) for one in both)
    for one in both:
        one.communicate("\n")
    (refusal, _), (won, winner) = said
    assert won == "won"
    assert refusal.startswith(f"another process is training {folder} (process {winner})")
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_a_claim_that_comes_when_the_run_is_over_sees_the_run(tmp_path):
    with claimed(tmp_path / "run", ""):
        (tmp_path / "run" / "run.json").touch()
    with pytest.raises(ConfigError, match=r"exists; continue it with `steadygan resume"), claimed(tmp_path / "run", ""):
        pass
    (tmp_path / "run" / LOCK).touch()  # as after kill -9
    with pytest.raises(ConfigError, match=r"exists; continue it with `steadygan resume"), claimed(tmp_path / "run", ""):
        pass


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_claim_that_came_to_nothing_leaves_nothing(tmp_path, error):
    with pytest.raises(error), claimed(tmp_path / "a" / "b" / "run", ""):
        raise error
    with pytest.raises(error), claimed_next(tmp_path / "runs" / "run", ""):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_claim_that_fails_leaves_the_folders_of_others_and_what_was_written(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new"):
        with suppress(RuntimeError), claimed(tmp_path / name, ""):
            (tmp_path / "new").mkdir(exist_ok=True)
            (tmp_path / "new" / "file").touch()
            raise RuntimeError
        (tmp_path / "new" / "file").unlink()
        (tmp_path / "new").rmdir()
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    with suppress(RuntimeError), claimed(tmp_path / "kept", ""):
        (tmp_path / "kept" / "file").touch()
        raise RuntimeError
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["file"]


def test_a_folder_killed_before_anything_was_written_counts_as_empty(tmp_path):
    (tmp_path / LOCK).write_text(f" {os.getpid()} {platform.node()}")
    with claimed(tmp_path, ""):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_of_another_program_is_left_alone(tmp_path):
    (tmp_path / ".lock").write_text("mine")
    with pytest.raises(ConfigError, match="exists"), claimed(tmp_path, ""):
        pass
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(".lock", "mine")]


def test_whoever_may_wait_says_for_whom_and_has_it_afterwards(tmp_path):
    lock = tmp_path / "lock"
    code = "with alone(folder / 'lock', '', ''):\n    print('held', flush=True)\n    input()"
    holder = process(code, tmp_path)
    assert holder.stdout.readline() == "held\n"
    said = []

    def wait(text):
        said.append(text)
        holder.communicate("\n")

    with alone(lock, "preparing photos", "", wait):
        assert holder.returncode == 0
    assert said == [f"another process is preparing photos (process {holder.pid}); waiting for it"]


@pytest.mark.parametrize("reason", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_files_cannot_be_locked_one_line_says_so_and_all_goes_on(tmp_path, monkeypatch, capsys, reason):
    def refuse(*_):
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claimed(tmp_path / "run", ""):
        append_line(tmp_path / "run" / "log.jsonl", "{}")
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path / 'run'} lies where files cannot be locked; see to it that no other process writes there"
    ]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["log.jsonl"]


def test_any_other_failure_of_a_lock_is_said_in_one_line(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError, match=f"cannot write {tmp_path}: Input/output error"), writer(tmp_path):
        pass


def test_a_file_is_no_folder_to_write_a_run_into(tmp_path):
    (tmp_path / "run-01").write_text("x")
    with pytest.raises(ConfigError, match=f"{tmp_path / 'run-01'} exists"), claimed(tmp_path / "run-01", ""):
        pass
    with claimed_next(tmp_path / "run", "") as other:
        assert other.name == "run-02"
    for claim in (claimed, claimed_next):
        with pytest.raises(StorageError, match="a part of the path is a file"), claim(tmp_path / "run-01" / "a", ""):
            pass
