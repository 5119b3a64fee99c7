"""`steadygan studio` from its start to Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

pytest.importorskip("uvicorn", reason='needs the studio: pip install "steadygan[studio]"')


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-u", "-m", "steadygan", "studio", str(folder), "--no-open", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_it_says_where_it_is_takes_the_next_port_and_leaves_quietly(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with start(tmp_path / "runs", "--port", str(port)) as process:
            taken = int(line(process).removeprefix(f"port {port} is taken; using "))
            assert line(process) == f"studio   http://127.0.0.1:{taken}/"
            assert line(process) == "Ctrl-C ends it; trainings go on"
            with urlopen(f"http://127.0.0.1:{taken}/") as page:
                assert b"Your first run" in page.read()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out == ""
    assert not (tmp_path / "runs").exists()


def test_a_shared_studio_prints_its_link(tmp_path: Path) -> None:
    with start(tmp_path, "--share", "--port", "0") as process:
        assert line(process).startswith("shared: whoever has this link")
        assert f"{socket.gethostname()}:" in line(process)
        address = line(process).removeprefix("studio").strip()
        with urlopen(address) as page:
            assert page.status == 200
        with pytest.raises(HTTPError, match="401"):
            urlopen(address.partition("?")[0])
        process.send_signal(signal.SIGINT)
        process.communicate()


def test_what_cannot_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with start(tmp_path / "file") as process:
        _, err = process.communicate()
    assert (process.returncode, err) == (
        2,
        f"steadygan: {tmp_path / 'file'} is a file; give the folder that holds the runs\n",
    )


def test_without_its_packages_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError('no', name='starlette')")
    command = [sys.executable, "-m", "steadygan", "studio", str(tmp_path)]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (
        2,
        'steadygan: the studio needs starlette and uvicorn: pip install "steadygan[studio]"\n',
    )
