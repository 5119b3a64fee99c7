"""Other ways to compute a convolution, each against torch's own."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.autograd import grad
from torch.func import functional_call
from torch.nn.utils.parametrizations import spectral_norm

from steadygan.ops.convolution import WAYS, compute_, form_of
from steadygan.ops.layers import LatentConv2d, NearestConv2d, ResidualDown, SubpixelConv2d


def residual(inside: int, outside: int, **settings: Any) -> ResidualDown:
    return ResidualDown(nn.Conv2d(inside, outside, **settings), inside, outside)


FORMS = {
    "strided": (nn.Conv2d, {"kernel_size": 4, "stride": 2, "padding": 1}),
    "transposed": (nn.ConvTranspose2d, {"kernel_size": 4, "stride": 2, "padding": 1}),
    "transposed to an odd side": (
        nn.ConvTranspose2d,
        {"kernel_size": 4, "stride": 2, "padding": 1, "output_padding": 1},
    ),
    "patches": (nn.Conv2d, {"kernel_size": 3, "stride": 3}),
    "uneven": (nn.Conv2d, {"kernel_size": (6, 3), "stride": 3, "padding": (2, 0)}),
    "uneven transposed": (nn.ConvTranspose2d, {"kernel_size": (6, 3), "stride": 3, "padding": (2, 1)}),
    "nearest": (NearestConv2d, {"kernel_size": 3, "padding": 1}),
    "residual": (residual, {"kernel_size": 4, "stride": 2, "padding": 1}),
    "same": (nn.Conv2d, {"kernel_size": 3, "padding": 1}),
    "pixelwise": (nn.Conv2d, {"kernel_size": 1}),
    "odd kernel": (nn.ConvTranspose2d, {"kernel_size": 5, "stride": 2, "padding": 2, "output_padding": 1}),
    "of a latent": (LatentConv2d, {"kernel_size": 4}),
    "depthwise": (nn.Conv2d, {"kernel_size": 4, "stride": 2, "padding": 1, "groups": 4}),
    "grouped transposed": (nn.ConvTranspose2d, {"kernel_size": 4, "stride": 2, "padding": 1, "groups": 2}),
}
CASES = [
    (way, name)
    for name, (kind, settings) in FORMS.items()
    for way, entry in WAYS.items()
    if entry.fits(form_of(kind(4, 4, **settings)), 1, True)
]


def made(name: str, bias: bool, dtype: torch.dtype = torch.float64) -> nn.Conv2d | nn.ConvTranspose2d:
    kind, settings = FORMS[name]
    return kind(4, 8, bias=bias, dtype=dtype, **settings).to(memory_format=torch.channels_last)


def otherwise(layer: nn.Module, way: str) -> nn.Module:
    other = copy.deepcopy(layer)
    compute_(other, way)
    return other


def first_and_second(layer: nn.Module, maps: torch.Tensor) -> list[torch.Tensor]:
    """What a layer makes, its gradients, and the gradients of a penalty on that of the maps."""
    maps = maps.clone().requires_grad_()
    out = layer(maps)
    inputs = [maps, *layer.parameters()]
    first = grad(out.tanh().square().sum(), inputs, create_graph=True)
    penalty = first[0].square().sum() + first[1].square().sum()
    return [out, *first, *grad(penalty, inputs)]


@pytest.mark.parametrize("side", [6, 7])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("way", "name"), CASES)
def test_every_way_gives_what_torch_gives_and_the_same_gradients_twice(way, name, bias, side):
    layer, maps = made(name, bias), torch.randn(3, 4, side, side + 2, dtype=torch.float64)
    expected, found = (first_and_second(one, maps) for one in (layer, otherwise(layer, way)))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("way", "name"), CASES)
def test_under_autocast_a_way_is_within_the_rounding_of_bfloat16(way, name):
    layer, maps = made(name, bias=True, dtype=torch.float32), torch.randn(3, 4, 8, 8)
    exact = first_and_second(layer, maps)
    for given in (maps, maps.bfloat16()):  # an image, and what a layer before makes
        with torch.autocast("cpu", torch.bfloat16):
            found = first_and_second(otherwise(layer, way), given)
        assert found[0].dtype == torch.bfloat16
        for one, other in zip(exact, found, strict=True):
            assert (one - other).norm() < 0.03 * one.norm()


@pytest.mark.parametrize(("way", "name"), [("blocks", "strided"), ("blocks", "transposed"), ("product", "same")])
def test_a_layer_stays_what_it_is_but_for_its_forward(way, name):
    layer, maps = made(name, bias=True), torch.randn(2, 4, 6, 6, dtype=torch.float64)
    other = copy.deepcopy(otherwise(layer, way))
    assert type(other) is type(layer)
    assert other.state_dict().keys() == layer.state_dict().keys()
    with torch.no_grad():
        other.weight.mul_(2)
        layer.weight.mul_(2)
    torch.testing.assert_close(other(maps), layer(maps))
    assert other.forward.__self__ is other, "a copy computes with its own weights"
    doubled = {"weight": 2 * layer.weight, "bias": layer.bias}
    torch.testing.assert_close(*(functional_call(one, doubled, maps) for one in (layer, other)))
    compute_(other, "plain")
    assert torch.equal(other(maps), layer(maps))
    assert "forward" not in vars(other)


def test_a_side_asked_for_of_a_transposed_one_is_torchs_business():
    layer, maps = made("transposed", bias=True), torch.randn(2, 4, 6, 6, dtype=torch.float64)
    assert torch.equal(otherwise(layer, "blocks")(maps, [13, 13]), layer(maps, [13, 13]))


@pytest.mark.parametrize(("way", "name"), [("blocks", "strided"), ("product", "transposed")])
def test_a_spectral_norm_is_felt_in_every_way(way, name):
    layer, maps = spectral_norm(made(name, bias=False)).eval(), torch.randn(2, 4, 6, 6, dtype=torch.float64)
    assert form_of(layer) == form_of(made(name, bias=False))
    torch.testing.assert_close(otherwise(layer, way)(maps), layer(maps))


@pytest.mark.slow  # the compiler takes its time
@pytest.mark.filterwarnings("ignore")  # the compiler warns of itself
@pytest.mark.parametrize(("way", "name"), [("blocks", "strided"), ("product", "transposed")])
def test_a_way_can_be_compiled_whole(way, name):
    layer, maps = made(name, bias=True, dtype=torch.float32), torch.randn(2, 4, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        found = torch.compile(otherwise(layer, way), fullgraph=True)(maps)
        torch.testing.assert_close(found, layer(maps), rtol=0.03, atol=0.03)


class Standardised(nn.Conv2d):
    """A convolution that does something else with its weights, by the method torch has for that."""

    def _conv_forward(self, maps, weight, bias):
        return super()._conv_forward(maps, weight - weight.mean(), bias)


class Doubled(nn.Conv2d):
    def forward(self, maps):
        return 2 * super().forward(maps)


class OddNearest(NearestConv2d):
    def forward(self, maps):
        return -super().forward(maps)


def patched() -> nn.Conv2d:
    layer = nn.Conv2d(4, 4, 3)
    layer.forward = lambda maps: -nn.Conv2d.forward(layer, maps)
    return layer


@pytest.mark.parametrize(
    "layer",
    [
        patched(),
        Standardised(4, 4, 3),
        Doubled(4, 4, 3),
        OddNearest(4, 4, 3, padding=1),
        nn.Linear(4, 4),
        nn.Conv2d(4, 4, 3, dilation=2),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
    ],
)
def test_what_no_way_is_for_stays_as_it_is(layer):
    assert form_of(layer) is None
    before = dict(vars(layer))
    compute_(layer, "product")
    assert vars(layer) == before


def test_no_way_is_for_a_form_that_it_cannot_compute():
    fitting = {name: [way for way, of in CASES if of == name] for name in FORMS}
    for name in ("strided", "transposed", "nearest", "residual"):
        assert fitting[name] == ["plain", "blocks", "product"]
    assert fitting["odd kernel"] == fitting["same"] == ["plain", "product"]
    assert fitting["depthwise"] == ["plain", "float32"]
    assert not WAYS["float32"].fits(form_of(made("depthwise", bias=False)), 1, False), "it is so already"
    assert not WAYS["product"].fits(form_of(made("same", bias=False)), 64**2, True), "the matrix would be large"
    assert form_of(SubpixelConv2d(4, 8, 3, padding=1)) is not None
