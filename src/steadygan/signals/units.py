"""Units that answer nothing to anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_ACTIVATIONS = {"relu", "leaky_relu", "rrelu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus"}


class Units(TorchFunctionMode):
    """Least and greatest answer of every unit of a network, over all images and places that it was shown.

    A unit is a channel behind an activation, whether that is a layer or a function called in `forward`. The last
    activation of a generator, as a tanh, is none: its channels are the picture's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ranges: dict[int, tuple[Tensor, Tensor]] = {}
        self._place = 0

    def watch(self, network: nn.Module) -> Callable[..., Any]:
        """The network, to be called as itself; what its activations give is noted."""

        def watched(*given: Any, **named: Any) -> Any:
            self._place = 0
            with self:
                return network(*given, **named)

        return watched

    def __torch_function__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        made = function(*given, **(named or {}))
        if getattr(function, "__name__", "").rstrip("_") in _ACTIVATIONS and made.ndim > 1:
            around = [dim for dim in range(made.ndim) if dim != 1]
            low, high = made.amin(around), made.amax(around)
            before = self.ranges.get(self._place, (low, high))
            self.ranges[self._place] = torch.minimum(before[0], low), torch.maximum(before[1], high)
            self._place += 1
        return made

    def dead(self) -> Tensor | None:
        """Share of units that answered the same to everything, as a ReLU does that is always 0; None without units.

        It is that of the layer with the most of them: all that a picture says has to pass it.
        """
        if not self.ranges:
            return None
        return torch.stack([(low == high).float().mean() for low, high in self.ranges.values()]).max()
