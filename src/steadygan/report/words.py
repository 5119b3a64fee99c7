"""How a run went, in words: its end in a sentence, and its facts with a label each."""

from __future__ import annotations

import math
from pathlib import Path

from steadygan.care.acts import ended
from steadygan.doctor.answers import UNTOLD, copying
from steadygan.doctor.budget import duration
from steadygan.report.reading import Story
from steadygan.runs import DataInfo, StartInfo
from steadygan.runs.ending import Ending, ending_of
from steadygan.spec import ImageSpec

_CLASSES = 12  # that are named
_CHANNELS = {1: "grey", 3: "colour"}
_ENDS: dict[Ending, str] = {
    "started": "Not at its end: still training, or ended from outside, after",
    "resumed": "Not at its end: still training, or ended from outside, after",
    "finished": "Finished after",
    "stopped on request": "Stopped on request after",
    "training diverged": "Diverged, with values that were not finite, after",
    "ended by an error": "Ended by an error after",
}


def ending(story: Story) -> str:
    """One sentence: how the run ended, when its pictures were best, what was serious, whether it copies."""
    act = ended(story.findings, story.images)
    how = "Ended early by care, long past its best, after" if act else _ENDS[ending_of(story.notes)]
    took = f" in {took}" if (took := _time(story)) else ""
    parts = [f"{how} {story.images:,} images{took}", *_best(story), *_serious(story), *_copies(story)]
    return "; ".join(parts) + "."


def _time(story: Story) -> str:
    """The training time in words, as far as it is known."""
    seconds = story.log[-1].seconds if story.log else math.nan
    return duration(seconds) if math.isfinite(seconds) else ""


def _best(story: Story) -> list[str]:
    if story.best is None:
        return ["no checkpoint was scored"]
    at_the_end = story.images and story.best >= story.images
    return [f"its best pictures are {'the last' if at_the_end else f'those after {story.best:,} images'}"]


def _serious(story: Story) -> list[str]:
    """The grave findings that no act of care left behind."""
    says = list(dict.fromkeys(one.says or one.rule for one in story.history.stand if one.severity == "serious"))
    return [f"found: {', '.join(says)}"] if says else []


def _copies(story: Story) -> list[str]:
    told = copying(story.case)
    return [] if told.startswith(UNTOLD) else [f"copies of training images: {told}"]


def facts(story: Story) -> tuple[tuple[str, str], ...]:
    """(label, text) of everything that is known."""
    info, took = story.info, _time(story)
    last = story.log[-1] if story.log else None
    found = {
        "Trained on": _trained_on(info.data),
        "Pictures": _form(info.data.spec),
        "Classes": _classes(info.data),
        "Images seen": _seen(story),
        "Steps": f"{last.step:,} of {story.settings.get('batch', '?')} images" if last else "",
        "Time": f"{took}, {last.images / max(last.seconds, 1e-9):,.0f} images/s" if last and took else "",
        "Began": info.created.replace("T", " ").replace("+00:00", " UTC"),
        "Began with": _began_with(info.start),
        "Recipe": info.recipe,
        "Seed": str(info.seed),
        "Parameters": ", ".join(f"{name} {number:,}" for name, number in info.parameters.items()),
        "Device": _device(story),
        "Care": str(story.settings.get("care.kind", "")),
        "Versions": ", ".join(f"{name} {version}" for name, version in info.versions.items()),
        "Folder": str(story.run.path.absolute()),
    }
    return tuple((label, text) for label, text in found.items() if text)


def _trained_on(data: DataInfo) -> str:
    name = Path(data.source).name or data.source
    held_out = f", {data.held_out:,} of them held out from training" if data.held_out else ""
    return f"{name}: {data.count:,} images{held_out}" if data.count else name


def _form(spec: ImageSpec) -> str:
    if spec.size == 1:
        return f"points of {spec.channels} numbers"
    return f"{spec.size} × {spec.size} pixels, {_CHANNELS.get(spec.channels, f'{spec.channels} channels')}"


def _classes(data: DataInfo) -> str:
    if not data.spec.classes:
        return ""
    shown = [*data.class_names[:_CLASSES], *["…"] * (len(data.class_names) > _CLASSES)]
    return f"{data.spec.classes}: {', '.join(shown)}" if shown else str(data.spec.classes)


def _seen(story: Story) -> str:
    training = story.info.data.training
    return f"{story.images:,}" + (f", each {story.images / training:,.0f} times" if training > 0 else "")


def _began_with(start: StartInfo | None) -> str:
    """The networks that the run took over, if it did."""
    seen = f", which had seen {start.images:,} images" if start and start.images else ""
    return f"the networks of {Path(start.source).name or start.source}{seen}" if start else ""


def _device(story: Story) -> str:
    device = story.info.device
    name = getattr(device, "name", "")
    processes = f", {device.processes} processes" if device.processes > 1 else ""
    memory = f", {story.log[-1].memory_mb / 1024:.1f} GiB of memory" if story.log and story.log[-1].memory_mb else ""
    return f"{f'{name} ({device.device})' if name else device.device}, {device.precision}{processes}{memory}"
