"""Looking into networks: a tiny batch goes through, and every function of torch that it meets is written down."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from steadygan.doctor.audit.anatomy import WEIGHTED, Anatomy, Kind, Layer
from steadygan.errors import ConfigError

_FUNCTIONS: dict[Kind, str] = {
    "convolution": "conv1d conv2d conv3d",
    "transposed": "conv_transpose1d conv_transpose2d conv_transpose3d",
    "dense": "linear matmul mm addmm",
    "norm": "batch_norm instance_norm layer_norm group_norm rms_norm local_response_norm",
    "activation": "relu relu6 leaky_relu elu selu celu gelu silu mish softplus prelu rrelu tanh sigmoid hardtanh "
    "hardswish hardsigmoid softsign softmax log_softmax log_sigmoid threshold",
    "pooling": "max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d lp_pool2d fractional_max_pool2d "
    "adaptive_avg_pool2d adaptive_max_pool2d",
    "upsampling": "interpolate upsample pixel_shuffle",
    "dropout": "dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout",
    "sum": "add iadd radd",
}
_KINDS = {name: kind for kind, names in _FUNCTIONS.items() for name in names.split()}
_PRODUCTS = ("matmul", "mm", "addmm")  # layers only where the second factor is learned
_ALIVE = (  # just below 0
    *("elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign", "log_sigmoid"),
    *("tanh", "sigmoid", "hardsigmoid", "hardswish"),
)


def anatomy_of(network: nn.Module, *inputs: Tensor) -> tuple[Anatomy, Tensor]:
    """What a network is made of, and what it made of a batch; as it trains, in a copy, so that it stays as it is.

    Layers are found whether they are modules or functions called in `forward`; one that computes something of its own
    goes unseen. ConfigError if the network cannot take the batch, or no layer with weights is met.
    """
    network = getattr(network, "_orig_mod", network)  # what torch.compile has wrapped
    name = type(network).__name__
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            own = copy.deepcopy(network).train()
            with _Watching({one.data_ptr() for one in own.parameters() if not is_lazy(one)}) as seen, seen.inside(own):
                made = _first_tensor(own(*inputs))
    except Exception as problem:  # whatever a user's code may do
        said = f"{type(problem).__name__}: {problem}".splitlines()[0]
        raise ConfigError(f"{name}: a batch {in_words(inputs[0].shape)} does not go through it: {said}") from problem
    if not any(layer.kind in WEIGHTED for layer in seen.layers):
        raise ConfigError(f"{name}: no layer with weights was met in it; give it as plain modules, not as a script")
    found = Anatomy(
        name=name,
        layers=tuple(seen.layers),
        parameters=sum(p.numel() for p in own.parameters() if p.requires_grad),
        input=tuple(inputs[0].shape[1:]),
        output=tuple(made.shape[1:]),
        low=_number(made.amin()),
        high=_number(made.amax()),
    )
    return found, made


def in_words(shape: Iterable[int]) -> str:
    """A shape as people write it: 4×100."""
    return "×".join(map(str, shape))


class _Watching(TorchFunctionMode):
    """Writes down the layers that torch is asked for, while it is entered."""

    def __init__(self, learned: set[int]) -> None:
        super().__init__()
        self.learned = learned
        self.layers: list[Layer] = []
        self.modules: list[tuple[str, nn.Module]] = []

    @contextmanager
    def inside(self, network: nn.Module) -> Iterator[None]:
        """Know which module of the network is at work."""
        hooks = []
        for name, module in network.named_modules():
            hooks.append(module.register_forward_pre_hook(lambda it, _, name=name: self.modules.append((name, it))))
            hooks.append(module.register_forward_hook(lambda *_: self._leave(), always_call=True))
        yield
        for hook in hooks:
            hook.remove()

    def _leave(self) -> None:
        self.modules.pop()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        what = getattr(func, "__name__", "").strip("_")
        if (kind := _KINDS.get(what)) and isinstance(made := _first_tensor(result), Tensor):
            self._add(kind, what, made, _Call(args, kwargs or {}, self.learned))
        return result

    def _add(self, kind: Kind, what: str, made: Tensor, call: _Call) -> None:
        name, module = self.modules[-1] if self.modules else ("", None)
        facts: dict[str, Any] | None = _FACTS.get(kind, _no_more)(what, module, math.prod(made.shape[2:]), call)
        if facts is not None:
            self.layers.append(Layer(kind=kind, what=what, name=name, **facts))


@dataclass(frozen=True)
class _Call:
    """What a function was called with, asked for by name, or by place if given so; and where parameters lie."""

    given: tuple[Any, ...]
    named: dict[str, Any]
    learned: set[int]

    def __call__(self, name: str, place: int, default: Any = None) -> Any:
        return self.named.get(name, self.given[place] if len(self.given) > place else default)


def _is_map(call: _Call) -> bool:
    before = call("input", 0)
    return isinstance(before, Tensor) and before.ndim > 2 and math.prod(before.shape[2:]) > 1


def _no_more(what: str, module: nn.Module | None, side: int, call: _Call) -> dict[str, Any] | None:
    return {}


def _pooling(what: str, module: nn.Module | None, side: int, call: _Call) -> dict[str, Any] | None:
    """Nothing of the mean of whole maps, which ends many a good network, nor of what a layer does to its weights."""
    return None if side == 1 or isinstance(module, nn.Conv2d) else {}


def _sum(what: str, module: nn.Module | None, side: int, call: _Call) -> dict[str, Any] | None:
    """Nothing of the sum of other things than two maps."""
    one, other = call("input", 0), call("other", 1)
    return {} if isinstance(other, Tensor) and one.shape == other.shape and one.ndim == 4 and side > 1 else None


def _dropout(what: str, module: nn.Module | None, side: int, call: _Call) -> dict[str, Any] | None:
    return {} if call("p", 1, 0.5) and call("training", 2, True) else None


def _activation(what: str, module: nn.Module | None, side: int, call: _Call) -> dict[str, Any] | None:
    """Its slope below 0; nothing of the softmax over maps or tokens, which is attention."""
    if what.endswith("softmax") and call("input", 0).ndim > 2:
        return None
    slopes = {"leaky_relu": call("negative_slope", 1, 0.01), "prelu": call("weight", 1), "rrelu": 0.23}
    slopes["hardtanh"] = float(what == "hardtanh" and call("min_val", 1, -1.0) < 0)  # which ReLU6 is, too, from 0 on
    return {"slope": _number(slopes.get(what, float(what in _ALIVE)))}


def _weights(what: str, module: nn.Module | None, side: int, call: _Call) -> dict[str, Any] | None:
    """The facts of a layer's weights; None if what it multiplies with are none, as in attention."""
    bias = call("input", 0) if what == "addmm" else call("bias", 2)
    used = call("weight", 2 if what == "addmm" else 1)
    if not isinstance(used, Tensor) or (what in _PRODUCTS and (used.ndim != 2 or used.data_ptr() not in call.learned)):
        return None
    weight = _own(module, used.t() if what in _PRODUCTS else used)
    stride = call("stride", 3, 1) if used.ndim > 2 else 1
    stride = stride[0] if isinstance(stride, tuple | list) else int(stride)
    groups = int(call("groups", 6, 1)) if used.ndim > 2 else 1
    transposed = what.startswith("conv_transpose") and weight.shape == used.shape
    area = math.prod(weight.shape[2:])
    reached = 1 if not _is_map(call) else max(1, area // stride ** (weight.ndim - 2)) if transposed else area
    first, second = (weight.shape[1], weight.shape[0]) if transposed else weight.shape[:2]
    return {
        "inside": second if transposed else second * groups,
        "outside": first * groups if transposed else first,
        "kernel": used.shape[2] if used.ndim > 2 else 1,
        "stride": stride,
        "weights": weight.numel(),
        "mean": _number(weight.float().mean()),
        "std": _number(weight.float().std(correction=0)),
        "bias": _number(bias.abs().amax()) if isinstance(bias, Tensor) else None,
        "fan_in": max(1, (second // groups if transposed else second) * reached),
        "fan_out": max(1, (first if transposed else first // groups) * area),
        "spectral": _spectral(module),
    }


_FACTS: dict[Kind, Callable[[str, nn.Module | None, int, _Call], dict[str, Any] | None]] = {
    **dict.fromkeys(WEIGHTED, _weights),
    "pooling": _pooling,
    "sum": _sum,
    "dropout": _dropout,
    "activation": _activation,
}


def _own(module: nn.Module | None, used: Tensor) -> Tensor:
    """The weight as it was drawn: behind a spectral norm, or before it became the kernel of another operation."""
    held = dict(module.named_parameters()) if module is not None else {}
    own = next((held[name] for name in _DRAWN if name in held), used)
    return own if _spectral(module) or own.shape != used.shape else used


_DRAWN = ("parametrizations.weight.original", "weight_orig", "weight")


def _spectral(module: nn.Module | None) -> bool:
    """Whether a spectral norm holds a module's weight, of either of torch's two kinds."""
    held = getattr(module, "parametrizations", {})
    names = [type(one).__name__ for one in held["weight"]] if "weight" in held else []
    return "_SpectralNorm" in names or hasattr(module, "weight_u")


def _first_tensor(made: Any) -> Any:
    """What a network made, if it makes several things the first of them."""
    while not isinstance(made, Tensor) and made:
        made = next(iter(made.values() if isinstance(made, dict) else made))
    return made


def _number(value: Any) -> float:
    """A number of a tensor or not; one that is none becomes 0, since there is nothing to be said of it."""
    number = float(value.float().mean()) if isinstance(value, Tensor) else float(value)
    return number if math.isfinite(number) else 0.0
