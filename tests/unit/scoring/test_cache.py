from __future__ import annotations

import pytest
import torch

from steadygan.features import Described
from steadygan.scoring import Judge, choose_metrics, choose_reference
from steadygan.scoring.cache import keep, recall


class Counting:
    """Features that are the mean colour; counts the pictures it is shown."""

    name, dimensions, classes = "means", 3, 0

    def __init__(self, fingerprint="means-1"):
        self.fingerprint = fingerprint
        self.seen = 0

    def __call__(self, images):
        self.seen += len(images)
        return Described(images.float().mean((2, 3)))


def score(dataset, extractor):
    reference = choose_reference(dataset)
    fakes = reference.pictures(reference.pool)
    return Judge(choose_metrics(["fd"]), reference, extractor, repeats=0)(fakes)[0].value


def test_features_of_reals_are_computed_once_for_all_judges(scenes, own_cache):
    first, second = Counting(), Counting()
    assert score(scenes, first) == score(scenes, second)
    assert (first.seen, second.seen) == (120, 40)  # reals, others and fakes; then fakes alone


def test_other_pixels_under_the_same_name_are_looked_at_again(scenes, renamed, own_cache):
    score(scenes, Counting())
    again = Counting()
    score(renamed("f" * 64), again)
    assert again.seen == 120


def test_another_extractor_does_not_get_the_features_of_the_first(scenes, own_cache):
    score(scenes, Counting())
    other = Counting("means-2")
    score(scenes, other)
    assert other.seen == 120


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"x" + content[1:], lambda _: b""])
def test_a_damaged_cache_is_made_again(scenes, own_cache, damage):
    value = score(scenes, Counting())
    files = sorted(own_cache.iterdir())
    for file in files:
        file.write_bytes(damage(file.read_bytes()))
    again = Counting()
    assert score(scenes, again) == value
    assert again.seen == 120
    assert score(scenes, third := Counting()) == value
    assert third.seen == 40


def test_a_cache_that_cannot_be_written_costs_time_only(scenes, own_cache):
    own_cache.parent.mkdir(parents=True)
    own_cache.write_text("a file where the folder should be")
    assert score(scenes, Counting()) == score(scenes, Counting())


def test_old_features_are_forgotten(scenes, own_cache, monkeypatch):
    monkeypatch.setattr("steadygan.scoring.cache._KEPT", 3)
    for number in range(5):
        keep(scenes, scenes.held_out, f"made-up-{number}", (torch.full((2,), number),))
    assert recall(scenes, scenes.held_out, "made-up-4")[0].tolist() == [4, 4]
    assert recall(scenes, scenes.held_out, "made-up-0") is None
    assert len(list(own_cache.glob("*.safetensors"))) == 3


def test_a_file_that_another_process_is_writing_is_left_alone(scenes, own_cache, monkeypatch):
    monkeypatch.setattr("steadygan.scoring.cache._KEPT", 1)
    own_cache.mkdir(parents=True)
    being_written = own_cache / ".other.part.safetensors"
    being_written.write_bytes(b"half")
    for number in range(3):
        keep(scenes, scenes.held_out, f"made-up-{number}", (torch.zeros(2),))
    assert being_written.exists()
