"""How a run went, in words: its end in a sentence, and its facts with a label each."""

from __future__ import annotations

import math
from pathlib import Path

from steadygan.care.acts import ended
from steadygan.doctor.answers import UNTOLD, copying
from steadygan.doctor.budget import duration
from steadygan.report.reading import Story
from steadygan.report.scores import picks_the_best
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
    began = f"{how} {story.images:,} images{took}"
    return "; ".join([began, *_set_back(story), *_best(story), *_serious(story), *_copies(story)]) + "."


def _time(story: Story) -> str:
    """The training time in words, as far as it is known."""
    seconds = story.log[-1].seconds if story.log else math.nan
    return duration(seconds) if math.isfinite(seconds) else ""


def _set_back(story: Story) -> list[str]:
    back = [act.images for act in story.findings if act.back_to is not None]
    often = f", and {len(back) - 1} times before" if len(back) > 2 else ", and once before" if len(back) == 2 else ""
    return [f"set back by care after {back[-1]:,} images{often}"] if back else []


def _best(story: Story) -> list[str]:
    if story.best is None:
        return [] if story.run.files.best.exists() else ["no checkpoint was scored"]  # else it is said to be damaged
    at_the_end = story.images and story.best >= story.images
    if len({score.images for score in story.scores if picks_the_best(score.protocol)}) == 1:
        return [f"only its {'last pictures' if at_the_end else f'pictures after {story.best:,} images'} were scored"]
    return [f"its best pictures are {'the last' if at_the_end else f'those after {story.best:,} images'}"]


def _serious(story: Story) -> list[str]:
    """The grave findings that no act of care left behind."""
    says = list(dict.fromkeys(one.says or one.rule for one in story.history.stand if one.severity == "serious"))
    return [f"found: {', '.join(says)}"] if says else []


def _copies(story: Story) -> list[str]:
    verdict, _, why = copying(story.case).partition(": ")
    return [] if verdict.startswith(UNTOLD) else [f"copies of training images: {verdict} ({why})"]


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
    return ": ".join(filter(None, (name, f"{data.count:,} images{held_out}" if data.count else "")))


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
    times = story.images / training if training > 0 else math.nan
    if not times >= 1:  # nothing is known of the images, or they have not all been seen
        return f"{story.images:,}" + (f", of {training:,} that there are" if times < 1 else "")
    return f"{story.images:,}, each {'once' if times < 1.5 else f'{times:,.0f} times'}"


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
