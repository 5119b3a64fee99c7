"""One player's descent: gradients, the guard against values that are not finite, the update."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn


@runtime_checkable
class OptimizerSettings(Protocol):
    """Settings that build an optimizer for the given parameters."""

    lr: float

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer: ...


class Adam(BaseModel):
    """Adam. Kingma and Ba (2015), Algorithm 1; beta1 0.5 and 2e-4 as in Radford et al. (2016), section 4.

    Always the fused kernel: one pass over the weights, and it can refuse an update without asking the host.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    paper: ClassVar[str] = "arXiv:1412.6980"

    kind: Literal["adam"] = "adam"
    lr: float = Field(default=2e-4, gt=0)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    eps: float = Field(default=1e-8, gt=0)

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=self.lr, betas=(self.beta1, self.beta2), eps=self.eps, fused=True)


AnyOptimizer = Adam


class Descent:
    """Moves one network down its loss, unless the loss or a gradient is not finite.

    `healthy` is a tensor shared by both players that turns from 1 to 0 at the first such value and stays there:
    from then on no weight moves, and `turns` stops counting. It is handed to the fused kernel, which obeys it on
    the device, so that nothing waits for the host; whoever runs the loop looks at it once in a while.
    An optimizer without a fused kernel is asked on the host.
    """

    def __init__(self, network: nn.Module, settings: OptimizerSettings, healthy: Tensor) -> None:
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = settings.build(self.parameters)
        self.healthy = healthy
        self.turns = torch.zeros((), dtype=torch.int64, device=healthy.device)

    def __call__(self, loss: Tensor) -> Tensor:
        """Take one step down `loss` (a scalar) and return the norm of its gradient, both as tensors."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=self.parameters)
        norm = torch.nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        self.healthy.mul_(torch.isfinite(norm + loss.detach()))
        self.turns.add_(self.healthy.long())
        self._update()
        return norm

    def _update(self) -> None:
        refusing: Any = self.optimizer
        if self.optimizer.defaults.get("fused") and self.healthy.device.type != "mps":  # whose kernel may not obey
            refusing.found_inf = 1 - self.healthy
            self.optimizer.step()
        elif bool(self.healthy):
            self.optimizer.step()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the optimizer; its moments take the layout of the weights: the fused kernel walks both alike."""
        self.optimizer.load_state_dict(state)
        for parameter, moments in self.optimizer.state.items():
            for name, value in moments.items():
                if value.shape == parameter.shape:
                    moments[name] = torch.empty_like(parameter).copy_(value)
