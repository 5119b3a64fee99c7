from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import spectral_norm as older_spectral_norm

from steadygan.networks import DCGAN
from steadygan.networks.freezing import keep, layers_of
from steadygan.networks.norms import InstanceNorm, VirtualBatchNorm
from steadygan.spec import ImageSpec
from unit.networks.test_networks import MEMBERS, pair_of

CHOSEN = {
    "virtual": DCGAN(width=8, discriminator_norm=VirtualBatchNorm(reference=4), closing_layers=1),
    "bounded": DCGAN(width=8, discriminator_norm=InstanceNorm(), spectral_norm="both"),
}
COUNTS = {  # by hand: convolutions, dense layers and residual blocks from the image to the logit, labels last
    "dcgan": 4,
    "satellite": 2 + 2 + 3,
    "upsample": 2 + 1,
    "faces256": 5,
    "msg": 1 + 2 * 3 + 1,
    "sngan": 4 + 1 + 1,
    "r3gan": 1 + 2 * 3 + 2 + 1,
    "points": 2 + 1,
}


@pytest.fixture(params=[*MEMBERS, *CHOSEN])
def judged(request):
    """A discriminator of every family, images for it, and labels if it wants them."""
    spec, labels = ImageSpec(size=16, channels=3), ()
    if request.param in CHOSEN:
        pair = CHOSEN[request.param].build(spec)
    else:
        _, spec, pair, labels = pair_of(request.param)
    return pair.discriminator, torch.randn(3, spec.channels, spec.size, spec.size), labels


@pytest.mark.parametrize("family", MEMBERS)
def test_a_discriminator_has_as_many_layers_as_one_counts_by_hand(family):
    settings, _, pair, _ = pair_of(family)
    assert len(layers_of(pair.discriminator)) == COUNTS[settings.kind]


def test_layers_hold_every_parameter_once_in_the_order_in_which_images_pass(judged):
    network, images, labels = judged
    layers = layers_of(network)
    named = [parameter for layer in layers for parameter in layer.parameters()]
    assert {id(parameter) for parameter in named} == {id(parameter) for parameter in network.parameters()}
    assert len({id(parameter) for parameter in named}) == len(named)
    passed: list[int] = []
    for number, layer in enumerate(layers):
        layer[0].register_forward_hook(lambda *_, number=number: passed.append(number))
    network.eval()(images, *labels)
    assert list(dict.fromkeys(passed)) == list(range(len(layers)))


def test_layers_that_are_kept_stay_to_the_bit_in_training_while_the_others_move(judged):
    network, images, labels = judged
    layers = layers_of(network.train())
    network(images, *labels)  # a virtual batch norm takes its reference now
    for layer in layers[:2]:
        keep(layer)
    before = [{name: value.clone() for name, value in layer.state_dict().items()} for layer in layers]
    weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-2, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        network(images + torch.randn_like(images), *labels).square().mean().backward()
        optimizer.step()
    moved = [any(not torch.equal(old[n], v) for n, v in layer.state_dict().items())
             for old, layer in zip(before, layers, strict=True)]  # fmt: skip
    assert moved == [False] * 2 + [True] * (len(layers) - 2)


def test_a_batch_norm_that_is_kept_divides_by_its_batch_in_training_and_by_its_statistics_else():
    layer = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    batches = [torch.randn(8, 1, 4, 4) * 5 + 3 for _ in range(2)]
    layer(batches[0])
    trained = layer(batches[1])
    sampled = layer.eval()(batches[0])
    keep(layer.train())
    assert torch.equal(layer(batches[1]), trained)
    assert torch.equal(layer.eval()(batches[0]), sampled)


def test_older_spectral_norms_of_users_are_kept_too():
    layer = older_spectral_norm(nn.Linear(5, 4))
    keep(layer)
    before = layer.weight_u.clone()
    layer(torch.randn(2, 5))
    assert torch.equal(layer.weight_u, before)
