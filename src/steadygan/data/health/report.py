"""What was found in a set of images, as data and as a table for a terminal."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from steadygan.data.health.findings import Health
from steadygan.data.sources.items import Rejection
from steadygan.names import shown

_LISTED = 10


class Range(BaseModel):
    """Smallest, middle and largest of some numbers."""

    model_config = ConfigDict(frozen=True)

    min: int
    median: float
    max: int


class Inspection(BaseModel):
    """What was found, as data: `model_dump_json()` is the answer of `inspect --json`, `str()` that without it.

    `images` counts those that can be used. Sizes are those of the upright source pictures in pixels; `modes`,
    `formats` and `changes` count what the files hold and what is converted. `size` is the side the images
    have, or are asked to be judged for, in pixels, and `enlarged` how many are smaller than it. `notes` say what the
    source was taken for: which files are left out, and why there are no classes. `kind` is "dataset" or
    that of the source. `digest` is empty before preparing. `health` says what is the matter with the images.
    """

    model_config = ConfigDict(frozen=True)

    path: Path
    kind: str
    images: int
    size: int
    channels: int
    enlarged: int
    widths: Range
    heights: Range
    modes: dict[str, int]
    formats: dict[str, int]
    changes: dict[str, int]
    grey: int
    classes: dict[str, int]
    rejected: tuple[Rejection, ...]
    passed_over: dict[str, int]
    converted: str
    advice: tuple[str, ...]
    notes: tuple[str, ...] = ()
    digest: str = ""
    health: Health = Health(images=0)

    def rows(self) -> dict[str, str]:
        """The facts in words, by name."""
        others, left_out = sum(self.passed_over.values()), sum(it.left_out for it in self.rejected)
        kept_out = f"{len(self.rejected) - left_out:,} rejected, " + (f"{left_out:,} left out, " if left_out else "")
        return {
            "images": f"{self.images:,} usable, {kept_out}{others:,} other files",
            "width": f"{self.widths.min:,} to {self.widths.max:,} pixels, median {self.widths.median:,.10g}",
            "height": f"{self.heights.min:,} to {self.heights.max:,} pixels, median {self.heights.median:,.10g}",
            "modes": _counts(self.modes),
            "formats": _counts(self.formats),
            "classes": _counts(self.classes),
            "converted": self.converted or "nothing",
            "enlarged": f"{self.enlarged:,} {'is' if self.enlarged == 1 else 'are'} smaller than {self.size} pixels",
        }

    def __str__(self) -> str:
        """A table for a terminal: facts, findings, rejected files."""
        lines = [f"{name:10} {text}" for name, text in self.rows().items()]
        lines += [f"{'note':10} {text}" for text in self.notes]
        for finding in self.health.findings:
            lines += [f"{finding.severity:10} {finding.sentence}", f"{'':10} → {finding.remedy}"]
            if finding.examples:
                more = ", …" if finding.count > 3 or len(finding.examples) > 3 else ""
                lines.append(f"{'':10}   {', '.join(finding.examples[:3])}{more}")
        rejected = [it for it in self.rejected if not it.left_out]
        lines += [f"{'rejected':10} {it.file}: {it.reason}" for it in rejected[:_LISTED]]
        if len(rejected) > _LISTED:
            lines.append(f"{'':10} and {len(rejected) - _LISTED:,} more; --json lists them all")
        return "\n".join(map(shown, lines))


def _counts(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in numbers.items()) or "none"
