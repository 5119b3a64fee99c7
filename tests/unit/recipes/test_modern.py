"""What the default recipe makes of the images and the machine."""

from __future__ import annotations

import pytest

from steadygan.recipes.facts import Facts
from steadygan.recipes.modern import steady


@pytest.mark.parametrize("images", [300, 3_999])
def test_few_images_are_augmented_as_often_as_they_come_again(images):
    probability = steady(Facts(images=images)).show.probability
    assert [probability(views * images) for views in (0, 10, 40, 400)] == pytest.approx([0, 0.2, 0.8, 0.8])


@pytest.mark.parametrize("facts", [Facts(images=4_000), Facts(images=300, size=1, channels=2)])
def test_many_images_and_points_are_shown_as_they_are(facts):
    assert steady(facts).show.kind == "as_is"


def test_small_pictures_get_larger_batches_and_a_plain_discriminator():
    small, large = (steady(Facts(size=size)) for size in (32, 64))
    assert (small.batch, small.networks.downsampling.kind, small.networks.patches) == (32, "strided", 0)
    assert (large.batch, large.networks.downsampling.kind, large.networks.patches) == (16, "residual", 2)


@pytest.mark.parametrize(
    ("facts", "kind"),
    [({}, "soap"), ({"device": "cuda"}, "adam"), ({"device": "mps"}, "adam"), ({"size": 1, "channels": 2}, "adam")],
)
def test_the_optimizer_is_the_one_that_was_measured_there(facts, kind):
    config = steady(Facts(**facts))
    assert {config.optimizer.generator.kind, config.optimizer.discriminator.kind} == {kind}
    assert {penalty.every for penalty in config.penalties} == {8 if kind == "soap" else 4}
