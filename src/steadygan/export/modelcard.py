"""The page of a generator, as the Hugging Face Hub shows it: what is known of it, and what is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steadygan.doctor.answers import copying
from steadygan.doctor.case import case_of
from steadygan.names import shown
from steadygan.records import DatedScore, Finding
from steadygan.report.reading import Story
from steadygan.report.scores import in_words
from steadygan.runs import Run, RunInfo

if TYPE_CHECKING:
    from steadygan.export.model import TrainedGenerator

SAMPLES = "samples.png"
_LISTED = 24  # class names, settings that were changed
_UNKNOWN = "not known: the model was exported from a file, without the folder of its run"
_REPO = re.compile(r"hub:([\w-][\w.-]*/[\w-][\w.-]*)(\?.*)?")
_ADDRESS = re.compile(r"https://[\w./%~:=-]+")
_MARKUP = re.compile(r"([\\`*_\[\]|~#$])")
_LICENSES = frozenset(
    [
        "apache-2.0",
        "mit",
        "bsd-2-clause",
        "bsd-3-clause",
        "gpl-3.0",
        "lgpl-3.0",
        "agpl-3.0",
        "mpl-2.0",
        "unlicense",
        "cc",
        "cc0-1.0",
        "cc-by-2.0",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc-by-nc-2.0",
        "cc-by-nc-3.0",
        "cc-by-nc-4.0",
        "cc-by-nd-4.0",
        "cc-by-nc-nd-3.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0",
        "pddl",
        "odbl",
        "odc-by",
        "openrail",
        "openrail++",
        "unknown",
    ]
)
"""What the Hub calls licences; others are `other`, with their name."""
_LIMITS = (
    "It makes images of {form}, of what its training images show: what these lack or have wrong, so has it.",
    "Its pictures are made up. They are no evidence of anything, and none of them shows a person or a place.",
    "Of few images it may repeat some; see above what was measured.",
)


def page(model: TrainedGenerator, run: Run | None, name: str, levels: float) -> str:
    """README.md for a folder called `name`; `levels` is by how much its weights were seen to make other pictures."""
    story = Story(run, run.info()) if run else None
    sections = {
        "Use it": _use(model, name),
        "Trained on": _data(model, story),
        "How": _how(model, story),
        "Papers": _papers(story),
        "Scores": _scores(model, story),
        "Memorisation": _memorisation(story),
        "What the doctor found": _findings(story),
        "Limits": _items(one.format(form=model.spec) for one in _LIMITS),
    }
    head = f"{_front_matter(model, story)}\n# {plain(name)}\n\n{_summary(model, levels)}\n\n![Samples]({SAMPLES})\n"
    return head + "".join(f"\n## {title}\n\n{text}\n" for title, text in sections.items())


def plain(text: object) -> str:
    """Any text on one line of Markdown, which shows as it is."""
    line = shown(" ".join(str(text).split()))
    return _MARKUP.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _front_matter(model: TrainedGenerator, story: Story | None) -> str:
    """What the Hub files a model under; JSON is YAML."""
    given = shown(model.about.get("license", ""))
    known = given.lower() if given.lower() in _LICENSES else "other" if given else "unknown"
    said: dict[str, Any] = {"license": known}
    if known == "other":
        said["license_name"] = given
    said |= {"library_name": "steadygan", "pipeline_tag": "unconditional-image-generation"}
    said["tags"] = ["gan", "generative-adversarial-network", "image-generation", "steadygan"]
    if story and (found := _REPO.fullmatch(story.info.data.source)):
        said["datasets"] = [found[1]]
    lines = (f"{key}: {json.dumps(value)}" for key, value in said.items())
    return "---\n" + "\n".join(lines) + "\n---\n"


def _summary(model: TrainedGenerator, levels: float) -> str:
    told = f" of {model.classes} classes" if model.classes else ""
    return (
        f"A generator of pictures{told}, {model.spec.size} × {model.spec.size} pixels in {model.spec.channels} "
        f"channels, trained with steadygan as one half of a generative adversarial network. The files were loaded "
        f"again when they were written: at most {levels:.2g} of 255 levels from the pictures of the run. The samples "
        "are the first of seed 0, not selected."
    )


def _use(model: TrainedGenerator, name: str) -> str:
    asked = f", label={model.class_names[0]!r}" if model.classes else ""
    own = ', recipe="FILE.py:FUNCTION"' if model.networks.get("kind") == "own" else ""
    lines = (
        "import steadygan as sg  # pip install steadygan[hub]",
        f'generator = sg.load("USER/NAME"{own})  # or the path of this folder',
        f"images = generator.sample(64, seed=0{asked})  # uint8 (64, C, H, W)",
    )
    return "```python\n" + "\n".join(shown(line).replace("`", "'") for line in lines) + "\n```"


def _data(model: TrainedGenerator, story: Story | None) -> str:
    license = model.about.get("license")
    said = [f"Form: {plain(model.spec)}"]
    if story:
        data = story.info.data
        held_out = f", {data.held_out:,} of them held out from training" if data.held_out else ""
        said += [f"Images: {plain(Path(data.source).name or 'not said')}: {data.count:,}{held_out}"]
    if digest := model.about.get("trained_on"):
        said.append(f"Digest of the prepared images: {plain(digest)}")
    if model.classes:
        more = ", …" if model.classes > _LISTED else ""
        said.append(f"Classes: {', '.join(map(plain, model.class_names[: min(model.classes, _LISTED)]))}{more}")
    given = f"{plain(license)}, as whoever exported the model gave it" if license else "not given"
    return _items([*said, f"Licence of the images, and so of the model: {given}"])


def _how(model: TrainedGenerator, story: Story | None) -> str:
    about = model.about
    said = [f"Recipe: {plain(about.get('recipe', 'not known'))}", f"Images seen: {int(about.get('images', 0)):,}"]
    if start := about.get("start"):
        said.append(f"Began with the networks of {plain(start.get('source', ''))}")
    if not story:
        return _items([*said, f"All else is {_UNKNOWN}"])
    info = story.info
    versions = ", ".join(f"{name} {version}" for name, version in info.versions.items())
    said += [
        f"Seed {info.seed}, batches of {plain(story.settings.get('batch', '?'))}",
        f"Machine: {plain(info.device.device)}, {plain(info.device.precision)}; {plain(versions)}",
        f"Parameters: {plain(', '.join(f'{name} {number:,}' for name, number in info.parameters.items()))}",
        *_changed(info),
    ]
    words = f"{plain(info.basis.about)}\n\n" if info.basis and info.basis.about else ""
    return words + _items(said)


def _changed(info: RunInfo) -> Iterator[str]:
    changed = list((info.basis.changed if info.basis else {}).items())
    if changed:
        more = "; …" if len(changed) > _LISTED else ""
        listed = (f"{plain(place)} = {plain(json.dumps(here))}" for place, (here, _) in changed[:_LISTED])
        yield f"Other than the recipe has it: {'; '.join(listed)}{more}"


def _papers(story: Story | None) -> str:
    sources: Sequence[tuple[str, str]] = story.info.basis.sources if story and story.info.basis else ()
    if not sources:
        return f"Which the recipe follows is {_UNKNOWN}." if not story else "The run names none."
    return _items(f"[{plain(text)}]({url})" if _ADDRESS.fullmatch(url) else plain(text) for text, url in sources)


def _scores(model: TrainedGenerator, story: Story | None) -> str:
    """Of each metric and protocol what was measured nearest to these weights."""
    scores: dict[tuple[str, str], DatedScore] = {}
    seen = int(model.about.get("images", 0))
    for score in story.scores if story else ():
        key = score.metric, score.protocol
        if key not in scores or abs(score.images - seen) <= abs(scores[key].images - seen):
            scores[key] = score
    if not scores:
        return "None were measured." if story else f"{_UNKNOWN.capitalize()}."
    head = "| metric | value | 95 % interval | reals score | better | after images | protocol |"
    return "\n".join((head, "|---" * 7 + "|", *map(_row, scores.values())))


def _row(score: DatedScore) -> str:
    low, high = ("" if value is None else f"{value:.4g}" for value in (score.low, score.high))
    cells = (
        f"{score.metric}: {score.says}" if score.says else score.metric,
        f"{score.value:.4g} {score.unit}",
        f"{low} to {high}" if low and high else "not measured",
        "not measured" if score.floor is None else f"{score.floor:.4g}",
        score.better,
        f"{score.images:,}",
        in_words(score.protocol),
    )
    return f"| {' | '.join(map(plain, cells))} |"


def _memorisation(story: Story | None) -> str:
    """What the doctor answers to whether it copies training images."""
    if not story:
        return f"{_UNKNOWN.capitalize()}."
    run = story.run
    told = story.missing.read(lambda: copying(case_of(run)), "it cannot be told")
    return f"Are its pictures copies of training images? {plain(told)}."


def _findings(story: Story | None) -> str:
    found: dict[str, Finding] = {finding.rule: finding for finding in story.findings} if story else {}
    if not found:
        return "Nothing, while the run trained." if story else f"{_UNKNOWN.capitalize()}."
    return _items(
        f"{one.severity}, after {one.images:,} images: {plain(one.says or one.rule)}. {plain(one.evidence)}"
        for one in found.values()
    )


def _items(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
