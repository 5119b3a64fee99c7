"""From run folders to the page of a report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from steadygan.records import Finding, now
from steadygan.report import pictures
from steadygan.report.commands import as_set, commands_of
from steadygan.report.curves import axes_of
from steadygan.report.page import Changed, Difference, Frame, LoggedNote, Mark, Page, Recipe, RunPage, Source
from steadygan.report.reading import Story
from steadygan.report.scores import curves_of
from steadygan.report.words import ending, facts
from steadygan.runs import BasisInfo, Run, RunInfo
from steadygan.version import __version__

MOST = 7_200_000
"""Characters of all pictures of a report, so that with all else it stays below 8 MB."""
_SAMPLES = ("progress.gif", "samples")
_LONGEST_NUMBER = 15  # digits of images seen that a browser still counts exactly


def page_of(runs: Sequence[Run]) -> Page:
    """All that a report shows of these runs, of one or several; DataError if one is not the folder of a run."""
    stories, names = [Story(run, run.info()) for run in runs], names_of([run.path.absolute() for run in runs])
    shown = [_run_page(story, name, MOST // len(stories)) for story, name in zip(stories, names, strict=True)]
    title = names[0] if len(stories) == 1 else f"{len(stories)} runs compared"
    return Page(
        title=title,
        written=now(),
        version=__version__,
        runs=tuple(page for page, _ in shown),
        differences=differences_of(stories) if len(stories) > 1 else (),
        remark=_remark([fit for _, fit in shown]),
    )


def _remark(fit: Sequence[bool]) -> str:
    if all(fit):
        return ""
    return (
        "There are so many pictures that this page is larger than 8 MB, although they are as small as can be looked at."
    )


def names_of(paths: Sequence[Path]) -> list[str]:
    """The names of folders, with as many of those above them as tell them apart."""
    parts = range(1, max(len(path.parts) for path in paths) + 1)
    columns = ([str(Path(*path.parts[-count:])) for path in paths] for count in parts)
    different = len(dict.fromkeys(paths))
    return next(names for names in columns if len({*names}) == different)


def _run_page(story: Story, name: str, most: int) -> tuple[RunPage, bool]:
    """What is shown of a run, and whether its pictures take no more than `most` characters."""
    files, info = story.run.files, story.info
    montage, inputs, nearest = (_once(story, file) for file in (_montage(story), files.inputs, _nearest(story)))
    paths = [file for file in files.fixed_samples() if len(file.stem) <= _LONGEST_NUMBER]
    marks = _marks(story, paths)
    left = most - sum(map(len, (montage, inputs, nearest, *(mark.picture for mark in marks))))
    grids = pictures.shown(paths, left)
    for file, problem in grids.problems.items():
        story.missing.say(f"{file}: {problem}")
    images, panels = axes_of(story.log, story.signals, story.findings)
    page = RunPage(
        name=name,
        ended=ending(story),
        facts=facts(story),
        montage=montage,
        inputs=inputs,
        nearest=nearest,
        best=story.best,
        frames=tuple(
            Frame(images=int(file.stem), picture=picture) for file, picture in zip(paths, grids.pictures, strict=True)
        ),
        images=images,
        panels=panels,
        scores=curves_of(story.scores),
        marks=marks,
        changed=_changed(info),
        recipe=_recipe(info),
        notes=tuple(
            LoggedNote(images=note.images, time=note.time, author=note.author, text=note.text) for note in story.notes
        ),
        commands=commands_of(story),
        missing=tuple(story.missing),
    )
    return page, grids.fit


def _changed(info: RunInfo) -> tuple[Changed, ...] | None:
    if info.basis is None:
        return None
    return tuple(
        Changed(setting=place, here=as_set(here), recipe=as_set(there))
        for place, (here, there) in info.basis.changed.items()
    )


def _recipe(info: RunInfo) -> Recipe:
    basis = info.basis or BasisInfo()
    sources = tuple(
        Source(title=title.removesuffix(address).rstrip() or address, address=address)
        for title, address in basis.sources
    )
    about = "\n".join(" ".join(paragraph.split()) for paragraph in basis.about.split("\n\n"))
    return Recipe(name=info.recipe, about=about, sources=sources)


def _once(story: Story, file: Path | None) -> str:
    """A picture that is shown once, in full; "" if there is none, which is said where there should be one."""
    if file is None:
        return ""
    found = pictures.shown([file], 0, (pictures.ONCE,))
    for problem in found.problems.values():
        story.missing.say(f"{file}: {problem}")
    return found.pictures[0]


def _nearest(story: Story) -> Path | None:
    """The picture of generated pictures beside the most similar images, which not every run has."""
    file = story.run.files.nearest
    return file if file.exists() else None


def _montage(story: Story) -> Path | None:
    """The picture of the data set, where that is still the one of the run."""
    data = story.info.data
    folders = [Path(folder) for folder in dict.fromkeys((data.prepared, data.source)) if folder]
    found = next((folder for folder in folders if _digest(folder) == data.digest), None)
    if found is None:
        story.missing.say("the data set is not there any more, or is another now: its own pictures cannot be shown")
    return found and found / "montage.png"


def _digest(folder: Path) -> str:
    """Of the data set in a folder; "" if there is none."""
    try:
        meta: Any = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        return str(meta["digest"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _marks(story: Story, samples: Sequence[Path]) -> tuple[Mark, ...]:
    """Findings and acts, oldest first, each with a small picture of the time if it names pictures of the run."""
    findings = sorted(chain(*story.history), key=lambda finding: (finding.images, finding.act))
    wanted = [picture_of(story, finding, samples) for finding in findings]
    files = list(dict.fromkeys(file for file in wanted if file))
    small = dict(zip(files, pictures.shown(files, 0, (pictures.SMALL,)).pictures, strict=True)) if files else {}
    return tuple(
        mark_of(finding, small.get(file, "") if file else "", any(finding is one for one in story.history.past))
        for finding, file in zip(findings, wanted, strict=True)
    )


def picture_of(story: Story, finding: Finding, samples: Sequence[Path]) -> Path | None:
    """The file that shows a finding: of the samples those made next, and nothing where it is in the curves."""
    if finding.picture in _SAMPLES:
        later = [file for file in samples if int(file.stem) >= finding.images]
        return next(iter([*later, *samples[-1:]]), None)
    return story.run.files.inputs if finding.picture == "inputs.png" else None


def mark_of(finding: Finding, picture: str, past: bool) -> Mark:
    """A finding as a page shows it, `past` if the run was set back from it; `picture` is an address."""
    told = finding.model_dump(exclude={"step", "picture"})
    more = {"says": finding.says or finding.rule, "act": finding.act, "picture": picture}
    return Mark.model_validate({**told, **more, "past": past})


def differences_of(stories: Sequence[Story]) -> tuple[Difference, ...]:
    """The settings, and facts of data and machine, in which runs differ."""
    columns = [story.info.settings() for story in stories]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, [column.get(name) for column in columns]) for name in names]
    return tuple(
        Difference(setting=name, values=tuple("" if value is None else str(value) for value in values))
        for name, values in rows
        if any(value != values[0] for value in values)
    )
