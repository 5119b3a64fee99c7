"""What a process says of itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from steadygan.errors import ConfigError
from steadygan.training.runtime import enough_memory


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs a system that tells a process's own peak")
def test_the_peak_memory_is_not_that_of_the_larger_process_which_started_this_one():
    child = "from steadygan.training.runtime import _peak_bytes; print(_peak_bytes())"
    parent = f"import subprocess, sys\nlarge = bytearray(10**9)\nsubprocess.run([sys.executable, '-c', {child!r}])"
    shown = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True).stdout
    assert 50e6 < int(shown) < 0.9e9


@pytest.mark.parametrize(
    "words", ["CUDA out of memory. Tried to allocate", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when"]
)
def test_a_card_that_is_full_is_said_in_one_line_with_a_way_out(words):
    with pytest.raises(ConfigError, match="lower --batch"), enough_memory():
        raise RuntimeError(words)
