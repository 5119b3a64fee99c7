"""Two runs that are to differ in one thing begin with the same weights wherever they can."""

from __future__ import annotations

import torch

from steadygan.recipes import choose_recipe
from steadygan.spec import ImageSpec
from steadygan.training.build import alike, make_pair
from steadygan.training.changing import override

SPEC = ImageSpec(size=32, channels=3)
SMALL = {"networks": {"width": 4, "max_width": 8, "latent_dim": 8}}


def pairs(change: dict):
    base = override(choose_recipe("dcgan"), SMALL)
    other = override(base, change)
    return base, other, make_pair(base, SPEC), make_pair(other, SPEC)


def plain(network):
    names = {
        name.replace("parametrizations.", "").removesuffix(".original"): p for name, p in network.named_parameters()
    }
    return {name: value.detach().clone() for name, value in names.items()}


def test_a_spectral_norm_of_both_players_begins_with_the_bases_weights():
    base, other, first, second = pairs({"networks": {"spectral_norm": "both"}})
    before = plain(second.discriminator)
    assert any(not torch.equal(before[name], value) for name, value in plain(first.discriminator).items())
    alike(second, other, base, SPEC)
    for mine, theirs in zip(second, first, strict=True):
        wanted, found = plain(theirs), plain(mine)
        assert wanted.keys() == found.keys()
        assert all(torch.equal(found[name], value) for name, value in wanted.items())
    with torch.no_grad():  # and the norms know the weights that they now stand before
        for module in second.discriminator.modules():
            if hasattr(module, "parametrizations") and module.weight.ndim == 4:
                assert torch.linalg.matrix_norm(module.weight.flatten(1), 2) < 1.1


def test_another_initialisation_keeps_its_own_weights_and_leaves_the_other_player_alike():
    base, other, first, second = pairs({"networks": {"discriminator_init": "orthogonal"}})
    own = plain(second.discriminator)
    alike(second, other, base, SPEC)
    assert all(torch.equal(value, own[name]) for name, value in plain(second.discriminator).items())
    assert all(torch.equal(value, plain(second.generator)[name]) for name, value in plain(first.generator).items())


def test_the_seed_is_that_of_the_run_not_of_the_base():
    base, other, _, _ = pairs({})
    seeded = other.model_copy(update={"seed": 3})
    fresh, wanted = make_pair(seeded, SPEC), plain(make_pair(seeded, SPEC).generator)
    alike(fresh, seeded, base, SPEC)
    assert all(torch.equal(value, wanted[name]) for name, value in plain(fresh.generator).items())
