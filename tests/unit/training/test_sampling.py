from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from steadygan.networks import DCGAN, Latents, latents_of
from steadygan.training.sampling import generate_alike, labels_in_turn
from steadygan.training.seeds import derive, fixed_latents, shares

WORD = 2**64 - 1


def philox(counter: int, key: int) -> list[int]:
    """A block of Philox4x64-10 as the paper writes it, in whole numbers. Salmon et al. (2011), section 3.3."""
    x, k = [counter >> 64 * i & WORD for i in range(4)], [key & WORD, key >> 64]
    for _ in range(10):
        low, high = 0xD2E7470EE14C6C93 * x[0], 0xCA5A826395121157 * x[2]
        x = [high >> 64 ^ x[1] ^ k[0], high & WORD, low >> 64 ^ x[3] ^ k[1], low & WORD]
        k = [(k[0] + 0x9E3779B97F4A7C15) & WORD, (k[1] + 0xBB67AE8584CAA73B) & WORD]
    return x


def test_draws_are_the_stream_of_the_number_by_the_papers_own_arithmetic():
    for number in (0, 1, 17, 2**40):
        start, key = number << 128, derive(3, "here", 4)
        words = [word for block in (1, 2, 3) for word in philox(start + block, key)]
        wanted = [((word >> 12) + 0.5) / 2**52 for word in words][:10]
        assert shares([number], 10, 3, "here", 4)[0].tolist() == wanted


KINDS = st.sampled_from(["normal", "uniform"])


@given(st.lists(st.integers(0, 40), max_size=9), st.sampled_from([1, 5, 16, 100]), KINDS)
def test_a_latent_depends_on_its_number_alone(numbers, dim, kind):
    latents = Latents(dim, kind)
    many = fixed_latents(range(41), latents, 7, "sample")
    assert torch.equal(fixed_latents(numbers, latents, 7, "sample"), many[numbers])
    assert torch.equal(fixed_latents(numbers, latents, 7, "sample"), fixed_latents(iter(numbers), latents, 7, "sample"))


def test_seeds_places_and_numbers_have_latents_of_their_own():
    latents = Latents(8)
    rows = torch.cat([fixed_latents(range(50), latents, seed, place) for seed in (0, 1) for place in ("a", "b")])
    assert len({tuple(row) for row in rows.tolist()}) == 200


@pytest.mark.parametrize(("kind", "wanted"), [("normal", stats.norm()), ("uniform", stats.uniform(-1, 2))])
def test_latents_have_their_distribution_fixed_and_drawn(kind, wanted):
    latents = Latents(50, kind)
    for found in (fixed_latents(range(400), latents, 0, "x"), latents.draw(400)):
        assert (found.shape, found.dtype) == ((400, 50), torch.float32)
        assert stats.kstest(found.flatten().double().numpy(), wanted.cdf).pvalue > 1e-3
        assert torch.corrcoef(found.T).fill_diagonal_(0).abs().max() < 0.25
        assert torch.corrcoef(found).fill_diagonal_(0).abs().max() < 0.8


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_the_outermost_draws_are_finite_and_inside(kind):
    found = Latents(2, kind).of(torch.tensor([[2.0**-53, 1 - 2.0**-53]], dtype=torch.float64))
    assert found.isfinite().all()
    assert found[0, 0] == -found[0, 1]
    assert kind == "normal" or found.abs().max() <= 1


def test_training_draws_normal_latents_as_it_always_did():
    torch.manual_seed(0)
    old = torch.randn(7, 13)
    torch.manual_seed(0)
    assert torch.equal(old, Latents(13).draw(7))


def test_networks_of_the_users_own_get_normal_latents():
    class Own:
        latent_dim = 3

    assert latents_of(Own()) == Latents(3, "normal")
    assert latents_of(DCGAN(latent_dim=4, latent="uniform")) == Latents(4, "uniform")


class Counting(nn.Module):
    """Pictures that show how many are made at once, as the rounding of libraries does."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, latent, *labels):
        shown = latent.sum(1) + len(latent) / 255 + sum(label / 255 for label in labels)
        return self.scale * shown[:, None, None, None]


@given(st.lists(st.integers(0, 20), min_size=1), st.integers(1, 8))
def test_a_picture_is_the_same_whatever_others_are_made_with_it(numbers, batch):
    latents, labels = torch.linspace(-0.9, 0.8, 21)[:, None], torch.arange(21)
    many = generate_alike(Counting(), latents, labels, batch=batch)
    assert len(many) == 21
    assert torch.equal(generate_alike(Counting(), latents[numbers], labels[numbers], batch=batch), many[numbers])


def test_classes_come_in_turn_and_each_picture_keeps_its_own():
    assert labels_in_turn(range(6), 0) == ()
    assert labels_in_turn(range(7), 3)[0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert labels_in_turn([5, 17], 3)[0].tolist() == [2, 2]
