"""A program as text that a page can hold: JSON, and the constants in base64."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from typing import Any, NamedTuple

import numpy as np
import torch

from steadygan.export.program import Program


class Packed(NamedTuple):
    """`program` is for JSON, `weights` in base64."""

    program: dict[str, Any]
    weights: str


def packed(program: Program) -> Packed:
    """The constants deflated, the high bytes of all numbers before the low ones: first those of float16, then float32.

    Neighbouring weights have like exponents, so that these deflate well, and mantissas do not; it saves a fifth.
    """
    halves = [int(one.dtype == torch.float16) for one in program.constants]
    data = b""
    for wanted, kind in ((1, ">f2"), (0, ">f4")):
        parts = [one for one, half in zip(program.constants, halves, strict=True) if half == wanted]
        numbers = torch.cat(parts).numpy() if parts else torch.zeros(0).numpy()
        data += numbers.astype(kind).view("u1").reshape(len(numbers), int(kind[-1])).T.tobytes()
    sizes = _sizes(program)
    instructions = [{**it, "size": size} for it, size in zip(program.instructions, sizes, strict=True)]
    text = {"instructions": instructions, "result": program.result, "halves": halves}
    text |= {"latent_dim": program.latent_dim, "classes": program.classes}
    lengths = [one.numel() for one in program.constants]
    return Packed({**text, "lengths": lengths}, b64encode(zlib.compress(data, 9)).decode("ascii"))


def _sizes(program: Program) -> list[int]:
    """How many numbers each instruction makes, as running it tells."""
    sizes: list[int] = []
    program.run(torch.zeros(program.latent_dim), watch=lambda value: sizes.append(value.numel()))
    return sizes


def unpacked(given: Packed) -> Program:
    """The program again, as the page's own script reads it."""
    text, data = given.program, zlib.decompress(b64decode(given.weights))
    lengths, halves = text["lengths"], text["halves"]
    numbers, start = {}, 0
    for wanted, kind in ((1, ">f2"), (0, ">f4")):
        count, wide = sum(length for length, half in zip(lengths, halves, strict=True) if half == wanted), int(kind[-1])
        planes = np.frombuffer(data, "u1", count * wide, start).reshape(wide, count)
        numbers[wanted] = np.ascontiguousarray(planes.T).view(kind).reshape(-1).astype(np.float32)
        start += count * wide
    constants, at = [], {0: 0, 1: 0}
    for length, half in zip(lengths, halves, strict=True):
        constants.append(torch.from_numpy(numbers[half][at[half] : at[half] + length]))
        at[half] += length
    return Program(tuple(text["instructions"]), tuple(constants), text["result"], text["latent_dim"], text["classes"])
