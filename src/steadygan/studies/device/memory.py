"""The memory that training takes, by the size of a batch, in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import psutil
from accelerate.utils.memory import clear_device_cache

from steadygan.doctor.budget import duration
from steadygan.errors import ConfigError
from steadygan.studies.device.report import LEFT_OUT, MemoryRow
from steadygan.studies.device.timing import Allowance, attempt, configured, filled, stand
from steadygan.training.runtime import Choices, Runtime
from steadygan.training.trial import period

_CHILD = "import sys; from steadygan.studies.device.memory import measure; measure(sys.argv[1])"


def memory_by_batch(
    about: MemoryRow, batches: Sequence[int], runtime: Runtime, allowance: Allowance
) -> list[MemoryRow]:
    """The peak for each of these batches, which rise; what does not fit ends it, and takes no other process along."""
    rows = [about.model_copy(update={"batch": batch}) for batch in batches]
    asked = {"rows": [row.model_dump() for row in rows], "choices": asdict(runtime.choices)}
    found = attempt(partial(_in_child, json.dumps(asked), allowance))
    known, why = ([], found) if isinstance(found, str) else found
    return [*known, *(row.model_copy(update={"reason": why}) for row in rows[len(known) :])]


def _in_child(asked: str, allowance: Allowance) -> tuple[list[MemoryRow], str]:
    """What the process wrote as far as it came, and why it came no further."""
    allowance.need()
    clear_device_cache(garbage_collection=True)  # what this process keeps on a card, the other cannot have
    seconds = allowance.left
    try:
        child = subprocess.run([sys.executable, "-c", _CHILD, asked], capture_output=True, check=False, timeout=seconds)
        written, why = child.stdout, _ended(child)
    except subprocess.TimeoutExpired as late:
        written, why = late.stdout or b"", f"{LEFT_OUT}{duration(seconds)} did not suffice"
    lines = [line for line in written.splitlines(keepends=True) if line.startswith(b"{") and line.endswith(b"\n")]
    rows = [MemoryRow.model_validate_json(line) for line in lines]
    return rows, next((row.reason for row in rows if row.reason), why)


def _ended(child: subprocess.CompletedProcess[bytes]) -> str:
    if child.returncode < 0:
        return f"the process was ended by {signal.Signals(-child.returncode).name}, as happens where memory is used up"
    return [f"the process ended with {child.returncode}", *child.stderr.decode(errors="replace").splitlines()][-1]


def measure(asked: str) -> None:
    """In the process of its own: write a row for each batch, up to the first that does not fit."""
    wanted = json.loads(asked)
    runtime, before = Runtime(Choices(**wanted["choices"])), None
    for row in map(MemoryRow.model_validate, wanted["rows"]):
        before = filled(row, partial(_peak, row, runtime, before))
        sys.stdout.write(before.model_dump_json() + "\n")
        sys.stdout.flush()
        if before.reason:
            break


def _peak(row: MemoryRow, runtime: Runtime, before: MemoryRow | None) -> dict[str, Any]:
    """The peak after the steps of a period and one more, when the optimizers have their states and penalties are due.

    A processor's memory is shared with other programs, so that it is left alone where it might not suffice.
    """
    if before and before.peak_mib and runtime.device.type == "cpu":
        expected = before.peak_mib * row.batch / before.batch
        there = psutil.virtual_memory().available / 2**20 + runtime.memory_mb()
        if expected > there:
            raise ConfigError(f"it may take {expected:,.0f} MiB, and {there:,.0f} are free")
    config, spec = configured(row.recipe, row.size, runtime.device.type, row.batch)
    play = stand(config, spec, runtime)
    for _ in range(period(config) + 1):
        play()
    return {"peak_mib": round(runtime.peak_memory_mb(), 1)}
