"""`steadygan --help` answers at once: torch stays unloaded until a command needs it."""

from __future__ import annotations

import subprocess
import sys
import time

HELP = [sys.executable, "-m", "steadygan", "--help"]

LOADED = """
import contextlib, io, sys
from steadygan.cli.main import main
with contextlib.redirect_stdout(io.StringIO()) as shown:
    try:
        main(["--help"])
    except SystemExit as end:
        assert not end.code, end.code
assert "train" in shown.getvalue()
{extra}
print("torch" in sys.modules)
"""


def torch_is_loaded(extra: str = "") -> str:
    code = LOADED.format(extra=extra)
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_help_loads_no_torch() -> None:
    assert torch_is_loaded() == "False"


def test_help_that_loaded_torch_would_be_noticed() -> None:
    assert torch_is_loaded("import steadygan.ops.images") == "True"


def test_help_comes_in_less_than_four_tenths_of_a_second() -> None:
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(HELP, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.4, [f"{value:.2f}" for value in seconds]
