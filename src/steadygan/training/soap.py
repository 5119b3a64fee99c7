"""Adam in the eigenbasis of the gradients: what `optim.SOAP` builds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class SOAPOptimizer(torch.optim.Optimizer):
    """Shampoo with Adam in the preconditioner's eigenbasis. Vyas et al. (2025), arXiv:2409.11321, Algorithms 3 and 4.

    A weight is taken as (out, places, in). The places of a convolution's kernel stay as they are; each of the other two
    sides is turned to the eigenvectors of its covariance, the mean of G Gᵀ or Gᵀ G that decays with beta2, if it is
    longer than 1 and at most `largest_side`. All begins with plain Adam, until `every` gradients are counted (the
    authors take the eigenvectors of the first one): along directions without a part in any they would be those of
    rounding. A side is left alone that is so long beside the others that even `every` gradients have to leave such.
    Then Adam begins anew along the eigenvectors, which follow by one step of orthogonal iteration in `every` turns.
    Vectors, such as biases, keep Adam. No weight moves where `found_inf` is 1; but for the first eigenvectors nothing
    waits for the device.
    """

    found_inf: Tensor | None = None

    def __init__(self, parameters: Iterable[nn.Parameter], **rates: Any) -> None:
        super().__init__(parameters, rates)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update of every weight that has a gradient."""
        refused = self.found_inf
        for group in self.param_groups:
            for weight in group["params"]:
                if (gradient := weight.grad) is not None:
                    if refused is not None:
                        gradient = gradient.masked_fill(refused > 0, 0)  # what is not finite would stay so times 0
                    _remember(self.state[weight], gradient, group)
                    update, scale = _update(self.state[weight], weight, group)
                    if group["weight_decay"]:
                        update.add_(weight, alpha=group["weight_decay"] / scale)
                    weight.sub_(update if refused is None else update.mul_(1 - refused), alpha=group["lr"] * scale)


def moved(left: dict[str, Any], weight: Tensor, group: dict[str, Any]) -> Tensor:
    """The update of a weight for a learning rate of 1, by what its last gradients have left as its state."""
    update, scale = _update(left, weight, group)
    return update * scale + group["weight_decay"] * weight


def _update(left: dict[str, Any], weight: Tensor, group: dict[str, Any]) -> tuple[Tensor, float]:
    """Adam's quotient along the bases, turned back, and what it is still to be multiplied by: both bias corrections."""
    first, second = (1 - beta ** left["age"] for beta in group["betas"])
    along = left["exp_avg_sq"].sqrt().add_(group["eps"] * math.sqrt(second))
    torch.div(left["exp_avg"], along, out=along)  # each pass over the weights saved is a tenth of what this costs
    update = _turn(along, [basis if basis is None else basis.T for basis in left["bases"]])
    return update.transpose(1, 2).reshape(weight.shape), math.sqrt(second) / first


def _remember(left: dict[str, Any], gradient: Tensor, group: dict[str, Any]) -> None:
    rows = gradient if gradient.ndim > 1 else gradient.reshape(-1, 1)
    sides = rows.flatten(2).transpose(1, 2).contiguous() if rows.ndim > 2 else rows[:, None]
    matrices = sides.flatten(1), sides.flatten(0, 1).T
    if not left:
        lengths = [len(matrix) if gradient.ndim > 1 else 1 for matrix in matrices]
        most = [min(group["largest_side"], group["every"] * matrix.shape[1]) for matrix in matrices]
        turned = [1 < length <= limit for length, limit in zip(lengths, most, strict=True)]
        left["counted"], left["exp_avg"], left["exp_avg_sq"] = 0, torch.zeros_like(sides), torch.zeros_like(sides)
        left["covariances"] = [sides.new_zeros(n, n) if turn else None for n, turn in zip(lengths, turned, strict=True)]
        left["age"], left["bases"] = 0, [None, None]
    beta1, beta2 = group["betas"]
    left["counted"] += 1
    for side, (covariance, matrix) in enumerate(zip(left["covariances"], matrices, strict=True)):
        if covariance is not None:
            covariance.addmm_(matrix, matrix.T, beta=beta2, alpha=1 - beta2)
            if left["counted"] % group["every"] == 0:
                _follow(left, side, covariance)
    along = _turn(sides, left["bases"])
    left["age"] += 1
    left["exp_avg"] = left["exp_avg"].lerp_(along, 1 - beta1) if beta1 else along
    left["exp_avg_sq"].mul_(beta2).addcmul_(along, along, value=1 - beta2)


def _follow(left: dict[str, Any], side: int, covariance: Tensor) -> None:
    """Turn a side to the present eigenvectors, and what is remembered along with it, or anew the first time."""
    basis = left["bases"][side]
    if basis is None:
        left["bases"][side] = _factors(torch.linalg.eigh, covariance)[1]
        left["age"], left["exp_avg"] = 0, torch.zeros_like(left["exp_avg"])  # the old one may be the gradient itself
        left["exp_avg_sq"].zero_()
        return
    order = (basis * (covariance @ basis)).sum(0).argsort(descending=True)
    found = left["bases"][side] = _factors(torch.linalg.qr, covariance @ basis[:, order])[0]
    left["exp_avg_sq"] = left["exp_avg_sq"].index_select(2 * side, order)
    there = [None, None]
    there[side] = basis.T @ found
    left["exp_avg"] = _turn(left["exp_avg"], there)


def _turn(sides: Tensor, bases: Sequence[Tensor | None]) -> Tensor:
    """What (out, places, in) is along the vectors of each side's basis."""
    outer, inner = bases
    if outer is not None:
        sides = (outer.T @ sides.flatten(1)).view_as(sides)
    return sides if inner is None else sides @ inner


def _factors(decompose: Callable[[Tensor], Sequence[Tensor]], matrix: Tensor) -> list[Tensor]:
    """Factors of a matrix, laid out as a file gives them back: products of another layout have other last digits.

    By the processor where the device, Metal, cannot be relied on to have the routine.
    """
    factors = decompose(matrix.cpu() if matrix.device.type == "mps" else matrix)
    return [factor.to(matrix.device).contiguous() for factor in factors]
