from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize, softplus

from steadygan.networks.base import count_parameters
from steadygan.networks.msg import MSG, ScaledConv2d
from steadygan.ops.layers import MinibatchStddevLayer, PixelNormLayer
from steadygan.ops.pyramid import pack, pyramid, unpack
from steadygan.spec import ImageSpec

SETTINGS = MSG(latent_dim=8, width=4, max_width=8)


def built(size=16, channels=3):
    torch.manual_seed(0)
    return SETTINGS.build(ImageSpec(size=size, channels=channels))


# The pyramid


def test_an_atlas_holds_the_image_at_the_left_and_the_scales_one_below_the_other():
    full, half, quarter = torch.full((1, 1, 16, 16), 1.0), torch.full((1, 1, 8, 8), 2.0), torch.full((1, 1, 4, 4), 3.0)
    expected = torch.zeros(16, 24)
    expected[:, :16] = 1
    expected[:8, 16:] = 2
    expected[8:12, 16:20] = 3
    assert torch.equal(pack([full, half, quarter])[0, 0], expected)


@pytest.mark.parametrize("size", [4, 8, 16, 64])
def test_what_was_packed_comes_out_exactly(size):
    levels = pyramid(torch.randn(2, 3, size, size))
    atlas = pack(levels)
    assert atlas.shape == (2, 3, size, size + size // 2)
    for expected, level in zip(levels, unpack(atlas), strict=True):
        assert torch.equal(level, expected)
    sums = sum(level.sum() for level in levels)
    torch.testing.assert_close(atlas.sum(), sums)


def test_each_scale_is_the_mean_of_its_pixels():
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    full, half, quarter = pyramid(images)
    assert full is images
    torch.testing.assert_close(half, images.view(2, 3, 8, 2, 8, 2).mean((3, 5)))
    torch.testing.assert_close(quarter, images.view(2, 3, 4, 4, 4, 4).mean((3, 5)))
    assert [level.shape[-1] for level in pyramid(images, smallest=8)] == [16, 8]


def test_gradients_of_both_orders_flow_through_the_atlas():
    levels = [torch.randn(1, 1, side, side, dtype=torch.float64, requires_grad=True) for side in (8, 4)]

    def there_and_back(*levels):
        return tuple(level**2 for level in unpack(pack(levels) ** 2))

    assert torch.autograd.gradcheck(there_and_back, levels)
    assert torch.autograd.gradgradcheck(there_and_back, levels)


# The parts


def test_pixel_norm_gives_each_pixel_unit_mean_square():
    maps = 7 * torch.randn(2, 5, 3, 3)
    normed = PixelNormLayer()(maps)
    torch.testing.assert_close(normed.square().mean(1), torch.ones(2, 3, 3))
    torch.testing.assert_close(normalize(normed, dim=1), normalize(maps, dim=1))


def test_batch_spread_appends_the_mean_standard_deviation():
    maps = torch.randn(6, 5, 4, 4)
    more = MinibatchStddevLayer(group=None)(maps)
    assert torch.equal(more[:, :5], maps)
    expected = maps.numpy().std(axis=0).mean()
    torch.testing.assert_close(more[:, 5], torch.full((6, 4, 4), float(expected)))
    assert MinibatchStddevLayer(group=None)(maps[:1])[:, 5].max() < 1e-3


def test_the_gradient_of_the_spread_is_that_of_the_standard_deviation():
    maps = torch.randn(6, 5, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(MinibatchStddevLayer(group=None)(maps)[0, 5, 0, 0], maps)
    expected = (maps - maps.mean(0)) / maps.std(0, correction=0) / 6 / (5 * 4 * 4)
    torch.testing.assert_close(gradient, expected)


def test_scaled_convolutions_keep_the_variance_and_learn_from_weights_of_unit_size():
    torch.manual_seed(0)
    layer = ScaledConv2d(64, 64, 3, gain=1)
    assert layer.weight.std().item() == pytest.approx(1, rel=0.02)
    assert layer(torch.randn(4, 64, 18, 18)).std().item() == pytest.approx(1, rel=0.05)
    with torch.no_grad():
        layer.weight.fill_(1)
    torch.testing.assert_close(layer(torch.ones(1, 64, 3, 3)), torch.full((1, 64, 1, 1), (64 * 9) ** 0.5))


def test_the_first_maps_have_the_variance_of_the_latent():
    torch.manual_seed(0)
    generator = MSG(latent_dim=64, width=64).build(ImageSpec(size=16, channels=3)).generator
    norm, first = generator.blocks[0][:2]
    maps = first(norm(torch.randn(32, 64, 1, 1)))
    assert maps.shape == (32, 256, 4, 4)
    # gain sqrt(2), for the leaky ReLU that follows
    assert maps.square().mean().item() == pytest.approx(2, rel=0.05)


# The pair


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_training_shows_all_scales_and_evaluation_the_image(size, channels):
    generator, discriminator = built(size, channels)
    latent = torch.randn(3, 8)
    atlas = generator(latent)
    assert atlas.shape == (3, channels, size, size + size // 2)
    assert discriminator(atlas).shape == (3,)
    images = generator.eval()(latent)
    assert images.shape == (3, channels, size, size)
    torch.testing.assert_close(images, atlas[..., :size])
    assert discriminator(images).shape == (3,)


def test_every_scale_of_the_generator_is_an_image_of_its_own():
    levels = unpack(built(32).generator(torch.randn(2, 8)))
    assert [level.shape[-1] for level in levels] == [32, 16, 8, 4]
    for level, mean in zip(levels, pyramid(levels[0]), strict=True):
        assert level is levels[0] or not torch.allclose(level, mean)


def test_plain_images_are_judged_as_their_own_atlas():
    generator, discriminator = built(32)
    real = torch.randn(4, 3, 32, 32)
    atlas = generator.as_training_images(real)
    assert atlas.shape == (4, 3, 32, 48)
    assert torch.equal(atlas[..., :32], real)
    torch.testing.assert_close(discriminator(real), discriminator(atlas))
    other = atlas.clone()
    other[..., :16, 32:] += 1
    assert not torch.allclose(discriminator(other), discriminator(atlas))


def test_features_come_with_the_same_logits():
    discriminator = built(32).discriminator
    atlas = torch.randn(4, 3, 32, 48)
    logits, features = discriminator(atlas, with_features=True)
    assert torch.equal(logits, discriminator(atlas))
    torch.testing.assert_close(discriminator.head(features).flatten(), logits)
    assert features.shape == (4, 8, 1, 1)


def test_the_gradient_reaches_every_image_of_the_generator_directly():
    generator, discriminator = built(32)
    generator.requires_grad_(False)
    generator.to_rgb.requires_grad_(True)
    discriminator(generator(torch.randn(4, 8))).sum().backward()
    assert len(generator.to_rgb) == 4
    for layer in generator.to_rgb:
        assert layer.weight.grad.abs().max() > 0
        assert layer.bias.grad.abs().min() > 0


def test_the_discriminator_looks_at_every_scale_and_at_nothing_between_them():
    discriminator = built(16).discriminator
    atlas = torch.randn(4, 3, 16, 24, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(atlas).sum(), atlas)
    assert all(level.abs().max() > 0 for level in unpack(gradient))
    assert gradient[..., 8:, 20:].abs().max() == 0
    assert gradient[..., 12:, 16:].abs().max() == 0


def test_the_gradient_of_r1_on_the_atlas_agrees_with_finite_differences():
    discriminator = built(16).discriminator.double()
    atlas = torch.randn(3, 3, 16, 24, dtype=torch.float64, requires_grad=True)

    def r1():
        (gradient,) = torch.autograd.grad(discriminator(atlas).sum(), atlas, create_graph=True)
        return gradient.square().sum((1, 2, 3)).mean()

    torch.manual_seed(1)
    direction = [torch.randn_like(p) for p in discriminator.parameters()]
    gradients = torch.autograd.grad(r1(), list(discriminator.parameters()), allow_unused=True)
    slope = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True) if g is not None)

    def moved(step):
        with torch.no_grad():
            for p, d in zip(discriminator.parameters(), direction, strict=True):
                p.add_(d, alpha=step)
        return r1().detach()

    h = 1e-6  # more would flip a leaky unit, less would meet the rounding of the spread, which is float32
    difference = (moved(h) - moved(-2 * h)) / (2 * h)
    torch.testing.assert_close(slope, difference, rtol=1e-3, atol=0)
    assert slope.abs() > 1e-3


@pytest.mark.parametrize("autocast", [False, True])
def test_a_step_of_each_player_moves_every_weight_and_leaves_it_finite(autocast):
    generator, discriminator = built(32)
    real, latent = generator.as_training_images(torch.rand(4, 3, 32, 32) * 2 - 1), torch.randn(4, 8)
    for player, sign in ((discriminator, 1), (generator, -1)):
        before = copy.deepcopy(player.state_dict())
        optimizer = torch.optim.Adam(player.parameters(), 1e-3)
        leaf = real.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = discriminator(leaf)
            loss = (softplus(-logits) + softplus(sign * discriminator(generator(latent)))).mean()
            (gradient,) = torch.autograd.grad(logits.sum(), leaf, create_graph=True)
        (loss + gradient.float().square().sum() / 2).backward()
        optimizer.step()
        for name, weight in player.named_parameters():
            assert torch.isfinite(weight).all(), name
            assert not torch.equal(weight, before[name]), name


def test_a_batch_of_one_leaves_the_gradients_finite():
    discriminator = built(16).discriminator
    atlas = torch.randn(1, 3, 16, 24, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(atlas).sum(), atlas, create_graph=True)
    gradient.square().sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in discriminator.parameters())


def test_tanh_holds_every_scale_in_range_when_asked():
    for tanh in (True, False):
        generator = SETTINGS.model_copy(update={"tanh": tanh}).build(ImageSpec(size=16, channels=3)).generator
        with torch.no_grad():
            for layer in generator.to_rgb:
                layer.bias.fill_(3)
        latent = torch.randn(2, 8)
        assert (generator(latent).abs().max() <= 1) == tanh
        assert (generator.eval()(latent).abs().max() <= 1) == tanh


def test_copies_and_saved_states_answer_alike():
    pair, other = built(), SETTINGS.build(ImageSpec(size=16, channels=3))
    for network, stranger, given in zip(pair, other, (torch.randn(2, 8), torch.randn(2, 3, 16, 24)), strict=True):
        expected = network(given)
        assert torch.equal(copy.deepcopy(network)(given), expected)
        assert not torch.equal(stranger(given), expected)
        stranger.load_state_dict(network.state_dict())
        assert torch.equal(stranger(given), expected)


# Spectral norm


def effective_norms(network):
    """Largest singular value of what each layer multiplies by, as a matrix of its outputs by all else."""
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    return torch.stack([torch.linalg.svdvals((m.weight * m.scale).flatten(1))[0] for m in layers]).detach()


@pytest.mark.parametrize("who", ["none", "discriminator", "generator", "both"])
def test_spectral_norm_holds_every_layer_of_the_named_players_at_one(who):
    torch.manual_seed(0)
    settings = MSG(latent_dim=8, width=4, max_width=8, spectral_norm=who)
    pair = settings.build(ImageSpec(size=32, channels=3))
    for _ in range(60):  # power iterations, one for each pass in training
        pair.discriminator(pair.generator(torch.randn(4, 8)))
    for player, network in pair._asdict().items():
        norms = effective_norms(network)
        assert len(norms) == (12 if player == "generator" else 10)
        if who in (player, "both"):
            torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0.02, atol=0)
        else:
            assert (norms - 1).abs().min() > 0.01


def test_a_bounded_pair_keeps_its_bound_while_it_learns_and_answers_alike_when_copied():
    pair = MSG(latent_dim=8, width=4, max_width=8, spectral_norm="both").build(ImageSpec(size=16, channels=3))
    optimizer = torch.optim.Adam([p for network in pair for p in network.parameters()], 1e-3)
    before = [p.detach().clone() for network in pair for p in network.parameters()]
    for _ in range(20):
        optimizer.zero_grad()
        softplus(-pair.discriminator(pair.generator(torch.randn(4, 8)))).mean().backward()
        optimizer.step()
    assert not any(torch.equal(a, b) for a, b in zip(before, (p for n in pair for p in n.parameters()), strict=True))
    for network, given in zip(pair, (torch.randn(2, 8), torch.randn(2, 3, 16, 24)), strict=True):
        norms = effective_norms(network)
        torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0.05, atol=0)
        network.eval()
        assert torch.equal(copy.deepcopy(network)(given), network(given))


# As published


def test_the_generator_has_as_many_parameters_as_that_of_progressive_growing_at_1024():
    # all its images of all sides included, as that network has them: Karras et al. (2018), their own count
    with torch.device("meta"):
        generator, discriminator = MSG().build(ImageSpec(size=1024, channels=3))
    assert count_parameters(generator) == 23_079_115
    assert generator(torch.randn(2, 512, device="meta")).shape == (2, 3, 1024, 1536)
    assert discriminator(torch.randn(2, 3, 1024, 1536, device="meta")).shape == (2,)


def test_the_discriminator_adds_what_it_joins_to_that_of_progressive_growing_at_1024():
    with torch.device("meta"):
        discriminator = MSG().build(ImageSpec(size=1024, channels=3)).discriminator
    progressive = 23_087_249  # with a layer from the image at each of nine sides
    from_smaller_images = 4 * (32 + 64 + 128 + 256 + 512 * 4)  # of which eight are not needed here
    spread = 9 * (16 + 32 + 64 + 128 + 256 + 512 * 3)  # in every block, not in the last one only
    images = 3 * 9 * (32 + 64 + 128 + 256 + 512 * 4)
    assert count_parameters(discriminator) == progressive - from_smaller_images + spread + images


@pytest.mark.parametrize(("size", "width"), [(16, 512), (32, 512), (64, 256), (128, 128), (1024, 16)])
def test_the_width_next_to_the_image_follows_the_size(size, width):
    with torch.device("meta"):
        generator = MSG().build(ImageSpec(size=size, channels=3)).generator
    assert generator.to_rgb[-1].in_channels == width
    assert generator.to_rgb[0].in_channels == 512


def test_every_block_of_the_discriminator_looks_at_the_spread():
    discriminator = built(32).discriminator
    assert all(isinstance(block[0], MinibatchStddevLayer) for block in discriminator.blocks)
    assert {m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


@pytest.mark.parametrize("size", [8, 48, 2048])
def test_other_sizes_are_refused_with_those_that_work(size):
    (problem,) = MSG().problems(ImageSpec(size=size, channels=3))
    assert problem.startswith("size: the msg networks make images of 16, 32, 64, 128, 256, 512 or 1024 pixels, not ")
    assert MSG().problems(ImageSpec(size=1024, channels=1)) == []


def test_points_are_refused_with_what_to_do():
    (problem,) = MSG().problems(ImageSpec(size=1, channels=2))
    assert "--recipe ring" in problem
