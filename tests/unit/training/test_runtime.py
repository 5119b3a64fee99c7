"""What a process says of itself."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="needs a system that tells a process's own peak")
def test_the_peak_memory_is_not_that_of_the_larger_process_which_started_this_one():
    child = "from steadygan.training.runtime import _peak_bytes; print(_peak_bytes())"
    parent = f"import subprocess, sys\nlarge = bytearray(10**9)\nsubprocess.run([sys.executable, '-c', {child!r}])"
    shown = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True).stdout
    assert 50e6 < int(shown) < 0.9e9
