from __future__ import annotations

import copy
import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from steadygan.networks.base import count_parameters
from steadygan.networks.faces import Faces256
from steadygan.networks.satellite import Satellite
from steadygan.networks.upsample import Upsample
from steadygan.spec import ImageSpec

SMALL = {
    "satellite": (Satellite(width=4, latent_dim=8), 16),
    "faces256": (Faces256(width=1, latent_dim=8), 64),
    "upsample": (Upsample(width=4, max_width=8, latent_dim=8), 32),
}
FAMILIES = pytest.mark.parametrize("family", SMALL)


def built(family, channels=3):
    settings, size = SMALL[family]
    torch.manual_seed(0)
    return settings.build(ImageSpec(size=size, channels=channels))


def on_meta(settings, size, channels=3):
    with torch.device("meta"):
        return settings.build(ImageSpec(size=size, channels=channels))


def shapes_through(network, given, kinds):
    """The shapes that come out of every layer of these kinds, without the batch."""
    shapes = []
    for module in network.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    network(given)
    return shapes


@FAMILIES
@pytest.mark.parametrize("channels", [1, 3])
def test_pair_makes_images_of_the_form_and_one_logit_each(family, channels):
    settings, size = SMALL[family]
    generator, discriminator = built(family, channels)
    images = generator(torch.randn(3, settings.latent_dim))
    assert images.shape == (3, channels, size, size)
    assert images.abs().max() <= 1
    assert images.min() < 0 < images.max()
    assert discriminator(images).shape == (3,)


@FAMILIES
def test_features_come_with_the_same_logits(family):
    size = SMALL[family][1]
    discriminator = built(family).discriminator.eval()
    images = torch.randn(4, 3, size, size)
    logits, features = discriminator(images, with_features=True)
    assert torch.equal(logits, discriminator(images))
    assert features.shape[:1] + features.shape[2:] == (4, 4, 4)


@FAMILIES
@pytest.mark.parametrize("autocast", [False, True])
def test_a_step_of_each_player_moves_every_weight_and_leaves_it_finite(family, autocast):
    size = SMALL[family][1]
    generator, discriminator = built(family)
    real, latent = torch.rand(4, 3, size, size) * 2 - 1, torch.randn(4, 8)
    for player, sign in ((discriminator, 1), (generator, -1)):
        before = copy.deepcopy(player.state_dict())
        optimizer = torch.optim.Adam(player.parameters(), 1e-3)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            fake = generator(latent)
            loss = (softplus(-discriminator(real)) + softplus(sign * discriminator(fake))).mean()
        loss.backward()
        optimizer.step()
        for name, weight in player.named_parameters():
            assert torch.isfinite(weight).all(), name
            # a batch norm takes a bias before it off again, so that some have a gradient of rounding errors
            assert weight.dim() == 1 or not torch.equal(weight, before[name]), name


@FAMILIES
def test_copies_and_saved_states_answer_alike(family):
    settings, size = SMALL[family]
    pair, other = built(family), settings.build(ImageSpec(size=size, channels=3))
    for network, stranger, given in zip(pair, other, (torch.randn(2, 8), torch.randn(2, 3, size, size)), strict=True):
        network.eval()
        stranger.eval()
        expected = network(given)
        assert torch.equal(copy.deepcopy(network)(given), expected)
        assert not torch.equal(stranger(given), expected)
        stranger.load_state_dict(network.state_dict())
        assert torch.equal(stranger(given), expected)


@FAMILIES
def test_points_are_refused_with_what_to_do(family):
    (problem,) = SMALL[family][0].problems(ImageSpec(size=1, channels=2))
    assert "--recipe ring" in problem
    assert family in problem


@pytest.mark.parametrize(
    ("family", "size", "sentence"),
    [
        ("satellite", 48, "16, 32, 64, 128 or 256 pixels, not 48; choose another --size, the nearest: 32 or 64"),
        ("faces256", 32, "64, 128 or 256 pixels, not 32; choose another --size, the nearest: 64"),
        ("upsample", 257, "16 to 256 pixels, not 257; choose another --size, the nearest: 256"),
        ("upsample", 15, "16 to 256 pixels, not 15; choose another --size, the nearest: 16"),
    ],
)
def test_other_sizes_are_refused_with_those_that_work(family, size, sentence):
    (problem,) = SMALL[family][0].problems(ImageSpec(size=size, channels=3))
    assert problem == f"size: the {family} networks make images of {sentence}"


@FAMILIES
def test_five_channels_are_refused_and_four_are_not(family):
    settings, size = SMALL[family]
    assert settings.problems(ImageSpec(size=size, channels=4)) == []
    assert "1 to 4 channels, not 5" in settings.problems(ImageSpec(size=size, channels=5))[0]


@FAMILIES
def test_every_discriminator_leaks_a_fifth(family):
    leaky = [m for m in built(family).discriminator.modules() if isinstance(m, nn.LeakyReLU)]
    assert len(leaky) >= 3
    assert {m.negative_slope for m in leaky} == {0.2}


@FAMILIES
def test_no_discriminator_norms_its_first_layer_and_no_generator_its_last(family):
    generator, discriminator = built(family)
    assert not isinstance(discriminator.layers[1], nn.BatchNorm2d)
    assert isinstance(generator.layers[-1], nn.Tanh)
    assert isinstance(generator.layers[-2], nn.Conv2d | nn.ConvTranspose2d)


# Satellite


def test_satellite_has_the_published_parameter_counts():
    generator, discriminator = on_meta(Satellite(), 64)
    assert count_parameters(generator) == 19_154_627
    assert count_parameters(discriminator) == 19_616_609


def test_satellite_maps_are_those_of_the_table():
    generator, discriminator = on_meta(Satellite(), 64)
    assert shapes_through(generator, torch.randn(2, 100, device="meta"), nn.ConvTranspose2d) == [
        (512, 8, 8), (256, 16, 16), (128, 32, 32), (64, 64, 64), (64, 64, 64), (3, 64, 64),
    ]  # fmt: skip
    assert shapes_through(discriminator, torch.randn(2, 3, 64, 64, device="meta"), (nn.Conv2d, nn.Linear)) == [
        (64, 64, 64), (64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4), (128,), (16,), (1,),
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "last"), [(16, 16), (32, 8), (64, 4), (128, 2), (256, 1)])
def test_satellite_halves_the_channels_with_each_doubling_at_every_size(size, last):
    settings = Satellite(width=4)
    assert settings.problems(ImageSpec(size=size, channels=1)) == []
    generator, discriminator = on_meta(settings, size, channels=1)
    maps = shapes_through(generator, torch.randn(2, 100, device="meta"), nn.BatchNorm2d)
    assert [channels * side for channels, side, _ in maps[:-1]] == [4 * 64] * (len(maps) - 1)
    assert maps[-1] == (last, size, size)
    assert discriminator(torch.randn(2, 1, size, size, device="meta")).shape == (2,)


def test_satellite_too_narrow_for_the_size_is_refused_with_the_least_width():
    (problem,) = Satellite(width=3).problems(ImageSpec(size=256, channels=3))
    assert problem == "networks.width: at 256 pixels the satellite networks need 4 or more"


def test_satellite_weights_are_xavier_uniform_and_biases_zero():
    torch.manual_seed(0)
    for network in Satellite(width=16).build(ImageSpec(size=64, channels=3)):
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
        for layer in layers:
            ends = layer.weight.shape[:2] if isinstance(layer, nn.Linear) else [25 * n for n in layer.weight.shape[:2]]
            bound = math.sqrt(6 / sum(ends))
            assert layer.weight.abs().max() <= bound
            if layer.weight.numel() > 4000:
                assert layer.weight.abs().max() > 0.99 * bound
                assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)
            assert layer.bias is None or layer.bias.count_nonzero() == 0
        assert sum(layer.bias is None for layer in layers) == (isinstance(layers[0], nn.Linear))


def test_satellite_norms_all_but_the_outermost_convolutions_without_scale_and_shift():
    generator, discriminator = on_meta(Satellite(width=1), 64)
    norms = [m for network in (generator, discriminator) for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 6 + 5
    assert not any(norm.affine for norm in norms)
    assert not isinstance(generator.layers[-1], nn.BatchNorm2d)
    for network, open_end in ((generator, generator.layers[-2]), (discriminator, discriminator.layers[0])):
        for layer, after in pairwise(network.layers):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                assert isinstance(after, nn.BatchNorm2d) is (layer is not open_end)


@pytest.mark.parametrize(("slope", "kind"), [(0.0, nn.ReLU), (0.2, nn.LeakyReLU)])
def test_satellite_generator_leaks_when_asked(slope, kind):
    generator = on_meta(Satellite(width=1, slope=slope), 64).generator
    leaky = [m for m in generator.modules() if isinstance(m, nn.ReLU | nn.LeakyReLU)]
    assert len(leaky) == 6
    assert all(isinstance(m, kind) and getattr(m, "negative_slope", 0) == slope for m in leaky)


# Faces


GENERATOR = [  # weight in, weight out, filter, then channels and side of the maps, bias
    (100, 1024, 4, 1024, 4, False),
    (1024, 512, 5, 512, 8, False),
    (512, 256, 5, 256, 16, False),
    (256, 128, 5, 128, 32, False),
    (128, 64, 5, 64, 64, False),
    (64, 32, 5, 32, 128, False),
    (32, 3, 5, 3, 256, True),
]
DISCRIMINATOR = [
    (3, 32, 3, 32, 128, False),
    (32, 64, 3, 64, 64, False),
    (64, 128, 3, 128, 32, False),
    (128, 256, 3, 256, 16, False),
    (256, 512, 3, 512, 8, False),
    (512, 1024, 3, 1024, 4, False),
    (1024, 1, 4, 1, 1, True),
]


def faces_table(network, given):
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    maps = shapes_through(network, given, (nn.Conv2d, nn.ConvTranspose2d))
    return [
        (layer.in_channels, layer.out_channels, layer.kernel_size[0], *shape[:2], layer.bias is not None)
        for layer, shape in zip(layers, maps, strict=True)
    ]


def test_faces_256_is_the_table_layer_by_layer():
    generator, discriminator = on_meta(Faces256(), 256)
    assert faces_table(generator, torch.randn(2, 100, device="meta")) == GENERATOR
    assert faces_table(discriminator, torch.randn(2, 3, 256, 256, device="meta")) == DISCRIMINATOR


def test_faces_256_has_the_parameters_of_the_table():
    generator, discriminator = on_meta(Faces256(), 256)
    filters = [a * b * k * k for a, b, k, *_ in GENERATOR]
    assert filters == [1_638_400, 13_107_200, 3_276_800, 819_200, 204_800, 51_200, 2_400]
    norms = 2 * (1024 + 512 + 256 + 128 + 64 + 32)
    assert count_parameters(generator) == sum(filters) + norms + 3 == 19_104_035
    filters = [a * b * k * k for a, b, k, *_ in DISCRIMINATOR]
    assert filters == [864, 18_432, 73_728, 294_912, 1_179_648, 4_718_592, 16_384]
    norms = 2 * (64 + 128 + 256 + 512 + 1024)
    assert count_parameters(discriminator) == sum(filters) + norms + 1 == 6_306_529


@pytest.mark.parametrize(("size", "dropped"), [(128, 1), (64, 2)])
def test_faces_of_smaller_sizes_lack_the_layers_next_to_the_image(size, dropped):
    generator, discriminator = on_meta(Faces256(), size)
    rows = faces_table(generator, torch.randn(2, 100, device="meta"))
    assert rows[:-1] == GENERATOR[: -1 - dropped]
    assert rows[-1] == (GENERATOR[-1 - dropped][0], 3, 5, 3, size, True)
    rows = faces_table(discriminator, torch.randn(2, 3, size, size, device="meta"))
    assert rows[1:] == DISCRIMINATOR[1 + dropped :]
    assert rows[0] == (3, *DISCRIMINATOR[dropped][1:3], *DISCRIMINATOR[dropped][3:])


def test_faces_activations_norms_and_weights_are_those_of_the_table():
    torch.manual_seed(0)
    generator, discriminator = Faces256(width=4).build(ImageSpec(size=64, channels=3))
    names = [type(m).__name__ for m in generator.layers]
    assert names == ["ConvTranspose2d", *["BatchNorm2d", "ReLU", "ConvTranspose2d"] * 4, "Tanh"]
    names = [type(m).__name__ for m in discriminator.layers]
    assert names == ["Conv2d", "LeakyReLU", *["Conv2d", "BatchNorm2d", "LeakyReLU"] * 3]
    for layer in (generator.layers[3], discriminator.layers[5]):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_faces_weights_have_the_standard_deviation_asked_for():
    torch.manual_seed(0)
    for network in Faces256(width=4, std=math.sqrt(0.02)).build(ImageSpec(size=64, channels=3)):
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        layer = max(layers, key=lambda layer: layer.weight.numel())
        assert layer.weight.var().item() == pytest.approx(0.02, rel=0.1)


# Upsample


@pytest.mark.parametrize("size", [16, 17, 28, 31, 48, 64, 100, 255, 256])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_upsample_fits_any_size(size, mode):
    settings = Upsample(width=2, max_width=8, mode=mode)
    assert settings.problems(ImageSpec(size=size, channels=1)) == []
    generator, discriminator = on_meta(settings, size, channels=1)
    images = generator(torch.randn(2, 100, device="meta"))
    assert images.shape == (2, 1, size, size)
    assert discriminator(images).shape == (2,)


def test_upsample_blocks_are_in_the_stated_order():
    generator, discriminator = built("upsample")
    names = [type(m).__name__ for m in generator.layers]
    block = ["BatchNorm2d", "Upsample", "Conv2d", "ReLU"]
    assert names == ["Linear", "Unflatten", *block * 2, *block[:3], "Tanh"]
    names = [type(m).__name__ for m in discriminator.layers]
    block = ["Conv2d", "LeakyReLU", "Dropout2d", "BatchNorm2d"]
    assert names == [*block[:3], *block * 2]
    convolutions = [m for m in generator.modules() if isinstance(m, nn.Conv2d)]
    assert {(m.kernel_size, m.stride, m.padding) for m in convolutions} == {((3, 3), (1, 1), (1, 1))}
    assert {m.stride for m in discriminator.modules() if isinstance(m, nn.Conv2d)} == {(2, 2)}


@pytest.mark.parametrize(("size", "doublings"), [(16, 2), (32, 3), (64, 4), (100, 4), (256, 6)])
def test_upsample_has_as_many_blocks_as_the_size_asks_for(size, doublings):
    generator, discriminator = on_meta(Upsample(), size)
    assert sum(isinstance(m, nn.Upsample) for m in generator.modules()) == doublings
    assert sum(isinstance(m, nn.Conv2d) for m in discriminator.modules()) == doublings


@pytest.mark.parametrize("size", [16, 31, 64])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_upsample_takes_any_number_of_blocks_that_the_size_has_room_for_and_any_kernel(size, kernel):
    most = int(math.log2(size))
    for blocks in range(1, most + 1):
        settings = Upsample(width=2, max_width=8, kernel=kernel, generator_blocks=blocks, discriminator_blocks=blocks)
        assert settings.problems(ImageSpec(size=size, channels=3)) == []
        generator, discriminator = settings.build(ImageSpec(size=size, channels=3))
        images = generator(torch.randn(2, 100))
        assert images.shape == (2, 3, size, size)
        logits, features = discriminator(images, with_features=True)
        assert logits.shape == (2,)
        assert features.shape[-1] == math.ceil(size / 2**blocks)
        assert generator.layers[1].unflattened_size[-1] == size // 2**blocks
        for network in (generator, discriminator):
            convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
            assert [m.kernel_size for m in convolutions] == [(kernel, kernel)] * blocks


def test_upsample_depths_of_the_two_nets_are_chosen_apart():
    generator, discriminator = on_meta(Upsample(generator_blocks=2, discriminator_blocks=5), 64)
    assert sum(isinstance(m, nn.Upsample) for m in generator.modules()) == 2
    assert sum(isinstance(m, nn.Conv2d) for m in discriminator.modules()) == 5


@pytest.mark.parametrize(("size", "most"), [(16, 4), (31, 4), (32, 5), (256, 8)])
@pytest.mark.parametrize("name", ["generator_blocks", "discriminator_blocks"])
def test_upsample_refuses_more_blocks_than_the_size_has_room_for(size, most, name):
    spec = ImageSpec(size=size, channels=3)
    assert Upsample(**{name: most}).problems(spec) == []
    (problem,) = Upsample(**{name: most + 1}).problems(spec)
    assert problem.startswith(f"networks.{name}: {size} pixels have room for 1 to {most} blocks")
    assert problem.endswith(f"not {most + 1}; choose {most} or fewer")


def test_upsample_has_the_parameters_counted_by_hand():
    generator, discriminator = on_meta(Upsample(width=64), 64)
    dense = 100 * 512 * 16 + 512 * 16
    convolutions = 9 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 256 + 128 + 64 + 3
    assert count_parameters(generator) == dense + convolutions + 2 * (512 + 256 + 128 + 64)
    convolutions = 9 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 64 + 128 + 256 + 512
    assert count_parameters(discriminator) == convolutions + 2 * (128 + 256 + 512) + 512 * 16 + 1


def test_upsample_weights_are_drawn_from_the_stated_normal():
    torch.manual_seed(0)
    for network in Upsample(width=16).build(ImageSpec(size=64, channels=3)):
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear) and m.weight.numel() > 10_000]
        assert layers
        for layer in layers:
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert layer.bias.count_nonzero() == 0


def test_upsample_repeats_pixels_or_blends_them():
    pixels = torch.arange(16.0).view(1, 1, 4, 4)
    for mode, alike in (("nearest", True), ("bilinear", False)):
        layers = Upsample(width=2, mode=mode).build(ImageSpec(size=16, channels=1)).generator.layers
        (enlarge, _) = [m for m in layers if isinstance(m, nn.Upsample)]
        large = enlarge(pixels)
        assert torch.equal(large, pixels.repeat_interleave(2, 2).repeat_interleave(2, 3)) is alike
        assert large.mean() == pytest.approx(7.5)


def test_upsample_drops_maps_in_training_only():
    images = torch.randn(8, 3, 32, 32)
    for dropout, steady in ((0.0, True), (0.5, False)):
        discriminator = Upsample(width=8, dropout=dropout).build(ImageSpec(size=32, channels=3)).discriminator
        assert torch.equal(discriminator(images), discriminator(images)) is steady
        discriminator.eval()
        assert torch.equal(discriminator(images), discriminator(images))
