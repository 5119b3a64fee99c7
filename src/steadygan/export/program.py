"""A generator as a short list of simple operations with known shapes, which any language can run.

An instruction is a dict that JSON can hold. `op` names one of `OPERATIONS`; `in` are numbers of values: the latent is
0, the label 1, and each instruction adds one (`out`). `w`, `b` and what else is called a constant are places in
`Program.constants`. Values are float32, without a batch: what is made is one picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

Instruction = dict[str, Any]

OUTSIDE = -(2**29)
"""An entry of a table of `pick` that makes the whole place one outside the map, where `fill` stands."""


class Program(NamedTuple):
    """Instructions, the constants they name, and the number of the value that is the picture.

    `classes` is 0 for a generator that takes no label.
    """

    instructions: tuple[Instruction, ...]
    constants: tuple[Tensor, ...]
    result: int
    latent_dim: int
    classes: int

    def run(
        self,
        latent: Tensor,
        label: int = 0,
        until: int | None = None,
        watch: Callable[[Tensor], object] = lambda value: None,
    ) -> Tensor:
        """The value numbered `until`, by default the picture, flat, for one latent (latent_dim,).

        It is what the page's own script computes, written with torch once more, in the latent's precision. `watch` is
        shown what each instruction makes.
        """
        values: dict[int, Tensor] = {0: latent, 1: latent.new_tensor([float(label)])}
        constants = [one.to(latent.dtype) for one in self.constants]
        wanted = self.result if until is None else until
        for it in self.instructions:
            given = [values[number] if number >= 0 else constants[~number] for number in it["in"]]
            values[it["out"]] = OPERATIONS[it["op"]](it, given, constants)
            watch(values[it["out"]])
            if it["out"] == wanted:
                break
        return values[wanted]

    def rounded(self, bits: int) -> Program:
        """The same with weights of float16, of whose 10 bits of mantissa `bits` are left: what is 0 deflates well."""
        weights = {it["w"] for it in self.instructions if "w" in it}
        parts = (_rounded(one, bits) if at in weights else one for at, one in enumerate(self.constants))
        return self._replace(constants=tuple(parts))


def _rounded(weights: Tensor, bits: int) -> Tensor:
    mantissa, power = torch.frexp(weights.half().float())
    return torch.ldexp((mantissa * 2 ** (bits + 1)).round(), power - bits - 1).half()


def _convolution(it: Instruction, given: Sequence[Tensor], constants: Sequence[Tensor]) -> Tensor:
    maps = given[0].reshape(it["maps"])
    weight, bias = constants[it["w"]], constants[it["b"]] if "b" in it else None
    form = (it["stride"], it["padding"])
    if not it["transposed"]:
        weight = weight.reshape(it["outside"], -1, *it["kernel"])
        return functional.conv2d(maps, weight, bias, *form, it["dilation"], it["groups"]).flatten()
    # rows are a channel and a place of the kernel, columns the channels they are made of
    groups, outside = it["groups"], it["outside"]
    weight = weight.reshape(groups, outside // groups, *it["kernel"], -1).permute(0, 4, 1, 2, 3).flatten(0, 1)
    high, wide = it["sides"]
    made = functional.conv_transpose2d(maps, weight, bias, *form, _more(it), groups, it["dilation"])
    return made[:, :, :high, :wide].flatten()


def _more(it: Instruction) -> list[int]:
    """The output padding: how far the sides reach beyond what the kernel gives."""
    return [
        side - ((inside - 1) * step - 2 * cut + apart * (kernel - 1) + 1)
        for side, inside, step, cut, apart, kernel in zip(
            it["sides"], it["maps"][2:], it["stride"], it["padding"], it["dilation"], it["kernel"], strict=True
        )
    ]


def _product(it: Instruction, given: Sequence[Tensor], constants: Sequence[Tensor]) -> Tensor:
    """Rows of the first times rows of the second, `count` times over."""
    count, rows, columns, inner = it["sizes"]
    second = constants[it["w"]] if "w" in it else given[1]
    made = given[0].reshape(count, rows, inner) @ second.reshape(-1, columns, inner).transpose(1, 2)
    return (made + constants[it["b"]] if "b" in it else made).flatten()


def _affine(it: Instruction, given: Sequence[Tensor], constants: Sequence[Tensor]) -> Tensor:
    scale, shift = (constants[it[name]][:, None] for name in ("scale", "shift"))
    return (given[0].reshape(it["form"]) * scale + shift).flatten()


def _map(it: Instruction, given: Sequence[Tensor], constants: Sequence[Tensor]) -> Tensor:
    return FUNCTIONS[it["f"]](*given)


def _reduce(it: Instruction, given: Sequence[Tensor], constants: Sequence[Tensor]) -> Tensor:
    rows = given[0].reshape(-1, it["over"])
    return REDUCTIONS[it["f"]](rows) * it.get("times", 1)


def _pick(it: Instruction, given: Sequence[Tensor], constants: Sequence[Tensor]) -> Tensor:
    tables = [torch.tensor(table) for table in it["tables"]]
    places: Any = sum(table.reshape([-1, *[1] * (len(tables) - 1 - axis)]) for axis, table in enumerate(tables))
    places = places.flatten()
    picked = given[0][places.clamp(0)]
    return torch.where(places < 0, picked.new_tensor(it["fill"]), picked)


def _taps(it: Instruction, given: Sequence[Tensor], constants: Sequence[Tensor]) -> Tensor:
    """Each row, then each column of a map becomes a weighted sum of some of them."""
    made = given[0].reshape(-1, *it["sides"])
    for axis in (1, 2):
        places, shares = torch.tensor(it["places"][axis - 1]), made.new_tensor(it["shares"][axis - 1])
        shares = shares[:, :, None] if axis == 1 else shares
        parts = made.index_select(axis, places.flatten()).unflatten(axis, places.shape)
        made = (parts * shares).sum(axis + 1)
    return made.flatten()


def _cat(it: Instruction, given: Sequence[Tensor], constants: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.reshape(it["outer"], -1) for part in given], 1).flatten()


def _rows(it: Instruction, given: Sequence[Tensor], constants: Sequence[Tensor]) -> Tensor:
    return constants[it["w"]].reshape(-1, it["width"])[given[0].round().long()].flatten()


OPERATIONS: Mapping[str, Callable[[Instruction, Sequence[Tensor], Sequence[Tensor]], Tensor]] = {
    "convolution": _convolution,
    "product": _product,
    "affine": _affine,
    "map": _map,
    "reduce": _reduce,
    "pick": _pick,
    "taps": _taps,
    "cat": _cat,
    "rows": _rows,
}

FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "relu": functional.relu,
    "leaky": lambda x, slope: torch.where(x > 0, x, x * slope),
    "elu": lambda x, alpha: torch.where(x > 0, x, alpha * torch.expm1(x)),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "erf": torch.erf,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "neg": torch.neg,
    "abs": torch.abs,
    "sin": torch.sin,
    "cos": torch.cos,
    "not": lambda x: (x == 0).to(x.dtype),
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "gt": lambda x, y: (x > y).to(x.dtype),
    "ge": lambda x, y: (x >= y).to(x.dtype),
    "lt": lambda x, y: (x < y).to(x.dtype),
    "le": lambda x, y: (x <= y).to(x.dtype),
    "eq": lambda x, y: (x == y).to(x.dtype),
    "where": lambda choice, x, y: torch.where(choice != 0, x, y),
}
"""Of up to three values of one length; one of a single number serves all places."""

REDUCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda rows: rows.sum(1),
    "max": lambda rows: rows.amax(1),
    "variance": lambda rows: rows.var(1, correction=0),
}


def levels_of(pictures: Iterable[Tensor]) -> Tensor:
    """Pictures in -1..1 as the grey levels that they would be shown in, without rounding: 0..255."""
    return torch.stack([(one.flatten().float() + 1).mul(127.5).clamp(0, 255) for one in pictures])


def multiplications(program: Program) -> int:
    """How many multiplications convolutions and products take for one picture."""
    total = 0
    for it in program.instructions:
        if it["op"] == "convolution":
            places = math.prod(it["maps"][2:] if it["transposed"] else it["sides"]) * it["maps"][0]
            total += program.constants[it["w"]].numel() * places
        if it["op"] == "product":
            total += math.prod(it["sizes"])
    return total
