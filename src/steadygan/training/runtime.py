"""The machine a run stands on: device, precision, memory layout, threads and processes, through Accelerate."""

from __future__ import annotations

import atexit
import os
import resource
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from steadygan.errors import ConfigError
from steadygan.runs import LayerWay
from steadygan.training.config import RuntimeSettings
from steadygan.training.speed import LAYOUTS, has_bfloat16, name_of, speeds
from steadygan.training.threads import Others, choose_threads, counted, free, is_pinned

with warnings.catch_warnings():  # in notebooks, of bars that are never shown
    warnings.filterwarnings("ignore", "IProgress not found")
    from accelerate import Accelerator, PartialState
    from accelerate.state import AcceleratorState
    from accelerate.utils import broadcast_object_list

T = TypeVar("T")

_USED_UP = ("out of memory", "allocate memory", "alloc_failed")  # the last is what cuBLAS and cuDNN say
_GAIN = 1.25  # bfloat16 is taken when it is faster by this factor: its rounding is not worth less


@dataclass(frozen=True)
class Choices:
    """What `auto` came to on this machine; stored in `run.json`, so that a resumed run computes the same way."""

    device: str
    precision: str
    layout: str
    threads: int
    processes: int
    most_threads: int = 1
    threads_pinned: bool = True
    bfloat16_gain: float = 0.0
    channels_last_gain: float = 0.0
    convolutions: tuple[LayerWay, ...] | None = None  # not chosen yet
    remark: str = ""

    def sentence(self) -> str:
        """What the user is told before the run."""
        few = f" (others leave no more of {self.most_threads})" if self.threads < self.most_threads else ""
        where = f"{self.device}, {counted(self.threads)}{few}" if self.device == "cpu" else self.device
        several = f", {self.processes} processes" if self.processes > 1 else ""
        measured = f" (bfloat16 is {self.bfloat16_gain:.1f}× as fast here)" if self.bfloat16_gain else ""
        return f"{where}{several}, {self.precision}{measured}, {self.layout.replace('_', ' ')}{self._otherwise()}"

    def _otherwise(self) -> str:
        if not self.convolutions:
            return ""
        count, gain = len(self.convolutions), max(one.gain for one in self.convolutions)
        counted = "1 layer" if count == 1 else f"{count} layers"
        return f", {counted} computed another way ({'up to ' if count > 1 else ''}{gain:.1f}× as fast)"


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


def choose(settings: RuntimeSettings) -> Choices:
    """Resolve every `auto` by what is there and by the speed of one convolution in each precision and layout.

    A processor that says that it has no bfloat16 is not tried with it. channels_last is kept unless it is clearly
    slower, so that two runs on one machine choose alike. Several processes take what the first one measured. Unless
    somebody chose the threads, a busy machine gives as many as others leave free.
    """
    flush_denormals()
    device, most = choose_device(settings.device), choose_threads(settings.threads)
    torch.set_num_threads(most)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if device == "cuda" and processes > 1:  # else all of them would measure on the first card, and keep memory there
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    pinned = is_pinned(settings.threads) or processes > 1 or device != "cpu"
    threads = most if pinned else free(most, Others().sample())
    precision, layout, gains = settings.precision, settings.layout, [0.0, 0.0]
    possible = ["float32"] if has_bfloat16(device) is False else ["float32", "bfloat16"]
    tried = possible if precision == "auto" else [precision]
    seconds = speeds(device, most, tried) if len(tried) > 1 or layout == "auto" else {}
    if precision == "auto" and len(tried) > 1:
        gains[0] = seconds["float32", "channels_last"] / seconds["bfloat16", "channels_last"]
    if precision == "auto":
        precision = "bfloat16" if gains[0] > _GAIN else "float32"
    if layout == "auto":
        gains[1] = seconds[precision, "channels_first"] / seconds[precision, "channels_last"]
        layout = "channels_last" if gains[1] > 1 / _GAIN else "channels_first"
    bfloat16, channels_last = (round(gain, 2) for gain in gains)
    return _agreed(Choices(device, precision, layout, threads, processes, most, pinned, bfloat16, channels_last))


def _agreed(choices: Choices) -> Choices:
    """The first process's choices, in all processes; they wait as long as the first needs to prepare the images."""
    if choices.processes == 1:
        return choices
    PartialState(cpu=choices.device == "cpu", timeout=timedelta(days=1))
    atexit.register(_leave)
    agreed: list[Choices] = broadcast_object_list([choices])
    return agreed[0]


def _leave() -> None:
    """End the threads of the process group while Python still runs: one that wants it later aborts the process."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@contextmanager
def enough_memory() -> Iterator[None]:
    """Turn the machine's word that memory is used up into one line that says what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as problem:
        text = str(problem).lower()
        if isinstance(problem, MemoryError) or any(word in text for word in _USED_UP):
            raise ConfigError("this does not fit into memory; lower --batch, --size or networks.width") from None
        raise


class Runtime:
    """Places networks and batches on the machine and lets several processes act as one."""

    def __init__(self, choices: Choices, compile: bool = False) -> None:
        flush_denormals()
        torch.set_num_threads(choices.threads)
        # Accelerate remembers the precision of the run before, and its device; there is no public way to forget them
        AcceleratorState._reset_state(reset_partial_state=choices.processes == 1)  # noqa: SLF001
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
        self.memory_format = LAYOUTS[choices.layout]
        if self.device.type == "cuda" and torch.cuda.is_initialized():  # a run's peak is not that of choosing
            torch.cuda.reset_peak_memory_stats(self.device)

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, its weights in the chosen layout."""
        return network.to(self.device).to(memory_format=self.memory_format)  # type: ignore[call-overload] # stubs lack it

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
        return _peak_bytes() / 2**20

    def describe(self) -> dict[str, Any]:
        """For `run.json`."""
        return {**asdict(self.choices), "name": name_of(self.device.type), "compile": self.compile}


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux: the peak is the nearest thing the system tells
        return _peak_bytes()


def _peak_bytes() -> int:
    """The largest resident set; `getrusage` gives that of the process that started this one, if it was larger."""
    with suppress(OSError, StopIteration, ValueError), open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
