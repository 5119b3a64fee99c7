"""What the machine does to a run: it waits for images, fills its memory, or serves other programs."""

from __future__ import annotations

import numpy as np

from steadygan.doctor.case import Case
from steadygan.doctor.rule import Rule
from steadygan.doctor.trends import level, smooth

_STALLED = 0.25  # of the time waited for images: a quarter of the run is lost
_WAITS = 5  # ticks whose median counts: a checkpoint or a first pass over the images is one or two
_TICKS = 8  # ticks whose median counts: one that wrote a checkpoint, or the first after a pause, is none of them
_LEAK = 0.25  # of the memory of the second quarter, by which that of the last one is larger
_LEAK_MB = 100.0  # and by so much: Python and torch settle within less
_ON = 0.6  # of the growth before, that the last growth still is: caches fill up and stop
_QUARTER = 3  # ticks; fewer are no level
_SLOWED = 0.6  # of the best lasting rate of this very run
_BEST = 90  # percentile of the smoothed rates that counts as the best lasting one


def _stalls(case: Case) -> str | None:
    waited = level(case["input_wait_fraction"].part(1, len(case["input_wait_fraction"])), _WAITS)
    if not waited >= _STALLED:
        return None
    rate = level(case["images_per_second"], _WAITS) / (1 - min(waited, 0.99))
    without = f"; without it, it would do {rate:.0f} images/s" if rate > 0 else ""
    return f"{waited:.0%} of the time of the last {_WAITS} ticks went into waiting for images{without}"


def _memory(case: Case) -> str | None:
    memory = case["memory_mb"].finite()
    quarter = len(memory) // 4
    if quarter < _QUARTER:
        return None
    steps = np.diff(memory.values)
    steps[np.argmax(steps)] = 0  # what comes at once is no leak: a run resumed in a process that has done other things
    steady = memory.values[-1] - np.append(np.cumsum(steps[::-1])[::-1], 0)
    ends = [float(np.median(part)) for part in np.array_split(steady, 4)]
    grown, late, early = ends[3] - ends[1], ends[3] - ends[2], ends[2] - ends[1]
    if grown < max(_LEAK * ends[1], _LEAK_MB) or late < _ON * early:
        return None
    per_image = grown / max(float(memory.images[-1] - memory.images[len(memory) // 2 - 1]), 1.0)
    return (
        f"memory was {ends[1]:,.0f} MB in the second quarter of the run, {ends[2]:,.0f} in the third and "
        f"{ends[3]:,.0f} in the last, {per_image * 100_000:,.0f} MB more every 100,000 images"
    )


def _slowed(case: Case) -> str | None:
    rates = case["images_per_second"].finite().values[1:]  # the first tick warms up
    if len(rates) < 2 * _TICKS:
        return None
    best, now = float(np.percentile(smooth(rates, 5), _BEST)), float(np.median(rates[-_TICKS:]))
    threads = case["threads"].finite().values
    if not now < _SLOWED * best:
        return None
    fewer = len(threads) and threads[-1] < threads.max()
    changed = f", with {threads[-1]:.0f} threads instead of {threads.max():.0f}" if fewer else ""
    return f"{now:.0f} images/s over the last {_TICKS} ticks, where this run has done {best:.0f}{changed}"


def _against_slowness(case: Case) -> list[str]:
    threads = case["threads"].finite().last
    free = [f"--threads {threads - 1:.0f} (leaves a processor to the other programs)"] if threads > 1 else []
    return [*free, "end the other programs, or go on later with steadygan resume RUN (Ctrl-C keeps everything)"]


MACHINE: tuple[Rule, ...] = (
    Rule(
        id="input-stalls",
        severity="warning",
        says="the networks wait for images",
        causes="images on a slow or remote disk; more images than memory, so that they are read again and again",
        judge=_stalls,
        remedies=lambda case: [
            "steadygan prepare SOURCE -o DATASET (then train from a DATASET on a local disk)",
            "steadygan prepare SOURCE -o DATASET --size S (smaller images, of which more fit into memory)",
        ],
        source="Mohan et al. (2021), Analyzing and Mitigating Data Stalls in DNN Training, arXiv:2007.06775",
        unless="it is the first pass over the images, which has to read them once",
    ),
    Rule(
        id="memory-grows",
        severity="warning",
        says="memory grows and does not stop",
        causes="something is kept at every step: tensors with their graph in a list, figures that are not closed",
        judge=_memory,
        remedies=lambda case: [
            "steadygan resume RUN (begins with fresh memory from the last checkpoint, and loses nothing)",
            "keep numbers, not tensors, in parts of your own (value.item(), tensor.detach())",
        ],
        source="PyTorch, Frequently Asked Questions: My model reports out of memory",
        unless="it fills a cache of images that is known to fit",
        leads_to=("speed-drops",),
    ),
    Rule(
        id="speed-drops",
        severity="info",
        says="the run has become much slower",
        causes="other programs on the same processors or device; a machine that is too hot; memory that is swapped",
        judge=_slowed,
        remedies=_against_slowness,
        source="measured: beside another busy program two threads were up to ten times slower than one",
        unless="augmentation or a penalty has set in by its schedule",
    ),
)
