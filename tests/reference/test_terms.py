"""Every generator term against hand values, and what all techniques of this room must say about themselves."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from steadygan.objectives import (
    L2,
    AnyGeneratorTerm,
    AnyLoss,
    AnyPenalty,
    FeatureMatching,
    GeneratorTerm,
    HistoricalAveraging,
    ModeSeeking,
    View,
)
from steadygan.schedule import Linear
from tables import Table

MEMBERS = get_args(get_args(AnyGeneratorTerm)[0])
TECHNIQUES = {
    part.__name__: part for union in (AnyLoss, AnyPenalty, AnyGeneratorTerm) for part in get_args(get_args(union)[0])
}


def discriminator(images, *given, with_features=False):
    logits = images.flatten(1).sum(1)
    return (logits, 2 * images) if with_features else logits


def player() -> nn.Module:
    network = nn.Linear(2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[3.0, -4.0]]))
        network.bias.fill_(7.0)
    return network


def view(**others) -> View:
    """Mean features (2, 4) of reals and (4, 2) of fakes; latents that differ by 3 and 1, images by 2 and 0."""
    settings = {
        "real": torch.tensor([[0.0, 0.0], [2.0, 4.0]]),
        "fake": torch.tensor([[3.0, 1.0], [1.0, 1.0]]),
        "latent": torch.tensor([[0.0, 0.0], [3.0, -1.0]]),
        "made": torch.tensor([[3.0, 1.0], [1.0, 1.0]]),
        "player": player(),
        **others,
    }
    return View(discriminator, **settings)


def away(term: HistoricalAveraging, seen: View):
    """A history whose mean is 1 and 2 away from the two weights, and 0 from the bias."""
    history = term.build(seen.player)
    with torch.no_grad():
        seen.player.weight += torch.tensor([[1.0, 2.0]])
    return history


# kind: (how to make what is called with the view, its value for weight 0.5 there)
REFERENCE = Table(
    "REFERENCE in tests/reference/test_terms.py",
    {
        "feature_matching": (lambda term, seen: term, 0.5 * (4 + 4)),
        # mean distances 2 and 1
        "mode_seeking": (lambda term, seen: term, 0.5 * 2 / (1 + 1e-5)),
        "l2": (lambda term, seen: term, 0.5 / 2 * (9 + 16)),
        "historical_averaging": (away, 0.5 * (1 + 4)),
    },
)


@pytest.mark.parametrize("member", MEMBERS)
def test_term_has_its_hand_value(member):
    seen = view()
    make, expected = REFERENCE[member().kind]
    value = make(member(weight=0.5), seen)(seen)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, torch.tensor(expected))


@pytest.mark.parametrize("member", MEMBERS)
def test_the_weight_of_a_term_may_follow_a_schedule(member):
    seen = view(images=25)
    make, expected = REFERENCE[member().kind]
    value = make(member(weight=Linear(start=0, end=2, images=100)), seen)(seen)
    torch.testing.assert_close(value, torch.tensor(expected))


@pytest.mark.parametrize("member", MEMBERS)
def test_a_term_is_callable_or_builds_what_is(member):
    term = member()
    assert isinstance(term if callable(term) else term.build(player()), GeneratorTerm)


@pytest.mark.parametrize("part", TECHNIQUES.values(), ids=list(TECHNIQUES))
def test_a_technique_says_when_it_helps_and_hurts_and_dates_its_paper(part):
    for sentence in (part.helps, part.hurts):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    assert part.helps != part.hurts
    assert not part.paper or "20" in str(part.__doc__), "the year of its source"
    assert part.model_validate(part().model_dump(mode="json")) == part()


def test_feature_matching_sends_gradients_to_the_fakes_only_and_towards_the_reals():
    seen = view()
    seen.real.requires_grad_()
    seen.fake.requires_grad_()
    FeatureMatching()(seen).backward()
    assert seen.real.grad is None
    # d/dfake of (2 mean(fake) - (2, 4))^2 summed: means differ by (2, -2), features are twice the image, two images
    torch.testing.assert_close(seen.fake.grad, torch.tensor([[4.0, -4.0], [4.0, -4.0]]))


def test_feature_matching_is_told_the_conditions():
    def asked(images, labels, with_features):
        return None, images * labels[:, None]

    labels = torch.tensor([1, 3])
    seen = View(asked, torch.zeros(2, 2), torch.ones(2, 2), given=(labels,))
    torch.testing.assert_close(FeatureMatching()(seen), torch.tensor(8.0))


def test_mode_seeking_compares_the_first_half_with_the_second_and_leaves_an_odd_image_out():
    latent = torch.tensor([[0.0], [10.0], [1.0], [13.0], [99.0]])
    fake = torch.tensor([0.0, 1.0, 4.0, 2.0, 77.0]).reshape(5, 1, 1, 1).expand(5, 3, 2, 2)
    # latents differ by 1 and 3, images by 4 and 1
    value = ModeSeeking(eps=0.5)(View(discriminator, fake, fake, made=fake, latent=latent))
    torch.testing.assert_close(value, torch.tensor(2 / (2.5 + 0.5)))


def test_mode_seeking_pairs_images_of_one_label():
    labels = torch.tensor([2, 0, 2, 1, 0, 5, 2])
    latent = torch.tensor([[0.0], [1.0], [3.0], [50.0], [6.0], [-70.0], [4.0]])
    fake = torch.tensor([0.0, 2.0, 1.0, 40.0, 9.0, -80.0, 3.0])[:, None]
    # images 1 and 4 (latents 5 apart, images 7), 0 and 2 (3 and 1), 2 and 6 (1 and 2)
    value = ModeSeeking()(View(discriminator, fake, fake, made=fake, given=(labels,), latent=latent))
    torch.testing.assert_close(value, torch.tensor((5 + 3 + 1) / (7 + 1 + 2)), rtol=1e-4, atol=0)


def test_mode_seeking_with_no_two_images_of_a_label_is_0_not_nan():
    fake = torch.randn(4, 1, requires_grad=True)
    value = ModeSeeking()(
        View(discriminator, fake, fake, made=fake, given=(torch.arange(4),), latent=torch.randn(4, 2))
    )
    value.backward()
    assert value == 0
    assert (fake.grad == 0).all()


def test_descending_mode_seeking_drives_images_apart():
    fake = torch.tensor([[0.0], [1.0]], requires_grad=True)
    ModeSeeking()(View(discriminator, fake, fake, made=fake, latent=torch.tensor([[0.0], [1.0]]))).backward()
    assert fake.grad[0] > 0
    assert fake.grad[1] < 0


def test_mode_seeking_of_a_total_collapse_is_large_and_finite():
    fake = torch.ones(6, 1, 2, 2, requires_grad=True)
    value = ModeSeeking()(View(discriminator, fake, fake, made=fake, latent=torch.randn(6, 4)))
    value.backward()
    assert 1e4 < value < 1e6
    assert fake.grad.isfinite().all()


def test_historical_averaging_is_the_distance_from_the_mean_over_all_turns():
    network = player()
    history = HistoricalAveraging(weight=1.0).build(network)
    seen = view(player=network)
    past = [nn.utils.parameters_to_vector(network.parameters()).detach().clone()]
    for _ in range(4):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))
        history.watch(seen)
        past.append(nn.utils.parameters_to_vector(network.parameters()).detach().clone())
        expected = (past[-1] - torch.stack(past).mean(0)).square().sum()
        value = history(seen)
        torch.testing.assert_close(value, expected)
    value.backward()
    direction = 2 * (past[-1] - torch.stack(past).mean(0))
    gradient = torch.cat([p.grad.flatten() for p in network.parameters()])
    torch.testing.assert_close(gradient, direction)


def test_a_history_survives_its_state_dict_and_holds_no_weights_of_its_own():
    network = player()
    first = HistoricalAveraging().build(network)
    with torch.no_grad():
        network.weight += 1
    first.watch(view(player=network))
    second = HistoricalAveraging().build(network)
    assert second(view(player=network)) == 0
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(second(view(player=network)), first(view(player=network)))
    assert first(view(player=network)) > 0
    assert list(first.parameters()) == []


def test_l2_counts_trainable_weights_but_neither_biases_nor_frozen_ones():
    network = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Linear(3, 1))
    network[2].requires_grad_(False)
    weight = network[0].weight
    value = L2(weight=0.1)(view(player=network))
    torch.testing.assert_close(value, 0.05 * weight.square().sum())
    value.backward()
    torch.testing.assert_close(weight.grad, 0.1 * weight.detach())
    assert network[0].bias.grad is None


def test_l2_takes_in_biases_and_scales_when_asked():
    network = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Linear(3, 1))
    network[2].requires_grad_(False)
    counted = [*network[0].parameters(), *network[1].parameters()]
    value = L2(weight=0.1, biases=True)(view(player=network))
    torch.testing.assert_close(value, 0.05 * sum(p.square().sum() for p in counted))
    value.backward()
    for parameter in counted:
        torch.testing.assert_close(parameter.grad, 0.1 * parameter.detach())


@pytest.mark.parametrize("member", [L2, HistoricalAveraging])
def test_what_is_both_penalty_and_term_counts_in_every_turn(member):
    assert member in get_args(get_args(AnyPenalty)[0])
    assert member().every == 1
    with pytest.raises(ValidationError):
        member(every=2)
