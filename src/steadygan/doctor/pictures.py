"""Faults that can be seen in the pictures, each by the same quantity of the reals."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from steadygan.doctor.case import Case
from steadygan.doctor.progress import YOUNG, medians, progress
from steadygan.doctor.remedies import dcgan_choice, option, rate, recipe
from steadygan.doctor.rule import Rule
from steadygan.doctor.trends import RECENT, level, past_beginning, start

# Times the reals' ratio of a grid's frequencies to those nearby, 12 dB: small DCGANs and critics keep 5 to 12 times it.
_GRID = 16.0
_NOISY = 5  # measurements that must all show it: a DCGAN's go up and down by 10 dB from one to the next
_OFF = 0.5  # of the reals' deviation within a picture, by which the mean of a channel is off
_STRONG = 1.6  # times the reals' contrast: harsher than a photograph two stops apart
_WEAK = 0.55
_ENDS = 0.15  # more of the values than of the reals' stand at the ends of the range
_TIMES = 2.0
# Units that answer nothing to anything. AutoTrainer (ICSE 2021) says 70 % of zero gradients is a dying ReLU; that is
# late: a half that was alive before is a network of half the size.
_DEAD = 0.5
_DIED = 0.1  # of the units since the run began; or they never lived
# A generator that has learned nothing has grids and pale colours too, of which something else is the cause: it has
# learned once its pictures were nearer than so much of the first distance, or than so much of the reals' contrast.
_LEARNED, _NEAR = 0.7, 1.2
_CAME = 0.6  # of it, that pictures had before they became worse: then it came later, and training does not begin so
_PARTS = 8  # of the run so far, at whose ends that is looked for
_FADING = 0.9  # of what it was at half the images: what goes away by itself is no fault
# Of the contrast: two unrelated pictures differ by about 1.4 of it. Healthy runs with batches of 16 stay below 0.5 with
# Adam; with SOAP, whose statistics lag more, they reach 0.6.
_MODES = 0.7


def _near(case: Case) -> bool:
    """Whether the pictures can be judged, and have had anything of the reals."""
    distance = case["signals.distance"].finite().values
    limits = _NEAR * level(case["signals.contrast_real"]), _LEARNED * (distance[0] if len(distance) else math.nan)
    return past_beginning(case) and not (len(distance) >= RECENT and medians(distance).min() > max(limits))


def _lasting(case: Case, measure: Callable[[Case], float], more_than: float) -> bool:
    """Whether a fault is so large now and does not fade, in pictures that have learned, or did without it."""
    now = measure(case)
    if not now > more_than or case.steps_learned < YOUNG:
        return False
    before = [measure(case.until(case.images * part // _PARTS)) for part in range(1, _PARTS)]
    had = min((one for one in before if math.isfinite(one)), default=now) <= _CAME * now
    way = progress(case)
    came = had and way is not None and way.worse
    return (came or _near(case)) and not now < _FADING * before[_PARTS // 2 - 1]


def _grid(case: Case) -> float:
    real, fake = level(case["signals.checkerboard_real"]), case["signals.checkerboard"].finite().values
    return float(fake[-_NOISY:].min() / real) if len(fake) >= _NOISY and real > 0 else math.nan


def _checkerboard(case: Case) -> str | None:
    if not _lasting(case, _grid, _GRID):
        return None
    return (
        f"at the frequencies of a grid of 2 or 4 pixels the pictures have {level(case['signals.checkerboard']):.3g} "
        f"times the power of those nearby, reals {level(case['signals.checkerboard_real']):.3g}: {_grid(case):.1f} "
        "times that"
    )


def _shifts(case: Case) -> dict[str, float]:
    """By how much the mean of each channel is off."""
    real, fake = (case.group(f"signals.{name}") for name in ("colour_real", "colour"))
    found = {channel: level(fake[channel]) - level(real[channel]) for channel in real.keys() & fake.keys()}
    return {channel: shift for channel, shift in found.items() if math.isfinite(shift)}


def _shift(case: Case) -> float:
    return max(map(abs, _shifts(case).values()), default=math.nan)


def _colours_off(case: Case) -> str | None:
    spread = level(case["signals.contrast_real"])
    if not (spread > 0 and _lasting(case, _shift, _OFF * spread)):
        return None
    shifts = _shifts(case)
    worst = max(shifts, key=lambda channel: abs(shifts[channel]))
    real = level(case[f"signals.colour_real.{worst}"])
    return (
        f"channel {int(worst) + 1} is {real + shifts[worst]:.2f} on average in the pictures and {real:.2f} in the "
        f"reals, whose deviation within a picture is {spread:.2f}"
    )


def _harshness(case: Case) -> float:
    real = level(case["signals.contrast_real"])
    return level(case["signals.contrast"]) / real if real > 0 else math.nan


def _contrast_off(case: Case) -> str | None:
    share = _harshness(case)
    if not (_lasting(case, lambda one: 1 - _harshness(one), 1 - _WEAK) or _lasting(case, _harshness, _STRONG)):
        return None
    real = level(case["signals.contrast_real"])
    return f"the deviation within a picture is {share * real:.2f}, {share:.0%} of the reals' {real:.2f}"


def _saturated(case: Case) -> str | None:
    real, fake = level(case["signals.saturated_real"]), level(case["signals.saturated"])
    if not (past_beginning(case) and fake > max(real + _ENDS, _TIMES * real)):
        return None
    return f"{fake:.0%} of the pictures' values stand at the ends of the range, {real:.0%} of the reals'"


def _dead(player: str, case: Case) -> str | None:
    dead = case[f"signals.dead.{player}"]
    now, before = level(dead), start(dead)
    if not (now >= _DEAD and (now >= before + _DIED or before >= _DEAD)):
        return None
    return (
        f"{now:.0%} of the units of a layer of the {player} answer nothing to any latent or image; it was {before:.0%} "
        "at the start"
    )


def _modes(case: Case) -> str | None:
    apart = level(case["signals.modes"])
    if not (past_beginning(case) and apart > _MODES):
        return None
    return (
        f"a picture in evaluation mode differs from the same in training mode by {apart:.0%} of the contrast within a "
        "picture; 0 % would be the same picture"
    )


def _against_grids(case: Case) -> list[str]:
    if case.setting("networks.kind") != "dcgan":
        longer = "--images N (networks often lose a faint grid as they go on)"
        return [*recipe(case, "upsample", "a generator that enlarges before it convolves"), longer]
    up, down = case.setting("networks.upsampling", {}), case.setting("networks.downsampling", {})
    found = []
    if up.get("kind") in ("transposed", "pixel_shuffle"):
        found.append(option("networks.upsampling", "nearest", "every pixel is covered by the kernel alike"))
    if up.get("kind") == "transposed" and up.get("kernel", 4) % 2:
        found.append(option("networks.upsampling.kernel", 4, "2 divides it, so that the kernels overlap evenly"))
    if down.get("kind") == "strided":
        found.append(option("networks.downsampling", "residual", "gradients without the grid of strided convolutions"))
    closing = case.setting("networks.closing_layers", 0) + 1
    return [*found, option("networks.closing_layers", closing, "a convolution at the full size evens the grid out")]


def _slower(case: Case, player: str = "generator") -> list[str]:
    return [rate(case, player, 0.5, f"smaller steps of the {player}")]


def _uncoloured(case: Case) -> list[str]:
    augmented = case.setting("show.kind") in ("diff_augment", "ada") and case.setting("show.colour", True)
    return [option("show.colour", False, "colours are not augmented, so that they cannot leak")] if augmented else []


def _against_shift(case: Case) -> list[str]:
    later = "--images N (pictures that are near in all else come to the reals' colours later)"
    return [*_uncoloured(case), *_slower(case), later]


def _against_contrast(case: Case) -> list[str]:
    """Harsh pictures want a slower generator; pale ones were held back."""
    pale = _harshness(case) < 1
    return [*_uncoloured(case), *_slower(case, "discriminator")] if pale else _slower(case)


def _against_ends(case: Case) -> list[str]:
    return [*_slower(case), "look at inputs.png (reals that stand at the ends of the range have lost light or dark)"]


def _against_death(player: str, case: Case) -> list[str]:
    leaky = dcgan_choice(case, f"{player}_activation", "leaky_relu", "a unit that leaks cannot die", "relu")
    return [*leaky, *_slower(case, player), *recipe(case, "steady", f"its {player} keeps alive at its rate")]


def _against_modes(case: Case) -> list[str]:
    larger = f"--batch {2 * case.setting('batch', 32)} (statistics of more images are nearer to those of all)"
    batch_norm = case.setting("networks.generator_norm.kind") == "batch"
    other = [
        option("networks.generator_norm.momentum", 0.01, "running statistics of more batches"),
        option("networks.generator_norm", "pixel", "a norm that does not depend on the other images"),
    ]
    return [
        larger,
        *(other if batch_norm else []),
        *recipe(case, "steady", "its statistics are measured anew for pictures"),
    ]


_BRINGS = ("discriminator-too-strong", "past-best")

PICTURES: tuple[Rule, ...] = (
    Rule(
        id="checkerboard",
        severity="warning",
        says="the pictures have a grid of 2 or 4 pixels",
        causes="transposed convolutions, whose kernels overlap unevenly; strided ones in the discriminator",
        judge=_checkerboard,
        remedies=_against_grids,
        source="Odena et al. (2016), Deconvolution and Checkerboard Artifacts, doi:10.23915/distill.00003",
        unless="the run is short: nets often lose a faint grid by themselves as they go on",
        picture="progress.gif",
        leads_to=_BRINGS,
    ),
    Rule(
        id="colours-off",
        severity="warning",
        says="the pictures have other colours than the reals",
        causes="augmentation of colours that leaks; steps too large; a generator that answers the discriminator's last "
        "move with one colour for all",
        judge=_colours_off,
        remedies=_against_shift,
        source="Karras et al. (2020), arXiv:2006.06676, section 2.2",
        unless="the colours go round from tick to tick and the averaged generator has the right ones",
        picture="progress.gif",
        leads_to=_BRINGS,
    ),
    Rule(
        id="contrast-off",
        severity="warning",
        says="the pictures are much harsher, or much paler, than the reals",
        causes="harsh: steps too large, weights that grow without limit. Pale: pictures that mean several at once, a "
        "generator that was held back, augmentation of contrast that leaks",
        judge=_contrast_off,
        remedies=_against_contrast,
        source="Karras et al. (2020), Analyzing and Improving the Image Quality of StyleGAN, arXiv:1912.04958",
        unless="the pictures' distance to the reals still falls: then the contrast often follows",
        picture="progress.gif",
        leads_to=_BRINGS,
    ),
    Rule(
        id="saturated",
        severity="warning",
        says="the pictures stick to the ends of the range",
        causes="steps too large before a tanh, whose gradient is 0 out there; reals in another range than the pictures",
        judge=_saturated,
        remedies=_against_ends,
        source="Radford et al. (2016), arXiv:1511.06434, section 3",
        unless="the reals are drawings of black and white, of which fewer were measured than there are",
        picture="progress.gif",
        leads_to=("contrast-off", "colours-off", *_BRINGS),
    ),
    Rule(
        id="dead-generator",
        severity="warning",
        says="half of a layer of the generator answers nothing",
        causes="steps too large early on, which drove ReLUs below 0 for every latent; an initialisation too large",
        judge=partial(_dead, "generator"),
        remedies=partial(_against_death, "generator"),
        source="Zhang et al. (2021), AutoTrainer, ICSE 2021; Maas et al. (2013), Rectifier Nonlinearities",
        unless="the pictures are as good as those of a run whose units live: then it is merely too wide",
        leads_to=("contrast-off", "colours-off", "partial-collapse", "mode-collapse", *_BRINGS, "batch-norm-modes"),
    ),
    Rule(
        id="dead-discriminator",
        severity="warning",
        says="half of a layer of the discriminator answers nothing",
        causes="ReLUs in the discriminator, whose dead units give the generator no gradient; steps too large early on",
        judge=partial(_dead, "discriminator"),
        remedies=partial(_against_death, "discriminator"),
        source="Zhang et al. (2021), AutoTrainer, ICSE 2021; Radford et al. (2016), arXiv:1511.06434, section 3",
        unless="the pictures are as good as those of a run whose units live: then it is merely too wide",
        leads_to=("discriminator-too-weak", "vanishing-gradients"),
    ),
    Rule(
        id="batch-norm-modes",
        severity="warning",
        says="batch norm makes other pictures in evaluation mode than in training",
        causes="small batches, whose statistics differ much; running statistics of weights that have moved on",
        judge=_modes,
        remedies=_against_modes,
        source="Ioffe and Szegedy (2015), arXiv:1502.03167, section 3.1; Salimans et al. (2016), arXiv:1606.03498",
        unless="only samples of this package are used: it measures the statistics anew for them",
        picture="progress.gif",
    ),
)
