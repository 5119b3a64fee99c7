"""What holds for every value of the `show` seam."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from steadygan.augment import ADA, AnyShow, AsIs, DiffAugment, InstanceNoise
from steadygan.part import Part
from steadygan.schedule import Linear
from steadygan.spec import ImageSpec

MEMBERS = get_args(get_args(AnyShow)[0])
NEUTRAL: dict[str, Part] = {
    "as_is": AsIs(),
    "instance_noise": InstanceNoise(std=0),
    "diff_augment": DiffAugment(probability=0),
    "ada": ADA(probability=0, cutout=True),
}
FULL: dict[str, Part] = {
    "as_is": AsIs(),
    "instance_noise": InstanceNoise(std=0.3),
    "diff_augment": DiffAugment(),
    "ada": ADA(probability=1, cutout=True),
}
FALLING = Linear(start=0.8, end=0.2, images=100)
SCHEDULED = [InstanceNoise(std=FALLING), DiffAugment(probability=FALLING), ADA(probability=FALLING)]
SPEC = ImageSpec(size=8, channels=3)
KINDS = [member().kind for member in MEMBERS]


class Turn:
    """What a module sees of a turn."""

    def __init__(self, images: int, real_logits: torch.Tensor | None = None) -> None:
        self.images = images
        self.real_logits = torch.zeros(4) if real_logits is None else real_logits


def pictures(count: int = 6, channels: int = 3, size: int = 8, **options) -> torch.Tensor:
    return torch.rand(count, channels, size, size, **options) * 2 - 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
def test_at_strength_0_every_bit_is_as_it_was(kind, channels):
    images = pictures(channels=channels)
    assert torch.equal(NEUTRAL[kind].build(SPEC)(images), images)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_at_full_strength_images_keep_their_form_and_stay_finite(kind, channels, size):
    images = pictures(40, channels, size)
    shown = FULL[kind].build(ImageSpec(size=size, channels=channels))(images)
    assert shown.shape == images.shape
    assert shown.dtype == torch.float32
    assert shown.isfinite().all()
    assert torch.equal(shown, images) == (kind == "as_is")


@pytest.mark.parametrize("kind", KINDS)
def test_every_call_and_every_image_gets_its_own_draw_of_one_distribution(kind):
    if kind == "as_is":
        return
    show, images = FULL[kind].build(SPEC), pictures(1).expand(3000, -1, -1, -1)
    real, fake = show(images), show(images)
    assert not torch.equal(real, fake)
    assert len(real.flatten(1).unique(dim=0)) == 3000
    for statistic in (torch.abs, torch.square, torch.tanh, lambda shown: (shown - shown.roll(1, 3)).abs()):
        a, b = (statistic(shown).flatten(1).mean(1) for shown in (real, fake))
        error = torch.stack([a.std(), b.std()]).norm() / 3000**0.5
        assert (a.mean() - b.mean()).abs() < 4 * error


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_to_the_images_agree_with_finite_differences(kind):
    show, images = FULL[kind].build(SPEC), pictures(2, size=3, dtype=torch.float64).requires_grad_()

    def same_draws(images: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)
        return show(images)

    assert torch.autograd.gradcheck(same_draws, images)
    assert torch.autograd.gradgradcheck(lambda x: same_draws(x).sin(), images, fast_mode=True)


@pytest.mark.parametrize("kind", KINDS)
def test_under_bfloat16_autocast_nothing_is_rounded(kind):
    show, images = FULL[kind].build(SPEC), pictures()
    torch.manual_seed(1)
    expected = show(images)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        shown = show(images)
    assert torch.equal(shown, expected)
    if kind != "as_is":
        assert show(images.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_the_memory_layout_of_the_images_changes_nothing(kind):
    show, images = FULL[kind].build(SPEC), pictures()
    torch.manual_seed(1)
    expected = show(images)
    torch.manual_seed(1)
    torch.testing.assert_close(show(images.contiguous(memory_format=torch.channels_last)), expected)


@pytest.mark.parametrize("settings", [*FULL.values(), ADA(every=1)], ids=lambda settings: settings.kind)
def test_nothing_waits_for_the_device(settings, monkeypatch):
    show, images = settings.build(SPEC), pictures()

    def refuse(*_: object) -> None:
        raise AssertionError("reads a tensor")

    for read in ("__bool__", "__float__", "__int__", "__index__", "item", "tolist", "cpu", "numpy", "nonzero"):
        monkeypatch.setattr(torch.Tensor, read, refuse)
    show(images)
    if hasattr(show, "watch"):
        show.watch(Turn(10))
        show.watch(Turn(20))


@pytest.mark.parametrize("settings", SCHEDULED, ids=lambda settings: settings.kind)
def test_a_schedule_is_followed_and_a_resumed_run_goes_on_with_the_same_number(settings):
    show = settings.build(SPEC)
    assert show.amount == pytest.approx(0.8)
    show.watch(Turn(50))
    assert show.amount == pytest.approx(0.5)
    resumed = settings.build(SPEC)
    resumed.load_state_dict(show.state_dict())
    assert resumed.amount == pytest.approx(0.5)
    images = pictures()
    torch.manual_seed(2)
    expected = show(images)
    torch.manual_seed(2)
    assert torch.equal(resumed(images), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_settings_survive_their_own_description(kind):
    adapter = TypeAdapter(AnyShow)
    assert adapter.validate_python(FULL[kind].model_dump()) == FULL[kind]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "instance_noise", "std": -0.1}, "0 or more"),
        ({"kind": "diff_augment", "probability": 1.5}, "between 0 and 1"),
        ({"kind": "diff_augment", "colour": False, "translation": False, "cutout": False}, "show=as_is"),
        ({"kind": "ada", "probability": {"kind": "linear", "start": 0, "end": 2, "images": 9}}, "between 0 and 1"),
        ({"kind": "ada", "blitting": False, "geometry": False, "colour": False}, "show=as_is"),
        ({"kind": "ada", "target": 1}, "less than 1"),
        ({"kind": "ada", "speed_images": 0}, "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(AnyShow).validate_python(wrong)


def test_noise_has_the_standard_deviation_it_is_given():
    noise = InstanceNoise(std=0.3).build(SPEC)(torch.zeros(200, 3, 8, 8))
    assert noise.std() == pytest.approx(0.3, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.01)
