from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from steadygan.networks.base import count_parameters
from steadygan.networks.r3gan import R3GAN, Basis, Block, BlockForm, Down, Float32, Up
from steadygan.ops.resample import downsample2, upsample2
from steadygan.spec import ImageSpec

SMALL = R3GAN(width=16, latent_dim=8, embedding_dim=4, blocks=1)
BOTH = [ImageSpec(size=16, channels=3), ImageSpec(size=16, channels=3, classes=5)]


def inputs(settings, spec, count=3):
    torch.manual_seed(1)
    labels = (torch.arange(count) % spec.classes,) if spec.classes else ()
    return torch.randn(count, settings.latent_dim), torch.randn(count, spec.channels, spec.size, spec.size), labels


def awake(pair):
    """The blocks of a new network do nothing; give them something to do."""
    for network in pair:
        for module in network.modules():
            if isinstance(module, Block):
                nn.init.normal_(module.layers[-1].weight, 0.0, 0.2)
                nn.init.normal_(module.layers[0].bias, 0.0, 0.2)
    return pair


# resampling


def by_hand(row, taps, stride):
    padded = [row[0], *row, row[-1]]
    return [
        sum(t * v for t, v in zip(taps, padded[i : i + len(taps)], strict=True))
        for i in range(0, len(padded) - len(taps) + 1, stride)
    ]


def test_downsampling_is_the_filter_with_the_border_pixel_repeated():
    row = [1.0, 5.0, -2.0, 4.0, 0.0, 8.0]
    expected = by_hand(row, [1 / 8, 3 / 8, 3 / 8, 1 / 8], 2)
    assert expected == [(1 + 3 * 1 + 3 * 5 - 2) / 8, (5 - 6 + 12 + 0) / 8, (4 + 0 + 24 + 8) / 8]
    column = torch.tensor([2.0, -1.0])  # a product of a column and a row: the filter is separable
    image = (column[:, None] * torch.tensor(row))[None, None]
    mean = by_hand([2.0, -1.0], [1 / 8, 3 / 8, 3 / 8, 1 / 8], 2)[0]
    torch.testing.assert_close(downsample2(image)[0, 0], mean * torch.tensor(expected)[None])


def test_upsampling_is_the_filter_with_the_border_pixel_repeated():
    image = torch.tensor([4.0, 0.0, 8.0]).expand(1, 1, 2, 3)
    expected = torch.tensor([4.0, 3.0, 1.0, 2.0, 6.0, 8.0]).expand(1, 1, 4, 6)
    torch.testing.assert_close(upsample2(image), expected)


def test_both_equal_a_dense_convolution_with_the_outer_product_of_the_filter():
    torch.manual_seed(0)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
    kernel = (taps[:, None] * taps)[None, None]
    maps = torch.randn(2, 1, 6, 10, dtype=torch.float64)
    padded = functional.pad(maps, (1, 1, 1, 1), mode="replicate")
    torch.testing.assert_close(downsample2(maps), functional.conv2d(padded, kernel / 64, stride=2))
    torch.testing.assert_close(upsample2(maps), functional.conv_transpose2d(padded, kernel / 16, stride=2, padding=3))


def test_downsampling_is_a_quarter_of_upsampling_transposed():
    torch.manual_seed(0)
    large, small = torch.randn(2, 3, 8, 12).double(), torch.randn(2, 3, 4, 6).double()
    torch.testing.assert_close((downsample2(large) * small).sum(), (large * upsample2(small)).sum() / 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("resample", [upsample2, downsample2])
def test_constants_stay_exactly_and_the_type_is_kept_under_autocast(resample, dtype):
    maps = torch.full((1, 2, 4, 4), 0.3, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        result = resample(maps)
    assert result.dtype == dtype
    assert (result == maps[0, 0, 0, 0]).all()


@pytest.mark.parametrize("resample", [upsample2, downsample2])
def test_channels_last_stays_channels_last(resample):
    maps = torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last)
    assert resample(maps).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("resample", [upsample2, downsample2])
def test_resampling_can_be_differentiated_twice(resample):
    maps = torch.randn(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: resample(x).pow(3), maps)


def test_odd_sides_are_refused():
    with pytest.raises(RuntimeError):
        downsample2(torch.zeros(1, 1, 5, 4))


# published form


@pytest.mark.parametrize(
    ("settings", "spec", "generator", "discriminator"),
    [
        (R3GAN(widths=(768,) * 4), ImageSpec(size=32, channels=3, classes=10), 20.8, 21.3),
        (R3GAN(widths=(768,) * 4 + (384,)), ImageSpec(size=64, channels=3), 22.4, 22.4),
        (R3GAN(widths=(768,) * 4 + (384, 192, 96)), ImageSpec(size=256, channels=3), 23.1, 23.0),
    ],
)
def test_published_widths_give_the_published_sizes(settings, spec, generator, discriminator):
    with torch.device("meta"):
        pair = settings.build(spec)
    assert round(count_parameters(pair.generator) / 1e6, 1) == generator
    assert round(count_parameters(pair.discriminator) / 1e6, 1) == discriminator


@pytest.mark.parametrize(("size", "widths"), [(32, (768,) * 4), (256, (768, 768, 768, 768, 384, 192, 96))])
def test_width_alone_halves_beyond_the_fourth_side_as_published(size, widths):
    assert R3GAN(width=768).widths_for(size) == widths


def test_a_generator_stage_begins_and_a_discriminator_stage_ends_with_the_change_of_side():
    settings = R3GAN(widths=(32, 16, 16), group_width=8)
    pair = settings.build(ImageSpec(size=16, channels=3))
    kinds = [[type(layer) for layer in stage] for stage in pair.generator.stages]
    assert kinds == [[Basis, Block, Block], [nn.Conv2d, Up, Block, Block], [Up, Block, Block]]
    kinds = [[type(layer) for layer in stage] for stage in pair.discriminator.stages[1:]]
    assert kinds == [[Block, Block, Down], [Block, Block, Down, nn.Conv2d], [Block, Block]]


@pytest.mark.parametrize(("group_width", "groups"), [(16, 4), (0, 1), (64, 1), (100, 1)])
def test_inner_convolution_has_groups_of_the_given_width(group_width, groups):
    inner = Block(32, BlockForm(1, group_width, 2), total=1).layers[2]
    assert inner.groups == groups
    assert inner.weight.shape == (64, 64 // groups, 3, 3)


def test_block_is_the_formula():
    torch.manual_seed(0)
    block = Block(4, BlockForm(1, 2, 1), total=1)
    for layer in block.layers[::2]:
        nn.init.normal_(layer.weight)
        if layer.bias is not None:
            nn.init.normal_(layer.bias)
    first, inner, last = block.layers[::2]
    maps = torch.randn(2, 4, 5, 5)

    def bent(values, bias):
        values = values + bias[None, :, None, None]
        return torch.where(values > 0, values, values / 5)

    hidden = bent(torch.einsum("oi,nihw->nohw", first.weight[:, :, 0, 0], maps), first.bias)
    halves = [functional.conv2d(hidden[:, s], inner.weight[s], padding=1) for s in (slice(0, 2), slice(2, 4))]
    hidden = bent(torch.cat(halves, 1), inner.bias)
    expected = maps + torch.einsum("oi,nihw->nohw", last.weight[:, :, 0, 0], hidden)
    assert last.bias is None
    torch.testing.assert_close(block(maps), expected)


# initial weights


def test_new_blocks_are_the_identity_so_new_networks_are_linear():
    torch.manual_seed(0)
    maps = torch.randn(2, 16, 4, 4)
    assert torch.equal(Block(16, BlockForm(), total=4)(maps), maps)
    latent, images, _ = inputs(SMALL, BOTH[0])
    for network, x in zip(SMALL.build(BOTH[0]), (latent, images), strict=True):
        torch.testing.assert_close(network(3 * x - x.flip(0)), 3 * network(x) - network(x).flip(0))


@pytest.mark.parametrize("total", [1, 16])
def test_block_weights_have_the_stated_spread(total):
    torch.manual_seed(0)
    first, inner, last = Block(256, BlockForm(), total).layers[::2]
    gain = math.sqrt(2 / 1.04) / total**0.25
    assert float(first.weight.detach().std()) == pytest.approx(gain / math.sqrt(256), rel=0.02)
    assert float(inner.weight.detach().std()) == pytest.approx(gain / math.sqrt(16 * 9), rel=0.02)
    assert not last.weight.any()
    assert not first.bias.any()
    assert not inner.bias.any()


def test_the_number_of_blocks_in_the_network_enters_their_spread():
    torch.manual_seed(0)
    pair = R3GAN(widths=(128, 128), blocks=8).build(ImageSpec(size=8, channels=3))
    for network in pair:
        blocks = [module for module in network.modules() if isinstance(module, Block)]
        assert len(blocks) == 16
        spread = torch.stack([block.layers[0].weight.detach().std() for block in blocks])
        torch.testing.assert_close(spread, torch.full((16,), math.sqrt(2 / 1.04 / 128) / 2), rtol=0.03, atol=0)


def test_other_weights_have_the_stated_spread():
    torch.manual_seed(0)
    settings = R3GAN(widths=(256, 128), blocks=1, embedding_dim=256)
    generator, discriminator = settings.build(ImageSpec(size=8, channels=3, classes=20))
    basis, depthwise, dense = generator.stages[0][0], discriminator.head[0], discriminator.head[2]
    assert depthwise.weight.shape == (256, 1, 4, 4)
    for weight, spread in [
        (generator.embedding.weight, 1 / math.sqrt(20)),
        (basis.maps, 1.0),
        (basis.scale.weight, 1 / math.sqrt(64 + 256)),
        (generator.stages[1][0].weight, 1 / math.sqrt(256)),
        (generator.to_image.weight, 1 / math.sqrt(128)),
        (discriminator.stages[0].weight, 1 / math.sqrt(3)),
        (discriminator.stages[1][2].weight, 1 / math.sqrt(128)),
        (depthwise.weight, 1 / 4),
        (dense.weight, 1 / math.sqrt(256)),
        (discriminator.judge.embedding.weight, 1 / math.sqrt(256 * 20)),
    ]:
        assert float(weight.detach().std(correction=0)) == pytest.approx(spread, rel=0.1)
        assert abs(float(weight.detach().mean())) < spread * 0.1


# use


@pytest.mark.parametrize("size", [8, 16, 20, 24, 28, 32, 48, 64, 256])
@pytest.mark.parametrize("classes", [0, 3])
def test_images_and_logits_have_their_shapes_at_every_kind_of_size(size, classes):
    spec = ImageSpec(size=size, channels=1, classes=classes)
    settings = R3GAN(width=8, blocks=1)
    assert settings.problems(spec) == []
    pair = settings.build(spec)
    latent, images, labels = inputs(settings, spec, count=2)
    assert pair.generator(latent, *labels).shape == images.shape
    logits, features = pair.discriminator(images, *labels, with_features=True)
    torch.testing.assert_close(logits, pair.discriminator(images, *labels))
    assert logits.shape == (2,)
    assert features.shape[:2] == (2, 8)


def test_a_conditional_logit_is_the_inner_product_with_the_class_vector_alone():
    _, discriminator = awake(SMALL.build(BOTH[1]))
    _, images, (labels,) = inputs(SMALL, BOTH[1])
    logits, features = discriminator(images, labels, with_features=True)
    depthwise, _, dense = discriminator.head
    pooled = (features * depthwise.weight[None, :, 0]).sum((2, 3))
    vectors = discriminator.judge.embedding.weight[labels]
    torch.testing.assert_close(logits, torch.einsum("nc,cd,nd->n", pooled, dense.weight.T, vectors))


def test_labels_change_images_and_logits_and_are_asked_for():
    pair = awake(SMALL.build(BOTH[1]))
    latent, images, (labels,) = inputs(SMALL, BOTH[1])
    assert pair.generator.classes == pair.discriminator.classes == 5
    for network, x in zip(pair, (latent, images), strict=True):
        assert not torch.allclose(network(x, labels), network(x, (labels + 1) % 5))
        with pytest.raises(TypeError):
            network(x)


def test_conditional_false_ignores_the_labels_of_the_data():
    settings = SMALL.model_copy(update={"conditional": False})
    pair = settings.build(BOTH[1])
    assert pair.generator.classes == pair.discriminator.classes == 0
    assert pair.generator(torch.randn(2, 8)).shape == (2, 3, 16, 16)


@pytest.mark.parametrize("spec", BOTH)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_step_of_each_player_with_r1_is_finite_and_moves_every_weight(spec, precision):
    pair = awake(SMALL.build(spec))
    latent, images, labels = inputs(SMALL, spec, count=max(spec.classes, 2))
    before = copy.deepcopy([list(network.parameters()) for network in pair])
    images.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        fake = pair.generator(latent, *labels)
        real_logits = pair.discriminator(images, *labels)
        loss = functional.softplus(pair.discriminator(fake, *labels) - real_logits).mean()
    (gradient,) = torch.autograd.grad(real_logits.sum(), images, create_graph=True)
    (loss + gradient.square().sum()).backward()
    assert real_logits.dtype == torch.float32
    for network, old in zip(pair, before, strict=True):
        torch.optim.Adam(network.parameters(), 1e-3).step()
        for (name, new), weight in zip(network.named_parameters(), old, strict=True):
            assert torch.isfinite(new).all(), name
            assert not torch.equal(new, weight), name


def test_autocast_rules_the_four_largest_sides_at_most_and_never_the_smallest():
    for size, exact in [(16, 1), (64, 1), (128, 2), (256, 3)]:
        pair = R3GAN(width=8, blocks=1).build(ImageSpec(size=size, channels=1))
        assert [type(stage) is Float32 for stage in pair.generator.stages].count(True) == exact
        assert [type(stage) is Float32 for stage in pair.discriminator.stages].count(True) == exact
        assert type(pair.generator.stages[0]) is type(pair.discriminator.stages[-1]) is Float32
    pair, seen = R3GAN(width=8, blocks=1).build(ImageSpec(size=16, channels=1)), {}
    for name, module in pair.discriminator.named_modules():
        module.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output.dtype}))
    with torch.autocast("cpu", torch.bfloat16):
        pair.discriminator(torch.randn(2, 1, 16, 16))
    assert [seen[f"stages.{number}"] for number in (1, 2, 3)] == [torch.bfloat16, torch.bfloat16, torch.float32]


@pytest.mark.parametrize("spec", BOTH)
def test_copies_and_saved_weights_make_the_same_images_and_logits(spec):
    pair = awake(SMALL.build(spec))
    latent, images, labels = inputs(SMALL, spec)
    other = SMALL.build(spec)
    for network, fresh, x in zip(pair, other, (latent, images), strict=True):
        fresh.load_state_dict(network.state_dict())
        torch.testing.assert_close(fresh(x, *labels), network(x, *labels))
        torch.testing.assert_close(copy.deepcopy(network)(x, *labels), network(x, *labels))


@pytest.mark.parametrize(
    ("settings", "spec", "says"),
    [
        (R3GAN(), ImageSpec(size=50, channels=3), "not 50"),
        (R3GAN(), ImageSpec(size=512, channels=3), "8 to 256"),
        (R3GAN(), ImageSpec(size=6, channels=3), "8 to 256"),
        (R3GAN(), ImageSpec(size=1, channels=2), "not points"),
        (R3GAN(), ImageSpec(size=32, channels=5), "1 to 4 channels"),
        (R3GAN(widths=(64, 64)), ImageSpec(size=32, channels=3), "2 widths for 4 sides (4, 8, 16, 32)"),
        (R3GAN(width=20), ImageSpec(size=32, channels=3), "40 channels"),
        (R3GAN(conditional=True), ImageSpec(size=32, channels=3), "no labels"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_sentence(settings, spec, says):
    (problem,) = settings.problems(spec)
    assert says in problem


@pytest.mark.parametrize("settings", [R3GAN(), R3GAN(width=20, group_width=0), R3GAN(width=4), R3GAN(conditional=None)])
def test_what_can_be_built_is_not_refused(settings):
    assert settings.problems(ImageSpec(size=32, channels=3)) == []
