"""Every choice inside the DCGAN: what it computes, that any side fits, and that both players train with it."""

from __future__ import annotations

import copy
import math
from itertools import combinations, product
from typing import get_args

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import nn
from torch.nn.functional import softplus

from steadygan.networks import choices, norms, resampling
from steadygan.networks.choices import AnyActivation, AnyInit, AnyMinibatch
from steadygan.networks.dcgan import DCGAN, DCGANDiscriminator, DCGANGenerator, DiscriminatorParts, GeneratorParts
from steadygan.networks.norms import AnyNorm
from steadygan.networks.resampling import AnyDownsampling, AnyUpsampling
from steadygan.ops.init import dcgan_init_, he_init_
from steadygan.ops.layers import NearestConv2d, SelfModulationLayer
from steadygan.spec import ImageSpec

UNIONS = {
    "upsampling": AnyUpsampling,
    "downsampling": AnyDownsampling,
    "norm": AnyNorm,
    "activation": AnyActivation,
    "init": AnyInit,
    "minibatch": AnyMinibatch,
}
SIDES = [16, 17, 28, 31, 64]
SMALL = {choices.MinibatchDiscrimination: {"kernels": 3, "dims": 2}, norms.VirtualBatchNorm: {"reference": 3}}


def members(union):
    return get_args(get_args(union)[0])


def small(member):
    """A value of this class with little to compute."""
    return member(**SMALL.get(member, {}))


def close(actual, expected, **tolerance):
    torch.testing.assert_close(actual, torch.as_tensor(expected, dtype=actual.dtype), **tolerance)


# Every value of every union

ALL = [member for union in UNIONS.values() for member in members(union)]


@pytest.mark.parametrize(("name", "union"), UNIONS.items())
def test_every_choice_can_be_named_by_its_kind_alone(name, union):
    kinds = [member().kind for member in members(union)]
    assert len(set(kinds)) == len(kinds)
    adapter = TypeAdapter(union)
    for member in members(union):
        assert adapter.validate_python(member().kind) == member()
        assert adapter.validate_python(member().model_dump()) == member()


# Resampling: what each computes, one output pixel at a time


def scattered(maps, weight, small, large, padding):
    """A transposed convolution: every input pixel adds its kernel, two pixels apart."""
    kernel = weight.shape[-1]
    canvas = torch.zeros(len(maps), weight.shape[1], large + 2 * kernel, large + 2 * kernel)
    for y, x in product(range(small), repeat=2):
        top, left = kernel + 2 * y - padding, kernel + 2 * x - padding
        added = torch.einsum("ni,iokl->nokl", maps[:, :, y, x], weight)
        canvas[:, :, top : top + kernel, left : left + kernel] += added
    return canvas[:, :, kernel : kernel + large, kernel : kernel + large]


def convolved(maps, weight):
    """A convolution that keeps the side, one place of the kernel at a time."""
    half, side = weight.shape[-1] // 2, maps.shape[-1]
    padded = nn.functional.pad(maps, (half,) * 4)
    places = product(range(weight.shape[-1]), repeat=2)
    return sum(
        torch.einsum("nihw,oi->nohw", padded[:, :, y : y + side, x : x + side], weight[:, :, y, x]) for y, x in places
    )


def linear_weights(small, large):
    """Rows of bilinear interpolation in one direction: pixel centres, the edge repeated."""
    rows = torch.zeros(large, small)
    for place in range(large):
        source = max((place + 0.5) * small / large - 0.5, 0)
        low = min(int(source), small - 1)
        rows[place, low] += 1 - (source - low)
        rows[place, min(low + 1, small - 1)] += source - low
    return rows


def transposed(layer, maps, small, large):
    return scattered(maps, layer.weight, small, large, layer.padding[0])


def nearest(layer, maps, small, large):
    index = torch.tensor([place * small // large for place in range(large)])
    weight = layer.weight if isinstance(layer, NearestConv2d) else layer[1].weight
    return convolved(maps[:, :, index][:, :, :, index], weight)


def bilinear(layer, maps, small, large):
    rows = linear_weights(small, large)
    return convolved(torch.einsum("ys,nist,xt->niyx", rows, maps, rows), layer[1].weight)


def shuffled(layer, maps, small, large):
    channels = convolved(maps, layer[0].weight)
    out = torch.empty(len(maps), channels.shape[1] // 4, large, large)
    for y, x in product(range(large), repeat=2):
        inner_y, inner_x = min(y, 2 * small - 1), min(x, 2 * small - 1)
        out[:, :, y, x] = channels[:, 2 * (inner_y % 2) + inner_x % 2 :: 4, inner_y // 2, inner_x // 2]
    return out


def strided(layer, maps, small):
    padding, kernel = layer.padding[0], layer.kernel_size[0]
    padded, out = nn.functional.pad(maps, (padding,) * 4), torch.empty(len(maps), len(layer.weight), small, small)
    for y, x in product(range(small), repeat=2):
        patch = padded[:, :, 2 * y : 2 * y + kernel, 2 * x : 2 * x + kernel]
        out[:, :, y, x] = torch.einsum("nikl,oikl->no", patch, layer.weight)
    return out


def residual(layer, maps, small):
    inner = maps[:, :, : 2 * small, : 2 * small]
    four = torch.stack([inner[:, :, y::2, x::2] for y, x in product(range(2), repeat=2)])
    beside = torch.einsum("nihw,oi->nohw", four.mean(0), layer.skip.weight[:, :, 0, 0])
    return (strided(layer.down, maps, small) + beside) / 2**0.5


def pooled(reduce):
    def reference(layer, maps, small):
        inner = convolved(maps, layer[0].weight)[:, :, : 2 * small, : 2 * small]
        return reduce(torch.stack([inner[:, :, y::2, x::2] for y, x in product(range(2), repeat=2)]))

    return reference


RESAMPLED = {
    resampling.Transposed: transposed,
    resampling.Nearest: nearest,
    resampling.Bilinear: bilinear,
    resampling.PixelShuffle: shuffled,
    resampling.Strided: strided,
    resampling.Residual: residual,
    resampling.AveragePool: pooled(lambda four: four.mean(0)),
    resampling.MaxPool: pooled(lambda four: four.amax(0)),
}


def with_kernels(union):
    return [m(kernel=k) for m in members(union) for k in get_args(m.model_fields["kernel"].annotation)]


@pytest.mark.parametrize("value", with_kernels(AnyUpsampling), ids=repr)
@pytest.mark.parametrize(("small", "large"), [(4, 8), (4, 9), (5, 11)])
def test_upsampling_is_what_it_is_called(value, small, large):
    layer, maps = value.layer(2, 3, small, large, bias=False), torch.randn(2, 2, small, small)
    close(layer(maps), RESAMPLED[type(value)](layer, maps, small, large), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("value", with_kernels(AnyDownsampling), ids=repr)
@pytest.mark.parametrize(("large", "small"), [(8, 4), (9, 4), (11, 5)])
def test_downsampling_is_what_it_is_called(value, large, small):
    layer, maps = value.layer(2, 3, large, small, bias=False), torch.randn(2, 2, large, large)
    close(layer(maps), RESAMPLED[type(value)](layer, maps, small), atol=1e-5, rtol=1e-4)


def test_the_bias_of_a_residual_layer_is_as_loud_as_what_it_stands_beside():
    layer, maps = resampling.Residual().layer(2, 3, 8, 4, bias=True), torch.randn(2, 2, 8, 8)
    beside = layer.skip(nn.functional.avg_pool2d(maps, 2))
    close(layer(maps), (layer.down(maps) + beside) / 2**0.5, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("value", with_kernels(AnyUpsampling) + with_kernels(AnyDownsampling), ids=repr)
def test_a_resampling_has_a_bias_only_if_asked(value):
    assert any(name.endswith("bias") for name, _ in value.layer(2, 3, 8, 8, bias=True).named_parameters())
    assert not any(name.endswith("bias") for name, _ in value.layer(2, 3, 8, 8, bias=False).named_parameters())


@pytest.mark.parametrize("kind", ["nearest", "bilinear", "pixel_shuffle", "average_pool", "max_pool"])
@pytest.mark.parametrize("kernel", [1, 2, 4, 7])
def test_a_kernel_without_a_middle_pixel_or_of_another_size_is_refused(kind, kernel):
    field = "downsampling" if kind.endswith("pool") else "upsampling"
    with pytest.raises(ValidationError, match="3 or 5"):
        DCGAN(**{field: {"kind": kind, "kernel": kernel}})


# Activations and norms against their formulas

X = torch.tensor([-3.0, -0.5, 0.0, 2.0])
ACTIVATED = {
    choices.ReLU: [0.0, 0.0, 0.0, 2.0],
    choices.LeakyReLU: [-0.6, -0.1, 0.0, 2.0],
    choices.ELU: [math.exp(-3) - 1, math.exp(-0.5) - 1, 0.0, 2.0],
    choices.SiLU: [-3 / (1 + math.exp(3)), -0.5 / (1 + math.exp(0.5)), 0.0, 2 / (1 + math.exp(-2))],
}


@pytest.mark.parametrize("member", members(AnyActivation))
def test_an_activation_is_its_formula(member):
    close(member().layer()(X), ACTIVATED[member])


def standardised(maps, places):
    mean, var = maps.mean(places, keepdim=True), maps.var(places, correction=0, keepdim=True)
    return (maps - mean) / (var + 1e-5).sqrt()


def virtual(maps):
    """The first three are the reference."""
    known, new = maps[:3], maps[3:]
    return torch.cat([standardised(known, (0, 2, 3))] + [_after(known, image[None]) for image in new])


def _after(known, image):
    return standardised(torch.cat([known, image]), (0, 2, 3))[-1:]


NORMED = {
    norms.BatchNorm: lambda maps: standardised(maps, (0, 2, 3)),
    norms.InstanceNorm: lambda maps: standardised(maps, (2, 3)),
    norms.PixelNorm: lambda maps: maps / maps.square().mean(1, keepdim=True).sqrt(),
    norms.NoNorm: lambda maps: maps,
    norms.VirtualBatchNorm: virtual,
}


@pytest.mark.parametrize("member", members(AnyNorm))
def test_a_norm_is_its_formula(member):
    maps = 1 + 2 * torch.randn(5, 3, 4, 4)
    close(nn.Sequential(*small(member).layers(3))(maps), NORMED[member](maps), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("member", members(AnyNorm))
def test_a_norm_that_centres_swallows_a_bias_and_the_others_do_not(member):
    layer, maps = nn.Sequential(*small(member).layers(3)), torch.randn(5, 3, 4, 4)
    swallowed = torch.allclose(layer(maps), layer(maps + torch.tensor([1.0, -2.0, 3.0])[:, None, None]), atol=1e-4)
    assert swallowed == member.centres


def test_settings_of_norms_and_activations_reach_their_layers():
    (batch,) = norms.BatchNorm(affine=False, momentum=0.3).layers(4)
    assert (batch.weight, batch.momentum) == (None, 0.3)
    (instance,) = norms.InstanceNorm(affine=False).layers(4)
    assert instance.weight is None
    close(choices.LeakyReLU(slope=0.5).layer()(X), [-1.5, -0.25, 0.0, 2.0])


# Initialisations

DRAWN = {  # how far each output of a dense layer 400 -> 200 with unit inputs spreads
    choices.Normal: 0.02 * math.sqrt(400),
    choices.Xavier: math.sqrt(2 / (400 + 200) * 400),
    choices.He: math.sqrt(2 / 1.04),
    choices.Orthogonal: 1.0,
}


@pytest.mark.parametrize("member", members(AnyInit))
def test_an_initialisation_spreads_outputs_as_its_paper_says(member):
    layer = nn.Linear(400, 200)
    member()(layer)
    close(layer(torch.randn(2000, 400)).std(), DRAWN[member], rtol=0.02, atol=0)


def drawn(network, init_):
    twin = copy.deepcopy(network)
    torch.manual_seed(5)
    init_(twin)
    return twin.state_dict()


@pytest.mark.parametrize(
    ("norm", "init_"), [("batch", dcgan_init_), ("instance", dcgan_init_), ("pixel", dcgan_init_), ("none", he_init_)]
)
def test_without_a_choice_a_network_with_a_norm_starts_as_the_dcgan_and_one_without_as_he_says(norm, init_):
    value = TypeAdapter(AnyNorm).validate_python(norm)
    for network, parts in (
        (DCGANGenerator(width=4, size=16), GeneratorParts(norm=value)),
        (DCGANDiscriminator(width=4, size=16), DiscriminatorParts(norm=value)),
    ):
        ours, expected = drawn(network, parts.finish), drawn(network, init_)
        assert all(torch.equal(ours[name], expected[name]) for name in expected)


def test_each_player_has_an_initialisation_of_its_own():
    pair = DCGAN(width=32, generator_init="orthogonal", discriminator_init=choices.Normal(std=0.5)).build(SPEC)
    W = pair.generator.layers[0].weight.detach().flatten(1)
    close(W @ W.T, torch.eye(len(W)), atol=1e-5, rtol=0)
    close(pair.discriminator.layers[2].weight.std(), 0.5, rtol=0.02, atol=0)


# Whole networks

SPEC = ImageSpec(size=16, channels=3)
TINY = {"width": 4, "max_width": 6, "latent_dim": 5}


def field_values():
    """Every field of the settings that offers a choice, with all its values."""
    fields = {
        name: [small(member) for member in members(UNIONS[name.split("_")[-1]])]
        for name in DCGAN.model_fields
        if name.split("_")[-1] in UNIONS
    }
    return {**fields, "spectral_norm": list(get_args(DCGAN.model_fields["spectral_norm"].annotation)),
            "dropout": [0.0, 0.3], "closing_layers": [0, 1, 2]}  # fmt: skip


FIELDS = field_values()
SINGLE = [{name: value} for name, values in FIELDS.items() for value in values]


def pairwise_covering():
    """Settings in which every two values of two fields meet at least once: greedy, the first value that covers most."""
    names = list(FIELDS)
    index = {name: range(len(FIELDS[name])) for name in names}
    missing = {((a, i), (b, j)) for a, b in combinations(names, 2) for i in index[a] for j in index[b]}
    rows = []
    while missing:
        row = dict(min(missing))
        for name in names:
            if name not in row:
                gains = [sum(m in missing for m in meetings(row, name, i, names)) for i in index[name]]
                row[name] = gains.index(max(gains))
        missing -= {((a, row[a]), (b, row[b])) for a, b in combinations(names, 2)}
        rows.append({name: FIELDS[name][i] for name, i in row.items()})
    return rows


def meetings(row, name, i, names):
    """The pairs that a further value would make with those chosen, each in the order of the fields."""
    return [tuple(sorted([(name, i), other], key=lambda pair: names.index(pair[0]))) for other in row.items()]


PAIRWISE = pairwise_covering()


def test_the_covering_is_one():
    for a, b in combinations(FIELDS, 2):
        assert {(repr(row[a]), repr(row[b])) for row in PAIRWISE} == set(
            product(map(repr, FIELDS[a]), map(repr, FIELDS[b]))
        )


def names_of(settings):
    return " ".join(f"{name}={getattr(value, 'kind', value)}" for name, value in settings.items())


def train_one_step(pair, spec, dtype):
    """A discriminator's turn with a gradient penalty, then a generator's: both move and nothing is infinite."""
    generator, discriminator = pair
    before = [[p.clone() for p in network.parameters()] for network in pair]
    descents = [torch.optim.SGD(network.parameters(), lr=1e-3) for network in pair]
    latent, real = torch.randn(4, 5), torch.randn(4, spec.channels, spec.size, spec.size, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        fake, logits = generator(latent), discriminator(real).float()
        (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
        d_loss = (softplus(-logits) + softplus(discriminator(fake.detach()).float())).mean()
        (d_loss + gradient.float().square().sum()).backward()
        descents[1].step()
        g_loss = softplus(-discriminator(fake).float()).mean()
    descents[0].zero_grad()
    g_loss.backward()
    descents[0].step()
    assert d_loss.isfinite()
    assert g_loss.isfinite()
    for network, was in zip(pair, before, strict=True):
        assert all(p.isfinite().all() and p.grad.isfinite().all() for p in network.parameters())
        moved = [not torch.equal(p, old) for p, old in zip(network.parameters(), was, strict=True)]
        assert sum(moved) > 0.5 * len(moved)


@pytest.mark.parametrize("settings", PAIRWISE, ids=names_of)
def test_both_players_train_in_bfloat16_with_every_two_choices_together(settings):
    spec = ImageSpec(size=17, channels=3)
    train_one_step(DCGAN(**TINY, **settings).build(spec), spec, torch.bfloat16)


@pytest.mark.parametrize("settings", SINGLE, ids=names_of)
def test_both_players_train_with_every_choice_and_a_copy_can_follow_weights_and_buffers(settings):
    pair = DCGAN(**TINY, **settings).build(SPEC)
    followers = [copy.deepcopy(network) for network in pair]
    train_one_step(pair, SPEC, torch.float32)
    for network, follower, form in zip(pair, followers, ((5,), (3, 16, 16)), strict=True):
        for mine, theirs in zip((*follower.parameters(), *follower.buffers()),
                                (*network.parameters(), *network.buffers()), strict=True):  # fmt: skip
            mine.detach().copy_(theirs)
        batch = torch.randn(4, *form)
        assert torch.equal(follower.eval()(batch), network.eval()(batch))


@pytest.mark.parametrize("settings", SINGLE, ids=names_of)
def test_every_choice_fits_every_side_and_channel_count(settings):
    networks = DCGAN(**TINY, **settings)
    for index, size in enumerate(SIDES):
        spec = ImageSpec(size=size, channels=(1, 3, 4)[index % 3])
        pair = networks.build(spec)
        with torch.no_grad():
            images = pair.generator(torch.randn(2, 5))
            logits, features = pair.discriminator(images, with_features=True)
        assert images.shape == (2, spec.channels, size, size)
        assert images.abs().max() <= 1
        assert logits.shape == (2,)
        assert features.shape[0] == 2
        assert features.shape[2] in range(4, 8)


@pytest.mark.parametrize("settings", SINGLE, ids=names_of)
def test_every_choice_survives_a_checkpoint_and_a_copy_and_channels_last(settings):
    networks = DCGAN(**TINY, **settings)
    pair, loaded = networks.build(SPEC), networks.build(SPEC)
    images, latents = torch.randn(4, 3, 16, 16), torch.randn(4, 5)
    for network, batch in zip(pair, (latents, images), strict=True):
        network(batch)  # running statistics, references and power iterations are no longer those of the start
    for player, batch in enumerate((latents, images)):
        network, other = pair[player].eval(), loaded[player].eval()
        expected = network(batch)
        other.load_state_dict(from_bytes(to_bytes(network.state_dict())))
        assert torch.equal(other(batch), expected)
        assert torch.equal(copy.deepcopy(network)(batch), expected)
        close(network.to(memory_format=torch.channels_last)(batch), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("member", members(AnyNorm))
def test_convolutions_have_biases_where_the_norm_would_not_swallow_them(member):
    networks = DCGAN(**TINY, generator_norm=small(member), discriminator_norm=small(member), closing_layers=2)
    for network in networks.build(SPEC):
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        assert [layer.bias is None for layer in layers] == [member.centres] * len(layers)


def test_default_networks_keep_the_names_of_their_weights():
    pair = DCGAN(width=4).build(SPEC)
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    assert list(pair.generator.state_dict()) == [
        *("layers.0.weight", *(f"layers.1.{name}" for name in norm)),
        *("layers.3.weight", *(f"layers.4.{name}" for name in norm), "layers.6.weight"),
    ]
    assert list(pair.discriminator.state_dict()) == [
        *("layers.0.weight", "layers.2.weight", *(f"layers.3.{name}" for name in norm), "head.weight")
    ]


@pytest.mark.parametrize("member", members(AnyNorm))
def test_only_batch_norm_lets_an_image_depend_on_its_batch_in_training(member):
    pair = DCGAN(**TINY, generator_norm=small(member), discriminator_norm=small(member)).build(SPEC)
    for network, form in zip(pair, ((5,), (3, 16, 16)), strict=True):
        network(torch.randn(4, *form))
        first, others = torch.randn(1, *form), 3 * torch.randn(4, *form)
        alone, among = network(torch.cat([first, first])), network(torch.cat([first, others]))
        assert torch.allclose(alone[0], among[0], atol=1e-4) != (member is norms.BatchNorm)


@pytest.mark.parametrize("member", members(AnyMinibatch))
def test_only_a_minibatch_layer_lets_a_verdict_depend_on_the_other_images(member):
    discriminator = DCGAN(**TINY, discriminator_norm="none", minibatch=small(member)).build(SPEC).discriminator
    first, others = torch.randn(1, 3, 16, 16), torch.randn(3, 3, 16, 16)
    alike, among = discriminator(first.expand(4, -1, -1, -1))[0], discriminator(torch.cat([first, others]))[0]
    assert torch.allclose(alike, among, atol=1e-6) == (member is choices.NoMinibatch)


@pytest.mark.parametrize("who", get_args(DCGAN.model_fields["spectral_norm"].annotation))
def test_spectral_norm_is_where_it_is_asked_for_and_on_every_layer(who):
    pair = DCGAN(**TINY, spectral_norm=who, minibatch="discrimination", closing_layers=1).build(SPEC)
    for name, network in zip(("generator", "discriminator"), pair, strict=True):
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
        normalised = [hasattr(layer, "parametrizations") for layer in layers]
        assert normalised == [who in (name, "both")] * len(layers)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_closing_layers_stand_at_the_resolution_of_the_image_in_both_players(count):
    pair = DCGAN(width=4, closing_layers=count).build(SPEC)
    seen = []
    for network in pair:
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d) and layer.stride == (1, 1) and layer is not pair.discriminator.head:
                layer.register_forward_hook(lambda _, given, out: seen.append((given[0].shape[2], out.shape[2])))
    pair.discriminator(pair.generator(torch.randn(2, 100)))
    assert seen == [(16, 16)] * 2 * count
    assert isinstance(pair.generator.layers[-2], nn.Conv2d if count else nn.ConvTranspose2d)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in pair.discriminator.layers[: 3 if count > 1 else 1])


def told(layer, maps, latent):
    """What a self-modulation makes of maps, channel by channel."""
    dense, _, last = layer.told
    hidden = (latent @ dense.weight.T + dense.bias).clamp(min=0)
    scales, shifts = (hidden @ last.weight.T + last.bias).reshape(len(latent), 2, -1).unbind(1)
    return torch.stack([maps[:, c] * (1 + scales[:, c, None, None]) + shifts[:, c, None, None]
                        for c in range(maps.shape[1])], 1)  # fmt: skip


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_with_self_modulation_the_latent_scales_and_shifts_what_each_norm_gives(norm):
    networks = DCGAN(**TINY, generator_norm=norm, closing_layers=1, self_modulation=6, generator_init="he")
    generator, latent = networks.build(SPEC).generator, torch.randn(3, 5)
    maps, widths, plain = latent[:, :, None, None], [], True
    for layer in generator.layers:
        plain = not isinstance(layer, SelfModulationLayer)
        widths += [] if plain else [maps.shape[1]]
        maps = layer(maps) if plain else told(layer, maps, latent)
    assert len(widths) == 3  # behind the latent's layer, the upsampling and the closing one, but the last
    close(generator(latent), maps)


def test_behind_a_reference_batch_each_image_is_told_its_own_latent():
    networks = DCGAN(**TINY, generator_norm=small(norms.VirtualBatchNorm), self_modulation=6, generator_init="he")
    generator, latent = networks.build(SPEC).generator, torch.randn(4, 5)
    close(generator(latent)[2:], generator(latent[2:]))
    assert not torch.allclose(generator(latent)[:2], generator(latent[2:]), atol=1e-3)


@pytest.mark.parametrize("patches", [1, 2])
def test_the_mean_verdicts_on_the_places_of_inner_maps_are_added_to_that_on_the_whole(patches):
    networks = DCGAN(width=4, discriminator_norm="none", dropout=0.3, patches=patches)
    judge, images = networks.build(ImageSpec(size=32, channels=3)).discriminator.eval(), torch.randn(3, 3, 32, 32)
    whole = copy.deepcopy(judge)
    whole.places = []
    expected, maps, heads = whole(images), images, list(judge.local_heads)
    for layer in judge.layers:
        maps = layer(maps)
        if maps.shape[2] in (16, 8)[-patches:] and isinstance(layer, nn.Dropout):  # which ends a block
            expected = expected + torch.einsum("nchw,c->nhw", maps, heads.pop(0).weight.flatten()).mean((1, 2))
    assert not heads
    close(judge(images), expected)


@pytest.mark.parametrize(("size", "there"), [(16, 1), (17, 1), (32, 2), (64, 2), (256, 2)])
def test_as_many_maps_are_judged_as_there_are(size, there):
    pair = DCGAN(**TINY, patches=2).build(ImageSpec(size=size, channels=3))
    assert len(pair.discriminator.local_heads) == len(pair.discriminator.places) == there
    assert pair.discriminator(torch.randn(2, 3, size, size)).shape == (2,)


def test_verdicts_on_places_do_not_go_with_a_norm_that_wraps_all_layers():
    (problem,) = DCGAN(patches=1, discriminator_norm="virtual_batch").problems(SPEC)
    assert problem.startswith("networks.patches:")


def test_dropout_drops_in_training_only_and_only_in_the_discriminator():
    pair = DCGAN(**TINY, dropout=0.5, discriminator_norm="none").build(SPEC)
    images = torch.randn(2, 3, 16, 16)
    assert not torch.equal(pair.discriminator(images), pair.discriminator(images))
    assert torch.equal(pair.discriminator.eval()(images), pair.discriminator(images))
    assert not any(isinstance(m, nn.Dropout) for m in pair.generator.modules())


@pytest.mark.parametrize(
    "settings",
    [{"dropout": 1.0}, {"dropout": -0.1}, {"closing_layers": -1}, {"self_modulation": -1}, {"spectral_norm": "all"},
     {"upsampling": "strided"}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        DCGAN(**settings)


def test_features_are_those_before_the_minibatch_layer():
    pair = DCGAN(width=4, minibatch="stddev").build(SPEC)
    _, features = pair.discriminator(torch.randn(4, 3, 16, 16), with_features=True)
    assert features.shape == (4, 8, 4, 4)
    assert pair.discriminator.head.in_channels == 8 + 1
