"""What `bench device` found: figures, and the same as text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, computed_field

from steadygan.doctor.budget import duration


class Chosen(BaseModel):
    """What `auto` comes to on this machine: `choices` as in `run.json`, with a reason for each, and what there is.

    `memory_gib` is the card's, or the machine's if it computes on its processors. `matrix_peak_gflops` is the best rate
    of a square matrix product in each precision, multiply and add counted as two.
    """

    choices: dict[str, Any]
    reasons: dict[str, str]
    torch: str
    processors: int
    memory_gib: float
    matrix_peak_gflops: dict[str, float]


LEFT_OUT = "left out: "
"""How the reason of a row begins for which there was no time."""


class AnswerRow(BaseModel, ABC):
    """What rows share. `size` in pixels, 1 for points; `reason` says in a line why figures are lacking."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    recipe: str
    size: int = 0
    batch: int = 0
    reason: str = ""

    @abstractmethod
    def figures(self) -> str:
        """What was found, in words."""

    def words(self) -> str:
        """The figures, or why there are none."""
        return self.reason or self.figures()

    def names(self) -> tuple[str, ...]:
        """What the row is about; some may be empty."""
        form = {0: "", 1: "points"}.get(self.size, f"{self.size} px")
        return self.recipe, form, f"batch {self.batch}" if self.batch else ""

    def name(self) -> str:
        """The same in words."""
        return ", ".join(filter(None, self.names()))


class RecipeRow(AnswerRow):
    """Whether a recipe plays `steps` steps, the fastest in `step_ms`, with finite gradients; `precision` is float32 if
    those of bfloat16 are wrong here, as a run would notice, and `remark` says of which layer.
    """

    steps: int = 0
    step_ms: float | None = None
    precision: str = ""
    remark: str = ""

    def figures(self) -> str:
        note = f" ({self.remark})" if self.remark else ""
        return f"{self.steps} step{'s' * (self.steps > 1)} run in {self.precision}{note}"


class ResumeRow(AnswerRow):
    """A run stopped after `stopped_after` of `steps` steps and resumed, beside one that was not stopped.

    `largest_difference` of any number in any tensor of their last checkpoints, in `tensor`; `repeat_difference` is that
    of two runs that were not stopped, measured if the first is not 0: what the device does not repeat, no resume can.
    """

    steps: int = 0
    stopped_after: int = 0
    exact: bool | None = None
    largest_difference: float | None = None
    tensor: str = ""
    repeat_difference: float | None = None

    def figures(self) -> str:
        after = f"exact: {self.steps} steps, stopped after {self.stopped_after} and resumed"
        if self.exact:
            return f"{after} equal {self.steps} without a stop, bit by bit"
        off = f"are off by up to {self.largest_difference:.2g} (in {self.tensor})"
        return f"not {after} {off}; the same run twice without a stop by {self.repeat_difference:.2g}"


class StepRow(AnswerRow):
    """How fast a recipe's step is as shipped, on one batch of noise; means over the steps of a period."""

    step_ms: float | None = None
    images_per_second: float | None = None
    million_seconds: float | None = None

    def figures(self) -> str:
        million = duration(self.million_seconds or 0)
        return f"{self.step_ms:,.1f} ms a step, {self.images_per_second:,.0f} images/s, a million images in {million}"


class WayRow(AnswerRow):
    """The same step computed another way; `gain` is its speed over that of the step as shipped, timed in turn."""

    way: str = ""
    step_ms: float | None = None
    images_per_second: float | None = None
    shipped_images_per_second: float | None = None
    gain: float | None = None

    def names(self) -> tuple[str, ...]:
        return *super().names(), self.way

    def figures(self) -> str:
        return f"{self.gain:.2f}× as shipped, {self.step_ms:,.1f} ms a step, {self.images_per_second:,.0f} images/s"


class MemoryRow(AnswerRow):
    """The most memory held while training with a batch: of the process, or on CUDA of the card (allocated), in MiB."""

    peak_mib: float | None = None

    def figures(self) -> str:
        return f"{self.peak_mib:,.0f} MiB"


class InputRow(AnswerRow):
    """A step with batches loaded as in a run, beside one with the same batch each time. `share` of loading, 0 to 1."""

    loaded_ms: float | None = None
    reused_ms: float | None = None
    share: float | None = None

    def figures(self) -> str:
        return f"{self.share:.1%} of a step: {self.loaded_ms:,.1f} ms with loading, {self.reused_ms:,.1f} ms without"


TITLES = {
    "recipes": "does every recipe run, at the smallest size it has",
    "resume": "is a resume exact",
    "steps": "a step as shipped",
    "ways": "the same step in other ways",
    "memory": "the most memory held, by batch",
    "input": "the share of loading images",
}
"""The lists of a report, as questions."""


class DeviceReport(BaseModel):
    """What `bench device` answers, in `seconds` of the `minutes` it had."""

    chosen: Chosen
    minutes: float
    seconds: float = 0.0
    recipes: list[RecipeRow] = []
    resume: list[ResumeRow] = []
    steps: list[StepRow] = []
    ways: list[WayRow] = []
    memory: list[MemoryRow] = []
    input: list[InputRow] = []

    def rows(self, name: str) -> list[AnswerRow]:
        """The answers to one of `TITLES`."""
        found: list[AnswerRow] = getattr(self, name)
        return found

    @computed_field  # type: ignore[prop-decorator] # mypy does not know it
    @property
    def left_out(self) -> list[str]:
        """What there was no time for, and why."""
        return [
            f"{title}: {row.name()}: {row.reason.removeprefix(LEFT_OUT)}"
            for name, title in TITLES.items()
            for row in self.rows(name)
            if row.reason.startswith(LEFT_OUT)
        ]

    def machine(self) -> list[str]:
        """What there is and what `auto` chooses, a line each."""
        choices, found = self.chosen.choices, self.chosen
        peaks = ", ".join(f"{name} {rate:,.0f}" for name, rate in found.matrix_peak_gflops.items())
        return [
            f"{choices['name']}, {found.memory_gib:.1f} GiB, PyTorch {found.torch}",
            *(f"{name}: {str(choices[name]).replace('_', ' ')} ({reason})" for name, reason in found.reasons.items()),
            f"matrix products: {peaks} GFLOP/s",
        ]

    def table(self) -> str:
        """All of it as text."""
        lines = self.machine()
        for name, title in TITLES.items():
            lines += ["", title, *_aligned(self.rows(name))]
        lines += ["", f"{duration(self.seconds)} of {duration(60 * self.minutes)} used"]
        if left := len(self.left_out):
            lines[-1] += f"; there was no time for {left} answers, which more --minutes would give"
        return "\n".join(lines)


def _aligned(rows: Sequence[AnswerRow]) -> list[str]:
    """Lines in columns; one that nothing stands in is left out."""
    names = [row.names() for row in rows]
    widths = [max(map(len, column)) for column in zip(*names, strict=True)]
    cells = [[f"{name:<{width}}  " for name, width in zip(one, widths, strict=True) if width] for one in names]
    return ["  " + "".join(one) + row.words() for one, row in zip(cells, rows, strict=True)]
