"""No test depends on how fast the machine is, or on what else it does: benchmarks hold the times."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
FILES = [file for file in sorted(TESTS.rglob("*.py")) if file != Path(__file__).resolve()]

MAY_READ_A_CLOCK = {
    "integration/test_ablate.py": "the slow tests kill some time after a moment, and give up on what never comes",
    "integration/test_kill.py": "the slow tests kill at a random moment, and give up on what never starts",
    "integration/test_processes.py": "a slow test kills a process after a moment, and gives up on what never comes",
    "unit/web/test_painter.py": "a painter that is slow, beside which requests pile up",
}
CLOCKS = {"time", "timeit"}
# in the code that a test hands to another process, as text
READ = re.compile(r"\btime\.(perf_counter|monotonic|process_time|thread_time|time|sleep)\b|\bimport timeit\b")
GIVES_UP = {"timeout"}


def clocks(code: str) -> list[str]:
    """Where code reads a clock, sleeps, or gives up on something after a number of seconds of its own."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in CLOCKS]
        elif isinstance(node, ast.ImportFrom) and node.module in CLOCKS:
            found.append(node.module)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and READ.search(node.value):
            found.append(node.value)
        elif isinstance(node, ast.Call):
            found += [word.arg for word in node.keywords if word.arg in GIVES_UP]
            if isinstance(node.func, ast.Attribute) and node.func.attr == "timeout":  # pytest.mark.timeout
                found.append("timeout")
    return found


def test_no_test_reads_a_clock_or_has_a_limit_of_its_own() -> None:
    read = {file.relative_to(TESTS).as_posix(): found for file in FILES if (found := clocks(file.read_text()))}
    assert set(read) - set(MAY_READ_A_CLOCK) == set(), read
    assert set(MAY_READ_A_CLOCK) - set(read) == set(), "these need no allowance any more"


@pytest.mark.parametrize(
    "code",
    [
        "import time",
        "from time import perf_counter",
        "import timeit",
        "code = 'began = time.monotonic()'",
        "subprocess.run(line, timeout=60)",
        "process.communicate(timeout=seconds)",
        "@pytest.mark.timeout(900)\ndef test_it(): pass",
    ],
)
def test_a_clock_would_be_seen(code: str) -> None:
    assert clocks(code)


def test_what_is_no_clock_is_not_taken_for_one() -> None:
    assert clocks("log[-1].seconds >= 1.2\nfrom datetime import datetime\nx = 'how many times a second'") == []


def test_the_one_limit_is_against_hangs() -> None:
    with (TESTS.parent / "pyproject.toml").open("rb") as file:
        limit = tomllib.load(file)["tool"]["pytest"]["ini_options"]["timeout"]
    assert limit >= 3000, "ten times what the longest test and its fixture take on a quiet machine"


def test_this_process_and_those_that_tests_start_compute_with_one_thread() -> None:
    import torch

    code = "import torch\nfrom steadygan.training.threads import choose_threads\n"
    code += "print(torch.get_num_threads(), choose_threads(0))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert (torch.get_num_threads(), shown.split()) == (1, ["1", "1"])
