from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from steadygan.networks.base import count_parameters
from steadygan.networks.resnet import SNGAN, DownBlock, UpBlock, discriminator_widths, generator_widths
from steadygan.ops.conditional import ConditionalBatchNorm, Projection
from steadygan.spec import ImageSpec

SMALL = SNGAN(width=2, latent_dim=6)
BOTH = [ImageSpec(size=16, channels=3), ImageSpec(size=16, channels=3, classes=5)]


def inputs(settings, spec, count=3):
    torch.manual_seed(1)
    labels = (torch.arange(count) % spec.classes,) if spec.classes else ()
    return torch.randn(count, settings.latent_dim), torch.randn(count, spec.channels, spec.size, spec.size), labels


# conditional layers


@pytest.mark.parametrize("training", [True, False])
def test_conditional_batch_norm_with_equal_rows_is_plain_batch_norm(training):
    torch.manual_seed(0)
    plain, conditional = nn.BatchNorm2d(4), ConditionalBatchNorm(3, 4)
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    with torch.no_grad():
        conditional.scale.weight.copy_(plain.weight)
        conditional.shift.weight.copy_(plain.bias)
    maps, labels = torch.randn(6, 4, 5, 5) * 3 + 1, torch.tensor([0, 1, 2, 0, 1, 2])
    for _ in range(2):
        plain(maps)
        conditional(maps, labels)
    plain.train(training)
    conditional.train(training)
    torch.testing.assert_close(conditional(maps, labels), plain(maps))


def test_conditional_batch_norm_starts_as_plain_batch_norm():
    maps = torch.randn(4, 3, 5, 5)
    torch.testing.assert_close(ConditionalBatchNorm(2, 3)(maps, torch.tensor([0, 1, 1, 0])), nn.BatchNorm2d(3)(maps))


def test_each_image_gets_the_row_of_its_label():
    layer = ConditionalBatchNorm(2, 1).eval()
    with torch.no_grad():
        layer.scale.weight.copy_(torch.tensor([[2.0], [-3.0]]))
        layer.shift.weight.copy_(torch.tensor([[0.5], [7.0]]))
        layer.norm.running_mean.fill_(1.0)
        layer.norm.running_var.fill_(4.0)
    result = layer(torch.full((2, 1, 1, 1), 5.0), torch.tensor([1, 0]))
    torch.testing.assert_close(result.flatten(), torch.tensor([-3.0 * 2 + 7, 2.0 * 2 + 0.5]), rtol=1e-4, atol=0)


def test_conditional_batch_norm_keeps_the_type_of_its_input_under_autocast():
    maps = torch.randn(2, 3, 4, 4, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        assert ConditionalBatchNorm(2, 3)(maps, torch.tensor([0, 1])).dtype == torch.bfloat16


def test_statistics_follow_when_only_the_batch_norms_are_set_to_train():
    generator = SMALL.build(BOTH[1]).generator.eval()
    latent, _, labels = inputs(SMALL, BOTH[1])
    norms = [module for module in generator.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert len(norms) == 2 * len(generator.blocks) + 1
    for norm in norms:
        norm.train()
    generator(latent, *labels)
    assert all(norm.num_batches_tracked == 1 and norm.running_mean.any() for norm in norms)


def test_projection_is_the_inner_product_with_the_row_of_the_label():
    layer = Projection(2, 3)
    with torch.no_grad():
        layer.embedding.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    result = layer(torch.tensor([[1.0, -1.0, 2.0], [1.0, -1.0, 2.0]]), torch.tensor([1, 0]))
    assert result.tolist() == [4 - 5 + 12, 1 - 2 + 6]


# the tables


@pytest.mark.parametrize(
    ("size", "generator", "discriminator"),
    [
        (32, [256, 256, 256, 256], [128, 128, 128, 128]),
        (48, [512, 256, 128, 64], [64, 128, 256, 512, 1024]),
        (128, [1024, 1024, 512, 256, 128, 64], [64, 128, 256, 512, 1024, 1024]),
    ],
)
def test_widths_are_those_of_the_tables(size, generator, discriminator):
    assert generator_widths(size, 64) == generator
    assert discriminator_widths(size, 64) == discriminator


@pytest.mark.parametrize(("size", "halvings", "side"), [(32, 2, 8), (48, 4, 3), (128, 5, 4)])
def test_discriminator_halves_as_in_the_tables_and_ends_with_plain_blocks(size, halvings, side):
    spec = ImageSpec(size=size, channels=3)
    discriminator = SNGAN(width=1).build(spec).discriminator
    kinds = [isinstance(block.pool, nn.AvgPool2d) for block in discriminator.blocks]
    assert kinds == [True] * halvings + [False] * (len(kinds) - halvings)
    _, features = discriminator(torch.randn(1, 3, size, size), with_features=True)
    assert features.shape[2:] == (side, side)


def conv(inside, outside, side=3):
    return inside * outside * side**2 + outside


@pytest.mark.parametrize("classes", [0, 10])
def test_cifar_pair_has_the_weights_of_table_4(classes):
    pair = SNGAN().build(ImageSpec(size=32, channels=3, classes=classes))
    norm = 2 * 256 * max(classes, 1)
    block = 2 * conv(256, 256) + conv(256, 256, 1) + 2 * norm
    dense = 128 * 4096 + 4096
    assert count_parameters(pair.generator) == dense + 3 * block + 2 * 256 + conv(256, 3)
    first = conv(3, 128) + conv(128, 128) + conv(3, 128, 1)
    halving = 2 * conv(128, 128) + conv(128, 128, 1)
    plain = 2 * conv(128, 128)
    assert count_parameters(pair.discriminator) == first + halving + 2 * plain + 128 * (1 + classes)


def test_up_block_is_the_formula():
    torch.manual_seed(0)
    block = UpBlock(4, 6, nn.BatchNorm2d).eval()
    for norm in block.norms:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    maps = torch.randn(2, 4, 3, 3)

    def up(values):
        return values.repeat_interleave(2, 2).repeat_interleave(2, 3)

    inner = up(block.norms[0](maps).clamp_min(0))
    inner = functional.conv2d(inner, block.convs[0].weight, block.convs[0].bias, padding=1)
    inner = functional.conv2d(block.norms[1](inner).clamp_min(0), block.convs[1].weight, block.convs[1].bias, padding=1)
    outer = functional.conv2d(up(maps), block.skip.weight, block.skip.bias)
    torch.testing.assert_close(block(maps), inner + outer)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("halve", [True, False])
def test_down_block_is_the_formula(first, halve):
    torch.manual_seed(0)
    block = DownBlock(3, 5, halve=halve, first=first)
    for layer in (*block.convs, block.skip):
        nn.init.normal_(layer.bias)
    maps = torch.randn(2, 3, 6, 6)
    inner = maps if first else maps.clamp_min(0)
    inner = functional.conv2d(inner, block.convs[0].weight, block.convs[0].bias, padding=1).clamp_min(0)
    inner = functional.conv2d(inner, block.convs[1].weight, block.convs[1].bias, padding=1)
    whole = inner + functional.conv2d(maps, block.skip.weight, block.skip.bias)
    expected = whole.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)) if halve else whole
    torch.testing.assert_close(block(maps), expected)
    assert block.convs[0].out_channels == (5 if first else 3)


def test_initial_weights_are_glorot_uniform_with_gain_two_in_the_blocks():
    torch.manual_seed(0)
    generator, discriminator = SNGAN(width=16).build(ImageSpec(size=32, channels=3))
    inside = discriminator.blocks[1].convs[0].parametrizations.weight.original
    for weight, gain, fans in [
        (generator.blocks[0].convs[0].weight, math.sqrt(2), 9 * 128),
        (generator.blocks[0].skip.weight, 1, 128),
        (generator.dense.weight, 1, 128 + 1024),
        (generator.to_image.weight, 1, 9 * 67),
        (inside, math.sqrt(2), 9 * 64),
    ]:
        limit = gain * math.sqrt(6 / fans)
        assert limit * 0.98 < float(weight.detach().abs().max()) <= limit
        assert float(weight.detach().std()) == pytest.approx(limit / math.sqrt(3), rel=0.04)


# spectral norm


def largest_singular_values(network, *kinds):
    return [
        float(torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2))
        for module in network.modules()
        if isinstance(module, kinds) and parametrize.is_parametrized(module, "weight")
    ]


def test_every_weight_of_the_discriminator_has_norm_one_in_training():
    discriminator = SMALL.build(BOTH[1]).discriminator
    _, images, labels = inputs(SMALL, BOTH[1])
    with torch.no_grad():
        for weight in discriminator.parameters():
            weight.mul_(7)
        for _ in range(30):
            discriminator(images, *labels)
    found = largest_singular_values(discriminator, nn.Conv2d, nn.Linear, nn.Embedding)
    assert len(found) == sum(weight.ndim > 1 for weight in discriminator.parameters())
    assert found == pytest.approx([1.0] * len(found), abs=0.02)


def test_the_generator_has_spectral_norm_only_if_asked_and_never_on_its_class_scales():
    kinds = (nn.Conv2d, nn.Linear, nn.Embedding)
    assert not largest_singular_values(SMALL.build(BOTH[1]).generator, *kinds)
    generator = SNGAN(width=2, spectral_norm_generator=True).build(BOTH[1]).generator
    layers = sum(isinstance(module, nn.Conv2d | nn.Linear) for module in generator.modules())
    assert len(largest_singular_values(generator, nn.Conv2d, nn.Linear)) == layers
    assert not largest_singular_values(generator, nn.Embedding)


# use


@pytest.mark.parametrize("size", [16, 20, 24, 28, 32, 40, 48, 64, 128, 256])
@pytest.mark.parametrize("classes", [0, 3])
def test_images_and_logits_have_their_shapes_at_every_kind_of_size(size, classes):
    spec = ImageSpec(size=size, channels=1, classes=classes)
    settings = SNGAN(width=1)
    assert settings.problems(spec) == []
    pair = settings.build(spec)
    latent, images, labels = inputs(settings, spec, count=2)
    made = pair.generator(latent, *labels)
    assert made.shape == images.shape
    assert made.abs().max() <= 1
    pair.discriminator.eval()
    logits, features = pair.discriminator(images, *labels, with_features=True)
    torch.testing.assert_close(logits, pair.discriminator(images, *labels))
    assert logits.shape == (2,)
    assert features.ndim == 4


@pytest.mark.parametrize("spec", BOTH)
def test_the_logit_is_a_dense_layer_on_the_sums_and_with_labels_the_projection_besides(spec):
    discriminator = SMALL.build(spec).discriminator.eval()
    _, images, labels = inputs(SMALL, spec)
    logits, features = discriminator(images, *labels, with_features=True)
    assert features.min() == 0
    sums = features.flatten(2).sum(2)
    expected = torch.einsum("nc,c->n", sums, discriminator.head.weight[0])
    for given in labels:
        expected = expected + torch.einsum("nc,nc->n", sums, discriminator.projection.embedding.weight[given])
    torch.testing.assert_close(logits, expected)


def test_labels_change_images_and_logits_and_are_asked_for():
    torch.manual_seed(0)
    pair = SMALL.build(BOTH[1])
    for module in pair.generator.modules():
        if isinstance(module, ConditionalBatchNorm):
            nn.init.normal_(module.shift.weight)
    latent, images, (labels,) = inputs(SMALL, BOTH[1])
    assert pair.generator.classes == pair.discriminator.classes == 5
    for network, x in zip(pair, (latent, images), strict=True):
        network.eval()
        assert not torch.allclose(network(x, labels), network(x, (labels + 1) % 5))
        with pytest.raises(TypeError):
            network(x)


def test_conditional_false_ignores_the_labels_of_the_data():
    pair = SNGAN(width=2, conditional=False).build(BOTH[1])
    assert pair.generator.classes == pair.discriminator.classes == 0
    assert pair.generator(torch.randn(2, 128)).shape == (2, 3, 16, 16)


@pytest.mark.parametrize("spec", BOTH)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_step_of_each_player_with_r1_is_finite_and_moves_every_weight(spec, precision):
    torch.manual_seed(0)
    pair = SNGAN(width=2, spectral_norm_generator=True).build(spec)
    latent, images, labels = inputs(SNGAN(), spec, count=10)
    before = copy.deepcopy([list(network.parameters()) for network in pair])
    images.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        fake = pair.generator(latent, *labels)
        real_logits = pair.discriminator(images, *labels)
        loss = functional.softplus(pair.discriminator(fake, *labels)).mean() - real_logits.mean()
    (gradient,) = torch.autograd.grad(real_logits.sum(), images, create_graph=True)
    (loss + gradient.square().sum()).backward()
    assert real_logits.dtype == torch.float32
    for network, old in zip(pair, before, strict=True):
        torch.optim.Adam(network.parameters(), 1e-3).step()
        for (name, new), weight in zip(network.named_parameters(), old, strict=True):
            assert torch.isfinite(new).all(), name
            assert not torch.equal(new, weight), name


@pytest.mark.parametrize("spec", BOTH)
def test_copies_and_saved_weights_make_the_same_images_and_logits(spec):
    pair, other = SMALL.build(spec), SMALL.build(spec)
    latent, images, labels = inputs(SMALL, spec)
    for network, fresh, x in zip(pair, other, (latent, images), strict=True):
        network(x, *labels)
        network.eval()
        fresh.eval().load_state_dict(network.state_dict())
        torch.testing.assert_close(fresh(x, *labels), network(x, *labels))
        torch.testing.assert_close(copy.deepcopy(network)(x, *labels), network(x, *labels))


@pytest.mark.parametrize(("size", "width"), [(32, 64), (48, 64), (128, 64), (192, 42), (256, 32)])
def test_width_left_open_is_the_published_one_up_to_128_pixels(size, width):
    assert SNGAN().width_for(size) == width
    assert SNGAN(width=5).width_for(size) == 5


@pytest.mark.parametrize(
    ("settings", "spec", "says"),
    [
        (SNGAN(), ImageSpec(size=50, channels=3), "not 50"),
        (SNGAN(), ImageSpec(size=12, channels=3), "16 to 256"),
        (SNGAN(), ImageSpec(size=512, channels=3), "16 to 256"),
        (SNGAN(), ImageSpec(size=1, channels=2), "not points"),
        (SNGAN(), ImageSpec(size=32, channels=5), "1 to 4 channels"),
        (SNGAN(conditional=True), ImageSpec(size=32, channels=3), "no labels"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_sentence(settings, spec, says):
    (problem,) = settings.problems(spec)
    assert says in problem
