"""What a network is made of, as plain facts: the layers that an image or a latent goes through, in their order."""

from __future__ import annotations

from typing import Literal

from steadygan.part import Value

Kind = Literal["convolution", "transposed", "dense", "norm", "activation", "pooling", "upsampling", "dropout", "sum"]
WEIGHTED: tuple[Kind, ...] = ("convolution", "transposed", "dense")


class Layer(Value):
    """One step on the way through a network.

    `name` is the module that takes it ("" for the network itself) and `what` the function, as in "leaky_relu".
    A "sum" is of two maps, as where a shortcut ends. `inside` and `outside` are channels or features, `kernel` and
    `stride` pixels; of those with weights `weights` is their number, `mean` and `std` what they are at the start,
    `bias` the largest at the start, None without one. `fan_in` is how many inputs reach an output, on average where
    strides leave gaps, `fan_out` how many outputs an input reaches at stride 1. `slope` is that of an activation below
    0, `spectral` whether spectral norm holds the weights.
    """

    kind: Kind
    what: str
    name: str = ""
    inside: int = 0
    outside: int = 0
    kernel: int = 1
    stride: int = 1
    weights: int = 0
    mean: float = 0.0
    std: float = 0.0
    bias: float | None = None
    fan_in: int = 1
    fan_out: int = 1
    slope: float = 0.0
    spectral: bool = False

    def __str__(self) -> str:
        return f"{self.what} ({self.name})" if self.name else self.what


class Anatomy(Value):
    """A network: its layers in order, trainable parameters, shapes in and out without the batch, and the range out.

    `low` and `high` are of the values it gave when it was looked at, as it trains, with the weights it starts from.
    """

    name: str = ""
    layers: tuple[Layer, ...] = ()
    parameters: int = 0
    input: tuple[int, ...] = ()
    output: tuple[int, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @property
    def weighted(self) -> tuple[Layer, ...]:
        """The layers with weights of their own."""
        return tuple(layer for layer in self.layers if layer.kind in WEIGHTED)

    def of(self, *kinds: Kind) -> tuple[Layer, ...]:
        """The layers of these kinds."""
        return tuple(layer for layer in self.layers if layer.kind in kinds)

    @property
    def residual(self) -> bool:
        """Whether it has shortcuts."""
        return bool(self.of("sum"))

    def batch_norms(self) -> tuple[Layer, ...]:
        """The batch norms."""
        return tuple(layer for layer in self.layers if layer.what == "batch_norm")

    def until_second(self) -> tuple[Layer, ...]:
        """What stands before the second layer with weights."""
        places = [place for place, layer in enumerate(self.layers) if layer.kind in WEIGHTED]
        return self.layers[: places[1]] if len(places) > 1 else self.layers

    def after_last(self) -> tuple[Layer, ...]:
        """What stands behind the last layer with weights."""
        places = [place for place, layer in enumerate(self.layers) if layer.kind in WEIGHTED]
        return self.layers[places[-1] + 1 :] if places else self.layers

    def hidden(self) -> tuple[Layer, ...]:
        """The activations between layers with weights."""
        end = len(self.layers) - len(self.after_last())
        return tuple(layer for layer in self.layers[:end] if layer.kind == "activation")

    def ending(self) -> str:
        """The last activation behind the last layer with weights, "" if there is none."""
        return next((layer.what for layer in reversed(self.after_last()) if layer.kind == "activation"), "")
