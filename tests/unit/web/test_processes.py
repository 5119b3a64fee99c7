"""Processes of the command line that the studio starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from steadygan.version import __version__
from steadygan.web.studio import Studio
from unit.web.conftest import at_once


def test_a_process_says_how_it_ended(client: TestClient, studio: Studio) -> None:
    job = studio.processes.start("version", ["--version"], about="x")
    assert job.process.wait() == 0
    told = client.get(f"/api/jobs/{job.id}").json()
    assert told == {
        "id": job.id,
        "what": "version",
        "about": "x",
        "code": 0,
        "line": __version__,
        "lines": [__version__],
    }
    assert studio.processes.about("x") == [job]
    assert client.get("/api/jobs/none").status_code == 404


def test_what_is_given_is_never_a_command_of_a_shell(studio: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    folder.mkdir()
    job = studio.processes.start(
        "note", ["note", str(folder), f"$(touch {folder}/a); `touch {folder}/b` & > {folder}/c"]
    )
    assert job.process.wait() == 4
    assert "is not the folder of a run" in job.line
    assert not list(folder.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="sessions are of Unix")
def test_a_process_has_a_session_of_its_own(studio: Studio) -> None:
    job = studio.processes.start("version", ["--version"])
    assert os.getsid(job.process.pid) == job.process.pid != os.getsid(0)
    job.process.wait()


def test_the_last_line_is_text_for_people(studio: Studio, tmp_path: Path) -> None:
    job = studio.processes.start("version", ["--version"])
    job.process.wait()
    job.output.write_bytes(b"x" * 100_000 + b"\n 1 %\r 2 % \x1b[31mred\x1b[0m \xff\r\n\n")
    assert job.line == "2 % red \ufffd"
    job.output.unlink()
    assert job.line == ""
    assert job.process.args[:3] == [sys.executable, "-m", "steadygan"]  # type: ignore[index]


def test_nothing_temporary_stays_when_the_studio_ends(runs: Path) -> None:
    studio = Studio(runs)
    job = studio.processes.start("version", ["--version"])
    job.process.wait()
    assert job.output.parent.is_dir()
    at_once(studio.close())
    assert not job.output.parent.exists()
    assert job.line == ""


def test_what_a_process_says_is_written_over_no_other_file(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "said.txt").symlink_to(tmp_path / "precious")
    job = studio.processes.start("version", ["--version"], output=tmp_path / "said.txt")
    job.process.wait()
    assert job.line == __version__
    assert (tmp_path / "precious").read_text() == "precious"
