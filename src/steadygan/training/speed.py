"""How fast this machine is in each precision and layout: measured once, in short rounds, and then remembered."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from steadygan.data.pool import cores
from steadygan.errors import StorageError
from steadygan.places import cache_folder
from steadygan.rundir import atomic_write

Way = tuple[str, ...]
"""What is compared, in words: a precision and a layout, ("bfloat16", "channels_last"), or a way to compute a layer."""

LAYOUTS = {"channels_last": torch.channels_last, "channels_first": torch.contiguous_format}
_KERNEL = 1  # of what is measured; a higher number forgets what was measured before
_FEWEST, _MOST = 5, 30
_LONG = 2.0  # seconds after which rounds end
_SETTLED = 1.1
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "avx10_2", "bf16", "svebf16", "sme"}


def has_bfloat16(device: str) -> bool | None:
    """Whether the device multiplies bfloat16 by itself, as it says; None where it says nothing, so measure."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return _says_bfloat16(_cpuinfo()) if device == "cpu" else None


def _says_bfloat16(cpuinfo: str) -> bool | None:
    lines = [line.partition(":") for line in cpuinfo.splitlines()]
    flags = {word for name, _, words in lines if name.strip() in ("flags", "Features") for word in words.split()}
    return not flags.isdisjoint(_BFLOAT16) if flags else None


def name_of(device: str) -> str:
    """The processor's name, or that of the GPU."""
    if device == "cuda":
        return str(torch.cuda.get_device_name())
    names = [line.partition(":")[2].strip() for line in _cpuinfo().splitlines() if line.startswith("model name")]
    return names[0] if names else device


def speeds(device: str, threads: int, precisions: Iterable[str]) -> dict[Way, float]:
    """Seconds of one pass of a typical layer in each precision and layout."""
    ways = [(precision, layout) for precision in sorted(precisions) for layout in LAYOUTS]
    return timed(device, threads, ways, lambda way: _pass_seconds(device, *way))[0]


def timed(
    device: str, threads: int, ways: Sequence[Way], once: Callable[[Way], float], **what: object
) -> tuple[dict[Way, float], bool]:
    """Seconds of each way and whether they settled: remembered, or else measured. `what` it is done with, if it varies.

    It is remembered by processor, threads and version of PyTorch in the folder `speeds` of the cache, and deleting that
    forgets it. What a busy machine did not let settle is used once and not remembered.
    """
    about = {
        "device": name_of(device),
        "cores": cores(),
        "threads": threads,
        "torch": torch.__version__,
        "ways": [" ".join(way) for way in ways],
        "kernel": _KERNEL,
        **what,
    }
    file = _file(about)
    if (remembered := _recall(file, ways)) is not None:
        return remembered, True
    found, settled = measured(ways, once)
    if settled:
        _remember(file, about, found)
    return found, settled


def measured(ways: Iterable[Way], once: Callable[[Way], float]) -> tuple[dict[Way, float], bool]:
    """The best seconds of each way, and whether they settled: whether each came near its best a second time.

    The ways take turns, so that a busy moment hits them alike. There are fewer rounds of what takes long.
    """
    start = time.perf_counter()
    times: dict[Way, list[float]] = {way: [] for way in ways}
    settled = False
    for number in range(_MOST):
        for way, so_far in times.items():
            so_far.append(once(way))
        settled = all(sorted(so_far)[min(1, number)] < _SETTLED * min(so_far) for so_far in times.values())
        long = time.perf_counter() - start > _LONG
        if (settled or long) and number + 1 >= _FEWEST:
            break
    return {way: min(so_far) for way, so_far in times.items()}, settled


def _pass_seconds(device: str, precision: str, layout: str) -> float:
    """One forward and backward pass of a typical layer: short on a processor, on a GPU of a batch it feels."""
    batch = 8 if device == "cpu" else 1024
    dtype, form = getattr(torch, precision), LAYOUTS[layout]
    layer = nn.Conv2d(64, 128, 4, 2, 1, bias=False, device=device).to(memory_format=form)  # type: ignore[call-overload]
    images = torch.randn(batch, 64, 32, 32, device=device).to(memory_format=form)
    images.sum().item()
    start = time.perf_counter()
    with torch.autocast(device, dtype, enabled=dtype != torch.float32):
        total = layer(images).float().square().sum()
    total.backward()
    layer.weight.grad.sum().item()
    return time.perf_counter() - start


def _file(about: dict[str, object]) -> Path | None:
    key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
    with suppress(RuntimeError):  # a user without a home
        return cache_folder() / "speeds" / f"{key}.json"
    return None


def _recall(file: Path | None, ways: Sequence[Way]) -> dict[Way, float] | None:
    """What was measured before; None if it was not, or if the file is damaged."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        seconds = json.loads(file.read_bytes())["seconds"] if file else {}
        found = {way: float(seconds[" ".join(way)]) for way in ways}
        if all(math.isfinite(value) and value > 0 for value in found.values()):
            return found
    return None


def _remember(file: Path | None, about: dict[str, object], seconds: dict[Way, float]) -> None:
    """A cache that cannot be written costs time and nothing else."""
    with suppress(StorageError, OSError):
        if file:
            content = {**about, "seconds": {" ".join(way): value for way, value in seconds.items()}}
            atomic_write(file, json.dumps(content, indent=1) + "\n")


def _cpuinfo() -> str:
    with suppress(OSError, UnicodeDecodeError):
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return ""
