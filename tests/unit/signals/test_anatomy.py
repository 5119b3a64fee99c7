"""Looking into networks: what is seen of modules and of functions, and what cannot be looked into."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

import own_pairs as own
from steadygan.errors import ConfigError
from steadygan.networks import DCGAN
from steadygan.ops.init import he_init_, xavier_init_
from steadygan.signals.anatomy import anatomy_of
from steadygan.signals.pairs import look_at
from steadygan.spec import ImageSpec


def kinds(network: nn.Module, *shape: int) -> list[str]:
    return [str(layer) for layer in anatomy_of(network, torch.randn(5, *shape))[0].layers]


def test_layers_are_seen_in_the_order_of_execution_whether_modules_or_functions() -> None:
    assert kinds(own.FunctionalDiscriminator(pool=True), 1, 28, 28) == [
        *("conv2d (conv1)", "max_pool2d", "relu", "conv2d (conv2)", "max_pool2d", "relu"),
        *("linear (fc)", "sigmoid"),
    ]
    assert kinds(own.judge(first_norm=True), 3, 32, 32)[:4] == [
        *("conv2d (0)", "batch_norm (1)", "leaky_relu (2)", "conv2d (3)"),
    ]


def test_weights_without_layers_are_seen() -> None:
    found, made = anatomy_of(own.Bare(), torch.randn(5, 64))
    assert [layer.what for layer in found.layers] == ["matmul", "relu", "matmul", "tanh"]
    assert [(layer.inside, layer.outside) for layer in found.weighted] == [(64, 256), (256, 784)]
    assert found.output == (784,)
    assert found.high == pytest.approx(float(made.max()))


def test_numbers_of_a_layer_are_those_of_its_weights() -> None:
    conv = nn.Conv2d(8, 16, 4, 2, 1, groups=2)
    nn.init.constant_(conv.bias, -0.5)
    [layer] = anatomy_of(nn.Sequential(conv), torch.randn(5, 8, 16, 16))[0].layers
    assert (layer.inside, layer.outside, layer.kernel, layer.stride) == (8, 16, 4, 2)
    assert (layer.weights, layer.fan_in, layer.fan_out) == (16 * 4 * 16, 4 * 16, 8 * 16)
    assert layer.std == pytest.approx(float(conv.weight.detach().std(correction=0)), rel=1e-5)
    assert layer.bias == 0.5


@pytest.mark.parametrize(("init", "power"), [(he_init_, 2 / 1.04), (xavier_init_, 1.0)])
def test_fans_are_those_of_the_initialisations(init, power: float) -> None:
    network = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ConvTranspose2d(32, 32, 4, 2, 1))
    init(network)
    conv, transposed = anatomy_of(network, torch.randn(5, 32, 8, 8))[0].layers
    assert conv.std**2 * conv.fan_in == pytest.approx(power, rel=0.05)
    if init is he_init_:
        assert transposed.std**2 * transposed.fan_in == pytest.approx(power, rel=0.05)


def test_a_transposed_convolution_of_a_latent_has_one_pixel_that_reaches_each_output() -> None:
    [layer] = anatomy_of(nn.Sequential(nn.ConvTranspose2d(100, 8, 4)), torch.randn(5, 100, 1, 1))[0].layers
    assert layer.fan_in == 100


def test_spectral_norm_is_seen_and_the_weight_behind_it_is_the_one_looked_at() -> None:
    conv = nn.Conv2d(3, 8, 3)
    nn.init.normal_(conv.weight, 0, 0.7)
    [layer] = anatomy_of(nn.Sequential(spectral_norm(conv)), torch.randn(5, 3, 8, 8))[0].layers
    assert layer.spectral
    assert layer.std == pytest.approx(0.7, rel=0.2)


def test_slopes_below_0_are_seen() -> None:
    network = nn.Sequential(
        nn.Linear(4, 4), nn.ReLU(), nn.LeakyReLU(0.3), nn.LeakyReLU(), nn.PReLU(init=0.1), nn.ELU(), nn.Linear(4, 4)
    )
    found, _ = anatomy_of(network, torch.randn(5, 4))
    assert [layer.slope for layer in found.hidden()] == pytest.approx([0.0, 0.3, 0.01, 0.1, 1.0])


@pytest.mark.parametrize("flat", [nn.Hardtanh, nn.Hardsigmoid, nn.LogSigmoid, nn.Tanh])
def test_what_is_steep_about_0_is_not_taken_for_flat_below_it(flat) -> None:
    found, _ = anatomy_of(nn.Sequential(nn.Linear(4, 4), flat(), nn.Linear(4, 4)), torch.randn(5, 4))
    assert found.hidden()[0].slope > 0


def test_a_relu_with_a_ceiling_is_flat_below_0() -> None:
    found, _ = anatomy_of(nn.Sequential(nn.Linear(4, 4), nn.ReLU6(), nn.Linear(4, 4)), torch.randn(5, 4))
    assert found.hidden()[0].slope == 0


def test_networks_that_are_not_finished_or_of_another_precision_are_looked_into() -> None:
    lazy = nn.Sequential(nn.LazyConv2d(32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.LazyLinear(1))
    assert len(look_at(own.stack(), lazy).discriminator.weighted) == 2
    assert isinstance(lazy[0], nn.LazyConv2d)
    assert look_at(own.stack().double(), own.judge().double()).generator.output == (3, 32, 32)


def test_shortcuts_are_seen_and_sums_of_other_things_are_not() -> None:
    class Block(nn.Module):
        def __init__(self, shortcut: bool) -> None:
            super().__init__()
            self.conv, self.shortcut = nn.Conv2d(3, 3, 3, padding=1), shortcut

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made = self.conv(x)
            return x + made if self.shortcut else made + 1 + self.conv.bias[:, None, None]

    assert len(anatomy_of(Block(True), torch.randn(5, 3, 8, 8))[0].of("sum")) == 1
    assert not anatomy_of(Block(False), torch.randn(5, 3, 8, 8))[0].of("sum")


def test_attention_has_no_layers_of_its_own_but_those_with_weights() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            query = self.query(x)
            return torch.softmax(query @ x.transpose(1, 2), -1) @ x

    assert kinds(Attention(), 6, 8) == ["linear (query)"]


def test_a_network_stays_as_it_was_and_so_does_chance() -> None:
    network, other = own.stack().eval(), own.judge()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    anatomy_of(network, torch.zeros(5, 100, 1, 1))
    look_at(network, other)
    assert torch.equal(torch.rand(1), expected)
    assert not network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("upsampling", ["nearest", "pixel_shuffle", "transposed"])
def test_what_a_layer_does_to_its_own_weights_is_no_layer(upsampling: str) -> None:
    networks = DCGAN.model_validate({"upsampling": upsampling, "width": 8})
    found, _ = anatomy_of(networks.build(ImageSpec(size=16, channels=3)).generator, torch.randn(5, 100))
    assert not found.of("pooling")
    assert [layer.std for layer in found.weighted] == pytest.approx([0.02] * 3, rel=0.2)


@pytest.mark.parametrize(
    ("pair", "latent", "picture"),
    [
        ((own.stack(), own.judge()), (100, 1, 1), (3, 32, 32)),
        ((own.FunctionalGenerator(48), own.FunctionalDiscriminator()), (48,), (1, 28, 28)),
        (own.mnist(), (100,), (784,)),
        ((own.Bare(), own.mnist()[1]), (64,), (784,)),
        ((own.Bare(), own.FunctionalDiscriminator()), (64,), (784,)),
        ((own.FunctionalGenerator(), own.mnist()[1]), (64,), (1, 28, 28)),
        ((own.Labelled(), own.FunctionalDiscriminator()), (64,), (1, 28, 28)),
    ],
)
def test_latents_and_pictures_are_guessed(pair, latent: tuple[int, ...], picture: tuple[int, ...]) -> None:
    looked = look_at(*pair)
    assert (looked.generator.input, looked.generator.output) == (latent, picture)
    assert math.prod(looked.discriminator.input) == math.prod(picture)
    assert "×".join(map(str, latent)) in looked.assumed


def test_a_latent_that_is_named_is_not_guessed() -> None:
    with pytest.raises(ConfigError, match="5×64"):
        look_at(*own.mnist(), latent=64)
    assert look_at(*own.mnist(), latent=100).generator.input == (100,)


class Broken(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("no\nsuch thing")


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ((own.stack(), own.FunctionalDiscriminator()), "discriminator cannot be looked into.*3×32×32"),
        ((nn.Identity(), own.judge()), "no layer with weights"),
        ((Broken(), own.judge()), "KeyError"),
        ((torch.jit.script(nn.Linear(100, 784)), own.mnist()[1]), "no layer with weights|does not go through"),
        ((3, own.judge()), "generator is no torch.nn.Module but int"),
        ((own.stack(), own.judge), "discriminator is no torch.nn.Module but function"),
        ((own.judge(), own.stack()), "cannot be looked into"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_cannot_be_looked_into_is_said_in_one_line(pair, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as problem:
        look_at(*pair)
    assert "\n" not in str(problem.value)
