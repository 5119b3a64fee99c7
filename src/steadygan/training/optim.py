"""One player's optimizer: gradients, the guard against values that are not finite, the update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from pydantic import Field
from torch import Tensor, nn

from steadygan.part import Part
from steadygan.schedule import BelowOne, Positive, Scheduled, ScheduleSettings, at
from steadygan.training.soap import SOAPOptimizer, moved

__all__ = ["SGD", "SOAP", "Adam", "RMSProp"]


@runtime_checkable
class OptimizerSettings(Protocol):
    """Settings that build an optimizer for the given parameters. `lr` is a number, or a schedule over images seen."""

    @property
    def lr(self) -> Scheduled: ...

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer: ...


class OptimizerBase(Part, ABC):
    """Base of our optimizers."""

    mid_run: ClassVar[frozenset[str]] = frozenset({"lr"})

    lr: Positive = 2e-4

    def rates(self, images: int) -> dict[str, Any]:
        """What the optimizer's groups hold after so many images seen."""
        return {"lr": at(self.lr, images)}

    @abstractmethod
    def taken(self, weight: Tensor, gradient: Tensor, left: dict[str, Any], group: dict[str, Any]) -> Tensor:
        """What the last update took from a weight, by what it `left` as its state: the formula once more."""


class Adam(OptimizerBase):
    """Adam. Kingma and Ba (2015), Algorithm 1; beta1 0.5 and 2e-4 as in Radford et al. (2016), section 4.

    Always the fused kernel: one pass over the weights, and it can refuse an update without asking the host.
    `lr` and `beta2` may be schedules. `weight_decay` is decoupled (Loshchilov and Hutter 2019, AdamW).
    """

    paper: ClassVar[str] = "arXiv:1412.6980"
    helps: ClassVar[str] = "Almost always: its steps do not depend on the scale of the gradients."
    hurts: ClassVar[str] = "beta1 of 0.9, its usual value, makes the two players circle each other."

    kind: Literal["adam"] = "adam"
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: BelowOne = 0.999
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        rates: dict[str, Any] = {**self.rates(0), "eps": self.eps, "weight_decay": self.weight_decay}
        return torch.optim.AdamW(parameters, **rates, fused=True, capturable=True)  # capturable in a CUDA graph

    def rates(self, images: int) -> dict[str, Any]:
        return {**super().rates(images), "betas": (self.beta1, at(self.beta2, images))}

    def taken(self, weight: Tensor, gradient: Tensor, left: dict[str, Any], group: dict[str, Any]) -> Tensor:
        first, second = (1 - beta ** left["step"] for beta in group["betas"])
        moved = left["exp_avg"] / first / ((left["exp_avg_sq"] / second).sqrt() + group["eps"])
        return group["lr"] * (moved + group["weight_decay"] * weight)


class SOAP(OptimizerBase):
    """Adam in the eigenbasis of each layer's gradients. Vyas et al. (2025), Algorithms 3 and 4.

    beta1 0 and beta2 0.99 as the regularised losses of GANs want them; the paper's are for language models. The basis
    is found after `every` turns of Adam and follows in one of as many. A side of a weight longer than `largest_side`
    keeps its own coordinates: with sides of 256 turned as well pictures were no better, and it cost twice as much.
    `lr` and `beta2` may be schedules; `weight_decay` is decoupled as in `Adam`.
    """

    paper: ClassVar[str] = "arXiv:2409.11321"
    helps: ClassVar[str] = "Small networks on a processor: half as many images as with Adam gave better pictures."
    hurts: ClassVar[str] = "A fifth more time for a step of a small pair; twice the rate ruined a run at 64 pixels."

    kind: Literal["soap"] = "soap"
    lr: Positive = 1e-3
    beta1: float = Field(default=0.0, ge=0, lt=1)
    beta2: BelowOne = 0.99
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    every: int = Field(default=10, ge=1)
    largest_side: int = Field(default=128, ge=1)

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        form = self.model_dump(include={"eps", "weight_decay", "every", "largest_side"})
        return SOAPOptimizer(parameters, **self.rates(0), **form)

    def rates(self, images: int) -> dict[str, Any]:
        return {**super().rates(images), "betas": (self.beta1, at(self.beta2, images))}

    def taken(self, weight: Tensor, gradient: Tensor, left: dict[str, Any], group: dict[str, Any]) -> Tensor:
        return group["lr"] * moved(left, weight, group)


class RMSProp(OptimizerBase):
    """RMSProp with 5e-5, for weight clipping. Arjovsky et al. (2017), Algorithm 1; Tieleman and Hinton (2012)."""

    paper: ClassVar[str] = "arXiv:1701.07875"
    helps: ClassVar[str] = "With a critic whose weights are clipped, where momentum made training unstable."
    hurts: ClassVar[str] = "Elsewhere slower than Adam, as it has no fused kernel."

    kind: Literal["rmsprop"] = "rmsprop"
    lr: Positive = 5e-5
    alpha: float = Field(default=0.99, ge=0, lt=1)

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        own = list(parameters)
        return _RefusingRMSprop(own, **self.rates(0), alpha=self.alpha, capturable=own[0].device.type == "cuda")

    def taken(self, weight: Tensor, gradient: Tensor, left: dict[str, Any], group: dict[str, Any]) -> Tensor:
        return group["lr"] * gradient / (left["square_avg"].sqrt() + group["eps"])


class _RefusingRMSprop(torch.optim.RMSprop):
    """Moves no weight where `found_inf` is 1, as fused kernels do: without momentum a gradient of 0 moves none."""

    found_inf: Tensor

    def step(self, closure: Any = None) -> Any:
        for parameter in (one for group in self.param_groups for one in group["params"] if one.grad is not None):
            parameter.grad.masked_fill_(self.found_inf > 0, 0)
        return super().step(closure)


class SGD(OptimizerBase):
    """Stochastic gradient descent; for the discriminator, Chintala et al. (2016), item 9 ("SGD for D, Adam for G")."""

    paper: ClassVar[str] = "https://github.com/soumith/ganhacks"
    helps: ClassVar[str] = "A discriminator that overpowers the generator learns more slowly with it."
    hurts: ClassVar[str] = "Its learning rate must be found anew for each network and loss."

    kind: Literal["sgd"] = "sgd"
    lr: Positive = 1e-2
    momentum: float = Field(default=0.0, ge=0, lt=1)

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, **self.rates(0), momentum=self.momentum, fused=True)

    def taken(self, weight: Tensor, gradient: Tensor, left: dict[str, Any], group: dict[str, Any]) -> Tensor:
        return group["lr"] * (left["momentum_buffer"] if self.momentum else gradient)


AnyOptimizer = Annotated[Adam | SOAP | RMSProp | SGD, Field(discriminator="kind")]


class PlayerOptimizer:
    """Moves one network down its loss, unless the loss or a gradient is not finite.

    `healthy` is a tensor shared by both players that turns from 1 to 0 at the first such value and stays there:
    from then on no weight moves, and `turns` stops counting; `broke` is 1 where it was this player's value.
    It is handed to our optimizers, which obey it on the device, so that nothing waits for the host; whoever
    runs the loop looks at it once in a while. Another one that is not fused is asked on the host.
    """

    def __init__(self, network: nn.Module, settings: OptimizerSettings, healthy: Tensor) -> None:
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.settings = settings
        self.optimizer = settings.build(self.parameters)
        self.healthy = healthy
        self.turns = torch.zeros((), dtype=torch.int64, device=healthy.device)
        self.broke = torch.zeros_like(healthy)

    def __call__(self, loss: Tensor, images: int = 0) -> Tensor:
        """Take one step down `loss` (a scalar) and return the norm of its gradient, both as tensors."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=self.parameters)
        for parameter in self.parameters:  # fused kernels on CUDA refuse other strides, even along a side of 1
            if parameter.grad is not None and parameter.grad.stride() != parameter.stride():
                parameter.grad = torch.empty_like(parameter).copy_(parameter.grad)
        norm = torch.nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        before = self.healthy.clone()
        self.healthy.mul_(torch.isfinite(norm + loss.detach()))
        self.broke.add_(before - self.healthy)
        self.turns.add_(self.healthy.long())
        self._follow_schedules(images)
        self._update()
        return norm

    def _follow_schedules(self, images: int) -> None:
        if isinstance(self.settings, OptimizerBase):
            for group in self.optimizer.param_groups:
                group.update(self.settings.rates(images))
        elif isinstance(self.settings.lr, ScheduleSettings):
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings.lr(images)

    def _update(self) -> None:
        refusing: Any = self.optimizer
        fused = self.optimizer.defaults.get("fused") and self.healthy.device.type != "mps"  # whose kernel may not obey
        if fused or isinstance(refusing, _RefusingRMSprop | SOAPOptimizer):
            refusing.found_inf = 1 - self.healthy
            self.optimizer.step()
        elif bool(self.healthy):
            self.optimizer.step()

    @torch.no_grad()
    def taken(self) -> dict[nn.Parameter, Tensor]:
        """What the last update took from each weight; empty for an optimizer of the user's own."""
        if not isinstance(self.settings, OptimizerBase):
            return {}
        moved = {}
        for group in self.optimizer.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    moved[weight] = self.settings.taken(weight, weight.grad, self.optimizer.state[weight], group)
        return moved

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's moments and the count of good turns."""
        return {"optimizer": self.optimizer.state_dict(), "turns": self.turns}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the optimizer; its moments take the layout of the weights: the fused kernel walks both alike."""
        self.turns.copy_(state["turns"])
        self.broke.zero_()
        here = {name: value for name, value in self.optimizer.defaults.items() if name == "capturable"}
        groups = [group | here for group in state["optimizer"]["param_groups"]]  # of another device, perhaps
        self.optimizer.load_state_dict(state["optimizer"] | {"param_groups": groups})
        for parameter, moments in self.optimizer.state.items():
            for name, value in moments.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    moments[name] = torch.empty_like(parameter).copy_(value)
