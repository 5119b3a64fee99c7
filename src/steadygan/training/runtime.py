"""The machine a run stands on: device, precision, memory layout, threads and processes, through Accelerate."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from steadygan.errors import ConfigError
from steadygan.training.config import RuntimeSettings

T = TypeVar("T")

_GAIN = 1.25  # bfloat16 is taken when it is faster by this factor: its rounding is not worth less


@dataclass(frozen=True)
class Choices:
    """What `auto` came to on this machine; stored in `run.json`, so that a resumed run computes the same way."""

    device: str
    precision: str
    layout: str
    threads: int
    processes: int
    bfloat16_gain: float = 0.0
    channels_last_gain: float = 0.0

    def sentence(self) -> str:
        """What the user is told before the run."""
        where = f"{self.device}, {self.threads} threads" if self.device == "cpu" else self.device
        several = f", {self.processes} processes" if self.processes > 1 else ""
        measured = f" (measured {self.bfloat16_gain:.1f}× float32)" if self.bfloat16_gain else ""
        return f"{where}{several}, {self.precision}{measured}, {self.layout.replace('_', ' ')}"


def flush_denormals() -> None:
    """Let the CPU take denormal numbers for zero: a confident discriminator makes so many that steps take far longer.

    Threads inherit this when they start, so it comes before the first parallel computation of the process.
    """
    torch.set_flush_denormal(True)


def choose_device(asked: str) -> str:
    """The device to use; ConfigError if the one asked for is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name, available in there.items() if available)
    if not there[asked]:
        have = ", ".join(name for name, available in there.items() if available)
        raise ConfigError(f"runtime.device: this machine (or this build of PyTorch) has no {asked}; available: {have}")
    return asked


def choose_threads(asked: int) -> int:
    """Threads for this process: all processors it may use but one, all of them below five, shared between processes."""
    processors = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    spare = processors - 1 if processors > 4 else processors
    return asked or max(1, spare // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _conv_seconds(device: str, dtype: torch.dtype, layout: torch.memory_format) -> float:
    """Seconds of one forward and backward pass of a typical layer, the best of four; on a GPU of a batch it feels."""
    batch = 32 if device == "cpu" else 1024
    layer = nn.Conv2d(64, 128, 4, 2, 1, bias=False, device=device)
    _in_layout(layer, layout)
    images = torch.randn(batch, 64, 32, 32, device=device).to(memory_format=layout)
    best = float("inf")
    for _ in range(4):
        start = time.perf_counter()
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            total = layer(images).float().square().sum()
        total.backward()
        total.item()
        best = min(best, time.perf_counter() - start)
    return best


def _in_layout(network: nn.Module, layout: torch.memory_format) -> nn.Module:
    """Bring a network's 4-D weights into a memory layout, in place."""
    return network.to(memory_format=layout)  # type: ignore[call-overload] # torch's stubs lack it


def choose(settings: RuntimeSettings) -> Choices:
    """Resolve every `auto` by what is there and by timing one convolution in each precision and layout.

    channels_last is kept unless it is clearly slower, so that two runs on one machine choose alike. Several processes
    take what the first one measured.
    """
    flush_denormals()
    device, threads = choose_device(settings.device), choose_threads(settings.threads)
    torch.set_num_threads(threads)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    precision, layout, gains = settings.precision, settings.layout, (0.0, 0.0)
    if "auto" in (precision, layout):
        last, first = torch.channels_last, torch.contiguous_format
        plain = _conv_seconds(device, torch.float32, last)
        half = _conv_seconds(device, torch.bfloat16, last)
        dtype = torch.bfloat16 if plain / half > _GAIN else torch.float32
        nchw = _conv_seconds(device, dtype, first)
        gains = (round(plain / half, 2) if precision == "auto" else 0.0, round(nchw / min(half, plain), 2))
        if precision == "auto":
            precision = "bfloat16" if dtype == torch.bfloat16 else "float32"
        layout = ("channels_last" if gains[1] > 1 / _GAIN else "channels_first") if layout == "auto" else layout
    return _agreed(Choices(device, precision, layout, threads, processes, *gains))


def _agreed(choices: Choices) -> Choices:
    """The first process's choices, in all processes; they wait as long as the first needs to prepare the images."""
    if choices.processes == 1:
        return choices
    PartialState(cpu=choices.device == "cpu", timeout=timedelta(days=1))
    agreed: list[Choices] = broadcast_object_list([choices])
    return agreed[0]


@contextmanager
def enough_memory() -> Iterator[None]:
    """Turn the machine's word that memory is used up into one line that says what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as problem:
        text = str(problem).lower()
        if isinstance(problem, MemoryError) or "out of memory" in text or "allocate memory" in text:
            raise ConfigError("this does not fit into memory; lower --batch, --size or networks.width") from None
        raise


class Runtime:
    """Places networks and batches on the machine and lets several processes act as one."""

    def __init__(self, choices: Choices, compile: bool = False) -> None:
        flush_denormals()
        torch.set_num_threads(choices.threads)
        if choices.processes == 1:  # Accelerate remembers the device and precision of the run before
            AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001 - there is no public way
        self.choices = choices
        self.compile = compile
        self.accelerator = Accelerator(
            cpu=choices.device == "cpu",
            mixed_precision="bf16" if choices.precision == "bfloat16" else "no",
        )
        self.device = self.accelerator.device
        self.rank = self.accelerator.process_index
        self.world = self.accelerator.num_processes
        self.main = self.accelerator.is_main_process
        last = choices.layout == "channels_last"
        self.memory_format = torch.channels_last if last else torch.contiguous_format

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, its weights in the chosen layout."""
        return _in_layout(network.to(self.device), self.memory_format)

    def prepare(self, network: nn.Module, alone: bool = False) -> nn.Module:
        """Wrap a placed network: autocast, several processes (unless `alone`), compiled if so set.

        Batch-norm statistics stay each process's own; the averaged generator measures its own anyway.
        """
        wrapped: nn.Module = self.accelerator.prepare_model(network, evaluation_mode=alone)
        if isinstance(wrapped, DistributedDataParallel):
            wrapped.broadcast_buffers = False
        return cast(nn.Module, torch.compile(wrapped)) if self.compile and not alone else wrapped

    def forget(self) -> None:
        """Let go of the networks prepared so far, which Accelerate would keep alive."""
        self.accelerator.free_memory()

    def to_layout(self, images: Tensor) -> Tensor:
        """A batch (N, C, H, W) in the chosen layout; free where it already is."""
        return images.contiguous(memory_format=self.memory_format)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a tensor over all processes."""
        return self.accelerator.reduce(values, "mean") if self.world > 1 else values

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process; every process must ask."""
        return bool(self.mean(torch.tensor(float(flag), device=self.device)) > 0) if self.world > 1 else flag

    def agreed(self, value: T) -> T:
        """What the first process has for a value, in all of them."""
        return cast(T, broadcast_object_list([value])[0]) if self.world > 1 else value

    def wait(self) -> None:
        """Wait until every process is here."""
        self.accelerator.wait_for_everyone()

    def memory_mb(self) -> float:
        """Memory in use now: the process's resident set on the CPU, allocated device memory on CUDA. MiB."""
        if self.device.type == "cuda":
            return torch.cuda.memory_allocated(self.device) / 2**20
        return _resident_bytes() / 2**20

    def peak_memory_mb(self) -> float:
        """The most memory held so far. MiB."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20

    def describe(self) -> dict[str, Any]:
        """For `run.json`."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else _processor()
        return {**asdict(self.choices), "name": name, "compile": self.compile}


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux: the peak is the nearest thing the system tells
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        return names[0] if names else "cpu"
    except OSError:
        return "cpu"
