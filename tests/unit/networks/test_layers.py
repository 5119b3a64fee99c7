"""Layers and initialisations against plain loops, hand values and singular values."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import nn
from torch.nn.functional import conv2d

from steadygan.networks import DCGAN
from steadygan.ops.init import dcgan_init_, he_init_, orthogonal_init_, xavier_init_
from steadygan.ops.layers import (
    LatentConv2d,
    MinibatchDiscriminationLayer,
    MinibatchStddevLayer,
    NearestConv2d,
    PixelNormLayer,
    SubpixelConv2d,
    padding_of,
    spectrally_normalise_,
)
from steadygan.ops.virtual_batch_norm import FirstReference, FixedReference, VirtualBatchNorm2d
from steadygan.spec import ImageSpec

INITS = [dcgan_init_, he_init_, xavier_init_, orthogonal_init_]


def close(actual, expected, **tolerance):
    torch.testing.assert_close(actual, torch.as_tensor(expected, dtype=actual.dtype), **tolerance)


# Padding


@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("small", [4, 5, 8, 15])
def test_one_padding_leads_from_the_large_side_to_the_small_one_and_back(kernel, extra, small):
    large = 2 * small + extra
    padding, output = padding_of(kernel, small, large)
    down = nn.Conv2d(1, 1, kernel, 2, padding, device="meta")
    up = nn.ConvTranspose2d(1, 1, kernel, 2, padding, output, device="meta")
    assert down(torch.empty(1, 1, large, large, device="meta")).shape[2:] == (small, small)
    assert up(torch.empty(1, 1, small, small, device="meta")).shape[2:] == (large, large)


# Pixel norm and the views on a minibatch


def test_pixel_norm_divides_by_the_root_mean_square_over_channels():
    maps = torch.tensor([[3.0, 4.0], [0.0, 2.0]])[:, :, None, None]
    expected = torch.tensor([[3 / math.sqrt(12.5), 4 / math.sqrt(12.5)], [0.0, math.sqrt(2)]])
    close(PixelNormLayer()(maps)[:, :, 0, 0], expected)


def test_pixel_norm_leaves_zero_at_zero_and_keeps_bfloat16():
    normed = PixelNormLayer()(torch.zeros(1, 4, 2, 2, dtype=torch.bfloat16))
    assert normed.dtype == torch.bfloat16
    assert normed.abs().max() == 0


def similarities(features, weight, kernels, dims):
    """Salimans et al. (2016), section 3.2, one number at a time."""
    rows = torch.einsum("na,abc->nbc", features.flatten(1), weight.T.reshape(-1, kernels, dims))
    near = [
        [sum(math.exp(-(mine[b] - other[b]).abs().sum().item()) for other in rows) for b in range(kernels)]
        for mine in rows
    ]
    return torch.tensor(near)


def test_minibatch_discrimination_is_the_double_loop_of_the_paper():
    layer = MinibatchDiscriminationLayer(width=2, side=3, kernels=4, dims=5)
    features = torch.randn(6, 2, 3, 3)
    out = layer(features)
    assert out.shape == (6, 2 + 4, 3, 3)
    assert torch.equal(out[:, :2], features)
    expected = similarities(features, layer.project.weight.detach(), 4, 5)
    assert expected.min() < 1.5 < expected.max()  # neither all alike nor all far apart
    close(out[:, 2:], expected[:, :, None, None].expand(-1, -1, 3, 3))


def test_minibatch_discrimination_of_copies_counts_them_and_of_one_image_is_one():
    layer = MinibatchDiscriminationLayer(width=2, side=2, kernels=3, dims=2)
    close(layer(torch.randn(1, 2, 2, 2).expand(5, -1, -1, -1))[:, 2:], torch.full((5, 3, 2, 2), 5.0))
    close(layer(torch.randn(1, 2, 2, 2))[:, 2:], torch.ones(1, 3, 2, 2))


def test_minibatch_discrimination_sees_under_bfloat16_what_it_sees_under_float32():
    layer = MinibatchDiscriminationLayer(width=2, side=2, kernels=3, dims=2)
    nearly = 100 + 0.05 * torch.randn(4, 2, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = layer(nearly)
    assert torch.equal(rounded, layer(nearly))


def test_minibatch_stddev_by_hand():
    # two features; deviations over the pairs (0, 2), (4, 4) and (1, 5), (0, 0): 1, 0 and 2, 0
    features = torch.tensor([[0.0, 4.0], [2.0, 4.0], [1.0, 0.0], [5.0, 0.0]])[:, :, None, None]
    out = MinibatchStddevLayer(group=2)(features)
    assert torch.equal(out[:, :2], features)
    close(out[:, 2, 0, 0], [0.5, 0.5, 1.0, 1.0], atol=1e-4, rtol=0)


def test_minibatch_stddev_averages_over_features_and_places():
    features = torch.randn(4, 3, 5, 5)
    expected = features.var(0, correction=0).sqrt().mean().expand(4, 5, 5)
    close(MinibatchStddevLayer(group=4)(features)[:, 3], expected)


def test_minibatch_stddev_of_an_uneven_batch_lets_the_first_images_join_the_last_group():
    features = torch.tensor([0.0, 1.0, 2.0, 3.0, 10.0])[:, None, None, None]
    values = MinibatchStddevLayer(group=2)(features)[:, 1, 0, 0]
    close(values, [0.5, 0.5, 0.5, 0.5, 5.0])


def test_minibatch_stddev_of_fewer_images_than_a_group_takes_them_all():
    close(MinibatchStddevLayer(group=4)(torch.tensor([1.0, 3.0])[:, None, None, None])[:, 1, 0, 0], [1.0, 1.0])
    close(MinibatchStddevLayer(group=4)(torch.randn(1, 2, 3, 3))[:, 2].mean(), 0.0, atol=2e-4, rtol=0)


def test_minibatch_stddev_of_equal_images_has_a_gradient_of_zero_and_not_nan():
    features = torch.ones(4, 2, 3, 3, requires_grad=True)
    MinibatchStddevLayer()(features)[:, 2].sum().backward()
    assert features.grad.abs().max() == 0


# Virtual batch norm


def virtually_normalised(reference, image, weight, bias):
    """One image, the statistics of the reference and itself together, one channel at a time."""
    together = torch.cat([reference, image[None]])
    channels = [
        (image[c] - together[:, c].mean()) / (together[:, c].var(correction=0) + 1e-5).sqrt() * weight[c] + bias[c]
        for c in range(len(image))
    ]
    return torch.stack(channels)


def test_virtual_batch_norm_is_the_plain_loop():
    norm = VirtualBatchNorm2d(3, reference=4)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    reference, images = 3 + 2 * torch.randn(4, 3, 5, 5), -1 + 0.5 * torch.randn(6, 3, 5, 5)
    out = norm(torch.cat([reference, images]))
    weight, bias = norm.weight.detach(), norm.bias.detach()
    expected = torch.stack([virtually_normalised(reference, image, weight, bias) for image in images])
    close(out[4:], expected, atol=1e-5, rtol=1e-4)
    plain = nn.functional.batch_norm(reference, None, None, weight, bias, training=True)
    close(out[:4], plain, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_behind_a_reference_an_image_does_not_depend_on_the_rest_of_its_batch(training):
    layers = nn.Sequential(nn.Conv2d(2, 3, 3), VirtualBatchNorm2d(3, reference=4), nn.ReLU(), nn.Conv2d(3, 1, 3))
    behind = FirstReference(layers, (4, 2, 8, 8))
    behind(torch.randn(5, 2, 8, 8))
    behind.train(training)
    image, others = torch.randn(1, 2, 8, 8), 9 + torch.randn(7, 2, 8, 8)
    close(behind(torch.cat([image, others]))[:1], behind(image), atol=1e-5, rtol=1e-4)


def test_the_reference_is_the_first_batch_seen_in_training_and_stays():
    behind = FirstReference(nn.Identity(), (4, 2, 3, 3)).eval()
    first = torch.randn(6, 2, 3, 3)
    assert torch.equal(behind(first), first)
    assert behind.known == 0
    behind.train()
    for batch in (first, torch.randn(6, 2, 3, 3)):
        assert torch.equal(behind(batch), batch)
        assert torch.equal(behind.batch, first[:4])


def test_a_first_batch_smaller_than_the_reference_is_repeated():
    behind, first = FirstReference(nn.Identity(), (5, 1, 1, 1)), torch.randn(2, 1, 1, 1)
    behind(first)
    assert torch.equal(behind.batch, torch.cat([first, first, first[:1]]))


def test_a_reference_travels_in_the_state_and_in_copies():
    norm = VirtualBatchNorm2d(2, reference=3)
    behind, images = FirstReference(norm, (3, 2, 4, 4)), torch.randn(4, 2, 4, 4)
    expected = behind(images + 1).detach()
    loaded = FirstReference(VirtualBatchNorm2d(2, reference=3), (3, 2, 4, 4))
    loaded.load_state_dict(from_bytes(to_bytes(behind.state_dict())))
    for other in (loaded, copy.deepcopy(behind)):
        close(other(images + 1), expected)
        close(other.eval()(images), behind(images))


def test_a_batch_after_the_first_leaves_its_graph_whole():
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), VirtualBatchNorm2d(2, reference=3))
    behind = FirstReference(layers, (3, 1, 4, 4))
    total = sum(behind(torch.randn(4, 1, 4, 4)).square().sum() for _ in range(3))
    total.backward()
    assert all(p.grad is not None for p in layers[1].parameters())


def test_gradients_reach_weights_through_the_reference_but_not_through_its_images():
    layers, images = nn.Conv2d(1, 1, 1, bias=False), torch.randn(2, 1, 2, 2, requires_grad=True)
    behind = FirstReference(nn.Sequential(layers, VirtualBatchNorm2d(1, reference=2)), (2, 1, 2, 2))
    weights = torch.linspace(-1, 1, 8).view(2, 1, 2, 2)
    (behind(images) * weights).sum().backward()
    manual = images.detach().requires_grad_()
    norm = VirtualBatchNorm2d(1, reference=2)
    (norm(layers(torch.cat([images.detach(), manual])))[2:] * weights).sum().backward()
    close(images.grad, manual.grad)


def test_fixed_latents_go_ahead_of_every_batch():
    seen = []
    layers = nn.Identity()
    layers.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    reference, latents = torch.randn(3, 2, 1, 1), torch.randn(5, 2, 1, 1)
    assert torch.equal(FixedReference(layers, reference)(latents), latents)
    assert torch.equal(seen[0], torch.cat([reference, latents]))


# Initialisations


def stack():
    """A layer of each sort."""
    return nn.ModuleList(
        [
            LatentConv2d(50, 32, 4),
            nn.ConvTranspose2d(32, 64, 4, 2, 1),
            nn.Conv2d(64, 32, 3, padding=1),
            SubpixelConv2d(32, 4 * 16, 3, padding=1),
            nn.Linear(100, 80),
        ]
    )


@pytest.mark.parametrize("init", INITS)
def test_every_initialisation_draws_all_weights_anew_and_zeroes_the_biases(init):
    network = stack()
    before = [p.clone() for p in network.parameters()]
    init(network)
    assert all(not torch.equal(p, was) for p, was in zip(network.parameters(), before, strict=True))
    assert all(layer.bias.abs().max() == 0 for layer in network)
    assert all(layer.weight.requires_grad and layer.weight.is_leaf for layer in network)


@pytest.mark.parametrize("init", INITS)
def test_a_subpixel_convolution_starts_as_nearest_upsampling_of_a_convolution(init):
    layer, maps = SubpixelConv2d(3, 4 * 5, 3, padding=1), torch.randn(2, 3, 6, 6)
    init(layer)
    one_of_four = layer.weight.detach()[::4]
    assert one_of_four.std() > 0
    expected = conv2d(maps, one_of_four, padding=1).repeat_interleave(2, 2).repeat_interleave(2, 3)
    close(nn.PixelShuffle(2)(layer(maps)), expected, atol=1e-6, rtol=1e-5)


def test_normal_weights_have_the_std_asked_for_and_so_have_batch_norm_scales_around_one():
    network = nn.ModuleList([nn.Conv2d(64, 64, 4), nn.BatchNorm2d(4000)])
    dcgan_init_(network, 0.05)
    close(network[0].weight.std(), 0.05, atol=1e-3, rtol=0)
    close(network[1].weight.std(), 0.05, atol=3e-3, rtol=0)
    close(network[1].weight.mean(), 1.0, atol=3e-3, rtol=0)


def test_xavier_weights_fill_the_interval_of_glorot_and_bengio():
    network = nn.ModuleList([nn.Linear(300, 200), nn.Conv2d(40, 30, 3)])
    xavier_init_(network)
    for layer, fans in zip(network, (300 + 200, 9 * (40 + 30)), strict=True):
        bound = math.sqrt(6 / fans)
        assert 0.995 * bound < layer.weight.abs().max() <= bound
        close(layer.weight.std(), bound / math.sqrt(3), rtol=0.02, atol=0)


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_he_weights_keep_the_second_moment_through_a_leaky_relu_and_a_layer(slope):
    """E[y²] = 2 / (1 + slope²) E[leaky(x)²] for E[y²] = E[x²] and x symmetric: He et al. (2015), section 2.2."""
    layers = [
        (nn.Linear(400, 400), (2000, 400)),
        (nn.Conv2d(64, 64, 3, padding=1, padding_mode="circular"), (8, 64, 16, 16)),
        (nn.ConvTranspose2d(64, 64, 4, 2, 3), (8, 64, 16, 16)),
        (nn.ConvTranspose2d(64, 64, 5, 2, 4, 1), (8, 64, 16, 16)),
        (LatentConv2d(64, 64, 4), (500, 64, 1, 1)),
    ]
    for layer, shape in layers:
        he_init_(layer, slope)
        signs = torch.randint(2, shape) * 2 - 1  # of mean 0, or the mean's own path through few channels adds noise
        out = layer(nn.functional.leaky_relu(torch.randn(shape), slope) * signs)
        close(out.detach().square().mean(), 1.0, rtol=0.03, atol=0)


@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_orthogonal_weights_are_orthogonal_matrices_times_the_gain(gain):
    network = nn.ModuleList([nn.Linear(40, 20), nn.Linear(20, 40), nn.Conv2d(4, 16, 3), nn.ConvTranspose2d(8, 3, 4)])
    orthogonal_init_(network, gain)
    for layer in network:
        W = layer.weight.detach().flatten(1)
        product = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
        close(product, gain**2 * torch.eye(len(product)), atol=1e-5, rtol=0)


# Spectral norm


def largest_singular_value(layer):
    """Of the weight as a matrix with one row per output channel."""
    weight = layer.weight.detach()
    weight = weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight
    return torch.linalg.matrix_norm(weight.flatten(1), 2)


def normalised_pair():
    network = nn.Sequential(nn.Conv2d(2, 6, 3), nn.LeakyReLU(0.2), nn.ConvTranspose2d(6, 3, 4), nn.Flatten())
    network.append(nn.Linear(3 * 81, 1))
    spectrally_normalise_(network)
    return network, torch.randn(4, 2, 8, 8)


def test_spectral_norm_brings_every_layer_to_a_largest_singular_value_of_one():
    network, images = normalised_pair()
    for _ in range(30):
        network(images)
    network.eval()
    layers = [layer for layer in network if hasattr(layer, "weight")]
    assert len(layers) == 3
    for layer in layers:
        close(largest_singular_value(layer), 1.0, rtol=1e-3, atol=0)


def test_weights_without_numbers_have_the_names_and_shapes_of_others():
    with torch.device("meta"):
        empty, _ = normalised_pair()
    network, _ = normalised_pair()
    forms = [[(name, value.shape, value.dtype) for name, value in one.state_dict().items()] for one in (empty, network)]
    assert forms[0] == forms[1]


def test_spectral_norm_allows_two_passes_before_one_backward_and_a_second_derivative():
    network, images = normalised_pair()
    images.requires_grad_()
    total = network(images).sum() - network(images.flip(0) ** 2).sum()
    (gradient,) = torch.autograd.grad(total, images, create_graph=True)
    (total + gradient.square().sum()).backward()
    for layer in (network[0], network[2], network[4]):
        grad = layer.parametrizations.weight.original.grad
        assert grad.isfinite().all()
        assert grad.abs().max() > 0


def test_the_gradient_penalty_of_a_spectrally_normalised_network_has_the_gradient_of_finite_differences():
    network, images = normalised_pair()
    network.double().eval()
    images = images.double().requires_grad_()
    weight = network[0].parametrizations.weight.original

    def penalty():
        (gradient,) = torch.autograd.grad(network(images).sum(), images, create_graph=True)
        return gradient.square().sum()

    penalty().backward()
    direction, step = torch.randn_like(weight), 1e-6
    with torch.no_grad():
        weight.add_(step * direction)
    above = penalty().item()
    with torch.no_grad():
        weight.sub_(2 * step * direction)
    slope = (above - penalty().item()) / (2 * step)
    assert slope == pytest.approx((weight.grad * direction).sum().item(), rel=1e-4)


def test_spectral_norm_travels_in_the_state_and_in_copies():
    network, images = normalised_pair()
    network(images)
    loaded, _ = normalised_pair()
    loaded.load_state_dict(from_bytes(to_bytes(network.state_dict())))
    twin = copy.deepcopy(network)
    for _ in range(2):  # the second pass also looks at the vectors of the power iteration
        expected = network(images)
        assert torch.equal(loaded(images), expected)
        assert torch.equal(twin(images), expected)


def test_a_copy_of_a_spectrally_normalised_network_is_a_network_of_its_own():
    network, images = normalised_pair()
    before = network.eval()(images)
    twin = copy.deepcopy(network).train()
    for parameter in twin.parameters():
        nn.init.normal_(parameter)
    twin(images)
    assert torch.equal(network(images), before)


@pytest.mark.parametrize(("inside", "outside", "side"), [(3, 2, 5), (1, 4, 8), (2, 3, 1)])
def test_nearest_upsampling_and_its_convolution_in_one_are_the_two_one_after_the_other(inside, outside, side):
    torch.manual_seed(0)
    layer = NearestConv2d(inside, outside, 3, padding=1).double()
    maps = torch.randn(2, inside, side, side, dtype=torch.float64, requires_grad=True)
    apart = nn.functional.conv2d(nn.functional.interpolate(maps, scale_factor=2), layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(maps), apart)
    ours, theirs = (
        torch.autograd.grad(made.square().sum(), [maps, *layer.parameters()]) for made in (layer(maps), apart)
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_dcgan_takes_it_where_it_pays():
    generator = DCGAN(width=4, upsampling={"kind": "nearest"}).build(ImageSpec(size=64, channels=3)).generator
    assert sum(isinstance(module, NearestConv2d) for module in generator.modules()) == 3  # not from 4 to 8
