"""What a run chooses on this machine, and how fast the machine is at all."""

from __future__ import annotations

import time

import psutil
import torch
from pydantic import BaseModel

from steadygan.config import resolve
from steadygan.training.config import RuntimeSettings
from steadygan.training.runtime import Runtime, choose
from steadygan.training.speed import has_bfloat16

_MATRIX = 2048


class DeviceReport(BaseModel):
    """What `bench device` prints: what `auto` comes to here, the memory in GiB, and the best rate of each precision."""

    machine: dict[str, object]
    memory_gib: float
    matrix_peak_gflops: dict[str, float]


def bench_device(device: str) -> DeviceReport:
    """Choose device, precision and layout as a run does, and time square matrix products in each precision it has."""
    runtime = Runtime(choose(resolve(RuntimeSettings, {"device": device})))
    if runtime.device.type == "cuda":
        memory = torch.cuda.get_device_properties(runtime.device).total_memory
    else:
        memory = psutil.virtual_memory().total
    precisions = ["float32"] if has_bfloat16(runtime.device.type) is False else ["float32", "bfloat16"]
    return DeviceReport(
        machine=runtime.describe(),
        memory_gib=round(memory / 2**30, 1),
        matrix_peak_gflops={name: round(matrix_peak_gflops(runtime.device, name), 1) for name in precisions},
    )


def finish(device: torch.device) -> None:
    """Wait for the device to be done."""
    torch.zeros((), device=device).item()


def matrix_peak_gflops(device: torch.device, precision: str) -> float:
    """The best rate of a square matrix product in a precision: what the machine can do at all."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    matrix = torch.randn(_MATRIX, _MATRIX, device=device).to(dtype)
    best = float("inf")
    for _ in range(8):
        start = time.perf_counter()
        matrix @ matrix
        finish(device)
        best = min(best, time.perf_counter() - start)
    return 2 * _MATRIX**3 / best / 1e9
