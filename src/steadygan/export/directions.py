"""The directions in latent space along which a generator's pictures change most."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from steadygan.export.program import Instruction, Program

COUNT = 8
_LATENTS = 4
_STEP = 1e-3


def directions(program: Program, latents: Tensor) -> Tensor:
    """Unit vectors float32 (8, latent_dim), or fewer where it has fewer, the strongest first.

    SeFa: the eigenvectors of AᵀA, with A the weights of the first layer that takes the latent, as the program has it:
    with the batch norm behind it. Shen and Zhou (2021), arXiv:2007.06600, section 3. Where something else than a matrix
    leads there, such as a normalisation of the latent, A is the derivative at some latents, and the mean counts.
    """
    first = next((it["out"] for it in program.instructions if _is_layer(it)), program.result)
    program = program._replace(constants=tuple(one.double() for one in program.constants))
    total = torch.zeros(program.latent_dim, program.latent_dim, dtype=torch.float64)
    for latent in latents[:_LATENTS].double():
        slopes = _slopes(lambda at: program.run(at, until=first), latent)
        total += (slopes @ slopes.T).nan_to_num(0, 0, 0)  # of a generator that makes no numbers, which is said later
    found = torch.linalg.eigh(total).eigenvectors.flip(1)[:, :COUNT].T
    signs = found.gather(1, found.abs().argmax(1, keepdim=True)).sign()  # the same on every machine
    return (found * signs).float()


def _is_layer(it: Instruction) -> bool:
    return it["op"] in ("convolution", "product") and "w" in it


def _slopes(layer: Callable[[Tensor], Tensor], latent: Tensor) -> Tensor:
    """The derivative (latent_dim, what the layer makes) at a latent, by differences in float64."""
    steps = _STEP * torch.eye(len(latent), dtype=latent.dtype)
    return torch.stack([(layer(latent + step) - layer(latent - step)) / (2 * _STEP) for step in steps])
