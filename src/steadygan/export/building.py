"""A program while it is being written: its instructions, its constants, and who still looks at which value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from steadygan.errors import ConfigError
from steadygan.export.program import Instruction


class Unknown(ConfigError):
    """Something that has no place in a program."""


class Computed:
    """A tensor that depends on the latent or the label: its number among the program's values, and its form."""

    def __init__(self, number: int, shape: Sequence[int]) -> None:
        self.number, self.shape = number, tuple(shape)
        self.size = torch.Size(self.shape).numel()


class Builder:
    """Adds instructions. `holders` are the nodes of the graph that stand for each value."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.constants: list[Tensor] = []
        self.holders: dict[int, list[fx.Node]] = {}

    def add(self, op: str, given: Sequence[Any], shape: Sequence[int], **settings: Any) -> Computed:
        """Add an instruction and give its value."""
        number = len(self.instructions) + 2
        places = [one.number if isinstance(one, Computed) else ~self.constant(one) for one in given]
        self.instructions.append({"op": op, "in": places, "out": number, **settings})
        return Computed(number, shape)

    def constant(self, tensor: Tensor | float) -> int:
        """The place of a new constant."""
        self.constants.append(torch.as_tensor(tensor).detach().float().flatten().clone())
        return len(self.constants) - 1

    def full(self, given: Any, shape: Sequence[int]) -> Any:
        """A value or constant in this shape; single numbers stay as they are, for they serve all places."""
        if not isinstance(given, Computed):
            tensor = torch.as_tensor(given, dtype=torch.float32)
            return tensor if tensor.numel() == 1 else tensor.expand(shape)
        return given if given.size == 1 or given.shape == tuple(shape) else self.moved(given, lambda x: x.expand(shape))

    def moved(self, value: Computed, move: Callable[[Tensor], Any]) -> Any:
        """What `move` does to a tensor, where it only puts numbers in other places; a list where it gives several.

        It is shown a map of places, and what it makes of that is what it does.
        """
        made = move(torch.arange(value.size, dtype=torch.float64).reshape(value.shape))
        if isinstance(made, list | tuple):
            return [self._picked(value, one.long()) for one in made]
        return self._picked(value, made.long())

    def _picked(self, value: Computed, places: Tensor) -> Computed:
        if torch.equal(places.flatten(), torch.arange(value.size)):
            return Computed(value.number, places.shape)
        return self.add("pick", [value], places.shape, tables=_tables(places), fill=0)

    def affine(self, node: fx.Node, maps: Computed, scale: Tensor, shift: Tensor, axis: int) -> Computed:
        """maps · scale + shift, with a number each for the places along an axis, or one for all.

        They become part of the instruction before, where no other node than this one looks at what that makes.
        """
        channels = max(scale.numel(), shift.numel())
        scale, shift = (one.detach().flatten().float().expand(channels) for one in (scale, shift))
        outer = torch.Size(maps.shape[:axis]).numel() if channels > 1 else 1
        form = [outer, channels, maps.size // (outer * channels)]
        before = self._last(maps, node)
        if before and self._joined(before, scale, shift, form):
            self.holders[maps.number] = []
            return Computed(maps.number, maps.shape)
        places = {"scale": self.constant(scale), "shift": self.constant(shift)}
        return self.add("affine", [maps], maps.shape, form=form, **places)

    def _last(self, value: Computed, node: fx.Node) -> Instruction | None:
        """The instruction that made the value, if nothing but this node looks at it."""
        made = self.instructions[value.number - 2] if value.number >= 2 else None
        holders = self.holders.get(value.number, [])
        alone = not holders or (len(holders) == 1 and set(holders[0].users) == {node})
        return made if alone else None

    def _joined(self, before: Instruction, scale: Tensor, shift: Tensor, form: list[int]) -> bool:
        known = self.constants
        if before["op"] == "affine" and (before["form"] == form or len(scale) == 1):
            known[before["shift"]] = known[before["shift"]] * scale + shift
            known[before["scale"]] = known[before["scale"]] * scale
            return True
        rows = _rows(before)
        if not rows or not (len(scale) == 1 or _along(before, form)):
            return False
        known[before["w"]] = (known[before["w"]].reshape(rows, -1) * scale[:, None]).flatten()
        bias = known[before["b"]] if "b" in before else torch.zeros(rows)
        before["b"] = self.constant(bias * scale + shift)
        return True


def _rows(before: Instruction) -> int:
    """Rows of the weights of an instruction, each with a bias; 0 of one without."""
    if before["op"] == "convolution":
        return int(before["outside"])
    return int(before["sizes"][2]) if before["op"] == "product" and "w" in before and before["sizes"][0] == 1 else 0


def _along(before: Instruction, form: list[int]) -> bool:
    """Whether the numbers go along the channels that the instruction makes."""
    if before["op"] == "convolution":
        return form[:2] == [before["maps"][0], before["outside"]]
    return form[1:] == [before["sizes"][2], 1]


def _tables(places: Tensor) -> list[list[int]]:
    """For each axis a table, so that a place is the sum of an entry of each; a single one where that cannot be."""
    axes = [axis for axis in range(places.ndim) if places.shape[axis] > 1]
    first = places.flatten()[0]
    tables = [places[tuple(slice(None) if it == axis else 0 for it in range(places.ndim))] - first for axis in axes]
    summed = first
    for table in tables:
        summed = summed[..., None] + table
    if not tables or not torch.equal(summed.flatten(), places.flatten()):
        return [places.flatten().tolist()]
    tables[0] = tables[0] + first
    return [table.tolist() for table in tables]
