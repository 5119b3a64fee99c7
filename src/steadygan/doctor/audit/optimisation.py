"""Mistakes in how the two networks are to learn: rates, turns, losses, batches."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from typing import Any

from steadygan.doctor.audit.plan import SQUARED, AuditRule, RunPlan, always, most
from steadygan.doctor.remedies import PLAYERS

_LARGEST = {"adam": 1.0, "soap": 0.5, "rmsprop": 1.0, "sgd": 500.0}
"""Largest rate of each optimizer as a multiple of Adam's."""

_MISTAKES = "Fake satellite images, mistake"
_UNSURE, _BOUNDED = 3.5, 30.0


def usual_rate(batch: float) -> float:
    """Adam's rate for a batch: 2e-4 at 64, 1e-3 at 512, a power law through both, as at 32 below that."""
    return float(2e-4 * (max(batch, 32) / 64) ** 0.774)


def _rate(plan: RunPlan, player: str) -> float:
    return most(plan.setting(f"optimizer.{player}.lr"))


def _usual(plan: RunPlan, player: str) -> float:
    """What is usual for its batch and optimizer; infinite of an unknown one."""
    return usual_rate(plan.setting("batch", 64)) * _LARGEST.get(
        plan.setting(f"optimizer.{player}.kind", "adam"), math.inf
    )


def _high(plan: RunPlan) -> list[str]:
    times = _BOUNDED if plan.penalty(*SQUARED) else _UNSURE
    return [player for player in PLAYERS if _rate(plan, player) > times * _usual(plan, player)]


def _low(plan: RunPlan) -> list[str]:
    adams = [player for player in PLAYERS if plan.setting(f"optimizer.{player}.kind") in ("adam", "soap")]
    slow = {player: rate for player in adams if (rate := _rate(plan, player)) * 8 < _usual(plan, player)}
    steps = plan.steps or math.inf
    return [name for name, rate in slow.items() if rate * 50 < _usual(plan, name) or rate * steps < 0.5]


def _off(plan: RunPlan, players: list[str]) -> str | None:
    rates = [f"{player} {_rate(plan, player):.3g}, where {_usual(plan, player):.2g} is usual" for player in players]
    batch = plan.setting("batch", 0)
    return f"learning rate for a batch of {batch} of the {' and of the '.join(rates)}" if batch and rates else None


def _too_low(plan: RunPlan) -> str | None:
    low, steps = _low(plan), plan.steps
    way = f"; in {steps:,} steps a weight moves {_rate(plan, low[0]) * steps:.2g} at most" if low and steps else ""
    found = _off(plan, low)
    return found and f"{found}{way}"


def _rates(plan: RunPlan) -> list[str]:
    wrong = [player for player in PLAYERS if player in (*_high(plan), *_low(plan))] or PLAYERS
    return [" ".join(f"--set optimizer.{player}.lr={_usual(plan, player):.2g}" for player in wrong)]


def _heavy(plan: RunPlan) -> list[str]:
    return [player for player in PLAYERS if plan.setting(f"optimizer.{player}.beta1", 0.0) >= 0.8]


def _momentum(plan: RunPlan) -> str | None:
    named = [f"{plan.setting(f'optimizer.{player}.beta1'):g} of the {player}" for player in _heavy(plan)]
    return f"beta1 is {' and '.join(named)}; the DCGAN's is 0.5, later recipes have 0" if named else None


def _less_momentum(plan: RunPlan) -> list[str]:
    return [" ".join(f"--set optimizer.{player}.beta1=0.5" for player in _heavy(plan) or PLAYERS)]


def _more_turns(plan: RunPlan) -> bool:
    fixed = plan.setting("turns.kind") in ("fixed", "apart")
    return fixed and plan.turns("generator") > plan.turns("discriminator")


def _favours_generator(plan: RunPlan) -> str | None:
    turns, rates = [plan.turns(player) for player in PLAYERS], _comparable(plan)
    if _more_turns(plan):
        return f"the generator has {turns[0]} turns a step, the discriminator {turns[1]}"
    if rates and rates[0] > 3 * rates[1]:
        return f"the generator learns at {rates[0]:.3g}, the discriminator at {rates[1]:.3g}"
    return None


def _favours_discriminator(plan: RunPlan) -> str | None:
    turns, rates = plan.turns("discriminator"), _comparable(plan)
    if rates and rates[1] > 8 * rates[0]:
        return f"the discriminator learns at {rates[1]:.3g}, the generator at {rates[0]:.3g}; TTUR has 4 to 1"
    if turns > _MOST_TURNS:
        return f"the discriminator has {turns} turns a step; {_MOST_TURNS} are the most that papers use"
    return None


_MOST_TURNS = 5
_TTUR = "--set optimizer.discriminator.lr=4e-4 --set optimizer.generator.lr=1e-4 (as TTUR has them)"


def _even(plan: RunPlan) -> list[str]:
    if plan.config and not _more_turns(plan):
        return [_TTUR]
    return ["--set turns=fixed (one turn each)", "--set turns=moderated (two turns of G only where D keeps up)"]


def _slower_judge(plan: RunPlan) -> list[str]:
    many = plan.turns("discriminator") > _MOST_TURNS
    return [f"--set turns.discriminator={_MOST_TURNS}"] if many else [_TTUR]


def _comparable(plan: RunPlan) -> list[float]:
    """Both learning rates, if they are known and of optimizers of one kind; else none."""
    rates = [_rate(plan, player) for player in PLAYERS]
    kinds = {plan.setting(f"optimizer.{player}.kind") for player in PLAYERS}
    return rates if min(rates) > 0 and len(kinds) == 1 else []


def _courses(plan: RunPlan) -> dict[str, tuple[float, float]]:
    """Both learning rates at the start and at the end, where they are numbers or go from one to another."""
    rates = {player: plan.setting(f"optimizer.{player}.lr") for player in PLAYERS}
    ends: dict[str, tuple[Any, Any]] = {
        player: (rate.get("start"), rate.get("end")) if isinstance(rate, Mapping) else (rate, rate)
        for player, rate in rates.items()
    }
    return ends if all(start and end is not None for start, end in ends.values()) else {}


def _part_ways(plan: RunPlan) -> str | None:
    courses = _courses(plan)
    left = [end / start for start, end in courses.values()]
    if not left or max(left) <= _PART * min(left):
        return None
    ways = (
        f"the {player}'s {'stays at' if start == end else f'goes from {start:.3g} to'} {end:.3g}"
        for player, (start, end) in courses.items()
    )
    return f"of the learning rates {' and '.join(ways)}"


_PART = 3.0


def _same_way(plan: RunPlan) -> list[str]:
    """One takes the other's way from where it starts itself, or the other stays, too."""
    courses = _courses(plan)
    if not courses:
        return ["--set optimizer.generator.lr=1e-3 --set optimizer.discriminator.lr=1e-3"]
    followed = max(PLAYERS, key=lambda player: courses[player][0] != courses[player][1])
    [player] = courses.keys() - {followed}
    (rate, last), (start, end) = courses[player], courses[followed]
    given = {name: value for name, value in plan.setting(f"optimizer.{followed}.lr").items() if value is not None}
    way = given | {"start": rate, "end": float(f"{rate * end / start:.3g}")}
    follow = f"--set {shlex.quote(f'optimizer.{player}.lr={json.dumps(way)}')} (as the {followed}'s goes)"
    return [follow, *([f"--set optimizer.{followed}.lr={rate:g} (both stay)"] if rate == last else [])]


def _joint(plan: RunPlan) -> str | None:
    if plan.setting("batches") != "joint" or not plan.judged_by_batch:
        return None
    return "reals and fakes share a batch in the discriminator's turn, and its batch norm tells them apart there alone"


def _small_batch(plan: RunPlan) -> str | None:
    batch, normed = plan.setting("batch", 0), any(network.batch_norms() for _, network in plan.networks)
    if not batch or batch >= (8 if normed else 4):
        return None
    return f"a batch of {batch}{' for batch norm, whose statistics are those of so few images' if normed else ''}"


def _larger_batch(plan: RunPlan) -> list[str]:
    norms = " ".join(f"--set networks.{place}" for place in ("discriminator_norm=none", "generator_norm=pixel"))
    return ["--batch 16", *([f"{norms} --set penalties=r1"] if plan.setting("batch", 4) >= 4 else [])]


def _no_average(plan: RunPlan) -> str | None:
    value = plan.setting("ema.half_life_images")
    off = value is not None and not most(value)
    return "pictures are those of the last weights, not of their average" if off else None


def _unbounded(plan: RunPlan) -> str | None:
    if plan.loss != "wasserstein" or "penalties" not in plan.config or plan.bounded or plan.penalty("weight_clipping"):
        return None
    return "the Wasserstein loss has no lower bound: no penalty on the critic's slope, no clipping, no spectral norm"


def _critic_norm(plan: RunPlan) -> str | None:
    wrong = plan.loss == "wasserstein" and plan.judged_by_batch and not plan.penalty("weight_clipping")
    return "the critic has batch norm: its verdict on an image depends on the others of the batch" if wrong else None


def _coupled(plan: RunPlan) -> str | None:
    penalty = plan.penalty(*(kind for kind in SQUARED if kind != "dragan"))
    if not penalty or not plan.judged_by_batch or plan.loss == "wasserstein":
        return None
    return f"{penalty['kind']} asks for the slope at each image, which the discriminator's batch norm mixes with others"


def _clipped(plan: RunPlan) -> str | None:
    beta = plan.setting("optimizer.discriminator.beta1", 0.0)
    return f"weights are clipped, and Adam has beta1 {beta:g}" if plan.penalty("weight_clipping") and beta > 0 else None


def _kinks(plan: RunPlan) -> str | None:
    penalty, network = plan.penalty(*SQUARED), plan.discriminator
    flat = [layer for layer in (network.of("activation") if network else ()) if layer.what == "relu"]
    return f"{penalty['kind']} on a discriminator with ReLU, as in {flat[0]}" if penalty and flat else None


def _one_state(plan: RunPlan) -> str | None:
    wrong = plan.setting("turns.kind") == "apart" and plan.setting("turns.own_states") is False
    return "the loss on reals and the loss on fakes are minimised in turn with one Adam state" if wrong else None


def _labels(plan: RunPlan) -> str | None:
    real, fake = plan.setting("loss.real_labels"), plan.setting("loss.fake_labels")
    if not real or not fake:
        return None
    middle, other, flip = sum(real) / 2, sum(fake) / 2, most(plan.setting("loss.flip"))
    if middle - other >= 0.5 and flip < 0.2:
        return None
    return f"reals are labelled {middle:.2g} and fakes {other:.2g} on average, and {flip:.0%} of the labels are swapped"


def _saturating(plan: RunPlan) -> str | None:
    return "the generator minimises log(1 - D(G(z)))" if plan.loss == "minimax" else None


def _uniform(plan: RunPlan) -> str | None:
    return "latents are uniform on -1..1" if plan.setting("networks.latent") == "uniform" else None


def _no_history(plan: RunPlan) -> str | None:
    plain = plan.setting("replay.kind") == "fresh" and not plan.bounded
    return "the discriminator sees fresh fakes alone, and nothing holds its slope" if plain else None


def _old_fakes(plan: RunPlan) -> str | None:
    use = plan.setting("replay.use", 0.0)
    return f"{use:.0%} of the discriminator's turns are played against old fakes" if use > 0.6 else None


def _history_range(plan: RunPlan) -> str | None:
    network = plan.generator
    if plan.setting("replay.kind") != "history" or not network or network.ending() in ("tanh", "hardtanh"):
        return None
    return f"the history keeps pictures of {network.low:.2g} to {network.high:.2g}, reals lie in -1 to 1"


RULES = (
    AuditRule(
        "rate-too-high", "warning", "Learning rate too high for the batch",
        "A rate for a larger batch, or another loss.",
        lambda plan: _off(plan, _high(plan)), _rates, f"{_MISTAKES} 31; Radford et al. (2016), section 4",
        "With penalties on the discriminator's slope rates may be several times as high.",
    ),
    AuditRule(
        "rate-too-low", "warning", "Learning rate too low for the budget", "A rate for fine-tuning.", _too_low, _rates,
        "Radford et al. (2016), section 4", "Networks that start from a trained run need less.",
    ),
    AuditRule(
        "high-momentum", "warning", "Momentum of a classifier", "Adam's defaults.", _momentum,
        _less_momentum, "Radford et al. (2016), section 4",
    ),
    AuditRule(
        "favours-generator", "warning", "The generator is favoured",
        "A reply to a discriminator that seemed too strong.",
        _favours_generator, _even, f"{_MISTAKES} 36",
    ),
    AuditRule(
        "favours-discriminator", "warning", "The discriminator is far ahead", "Two rates chosen apart.",
        _favours_discriminator, _slower_judge,
        "Heusel et al. (2017), section 2; Ten lessons, lessons 4 and 9",
    ),
    AuditRule(
        "rates-part", "warning", "The learning rates part ways",
        "One was set alone, to a number among schedules or the other way round.", _part_ways, _same_way,
        "Heusel et al. (2017), section 2: the generator's is to become the smaller one",
        "The generator's falls alone, and was meant to.",
    ),
    AuditRule(
        "joint-batches", "warning", "Reals and fakes in one batch of a batch norm", "A concatenation to save a pass.",
        _joint, always("--set batches=separate", "--set batches=joint_both (both turns alike)"), f"{_MISTAKES} 38",
    ),
    AuditRule(
        "small-batch", "warning", "A very small batch", "Little memory.", _small_batch, _larger_batch,
        "Ioffe and Szegedy (2015)",
    ),
    AuditRule(
        "no-average", "warning", "No averaged weights", "It was switched off.", _no_average,
        always("--set ema.half_life_images=10000"), "Yazici et al. (2019), section 3",
    ),
    AuditRule(
        "critic-unbounded", "serious", "Nothing holds the critic's slope", "The loss was changed without its penalty.",
        _unbounded,
        always("--set penalties=wgan_gp --set networks.discriminator_norm=none", "--set penalties=weight_clipping"),
        "Arjovsky et al. (2017), Algorithm 1; Gulrajani et al. (2017), section 4",
    ),
    AuditRule(
        "critic-batch-norm", "warning", "Batch norm in a Wasserstein critic", "The DCGAN's network was kept.",
        _critic_norm,
        always("--set networks.discriminator_norm=none", "--set networks.discriminator_norm=instance"),
        "Gulrajani et al. (2017), section 4",
    ),
    AuditRule(
        "penalty-with-batch-norm", "warning", "A gradient penalty through batch norm", "The DCGAN's network was kept.",
        _coupled, always("--set networks.discriminator_norm=none"), "Gulrajani et al. (2017), section 4",
    ),
    AuditRule(
        "clipping-with-momentum", "warning", "Momentum with weight clipping", "Adam was kept.", _clipped,
        always("--set optimizer.discriminator=rmsprop --set optimizer.generator=rmsprop"),
        "Arjovsky et al. (2017), section 4",
    ),
    AuditRule(
        "penalty-with-kinks", "info", "A gradient penalty on ReLU", "A network chosen before its penalty.", _kinks,
        always("--set networks.discriminator_activation=silu (its slope has a slope)"),
        "Gulrajani et al. (2017), section 4", "The penalty works on piecewise linear networks, too.",
    ),
    AuditRule(
        "one-adam-state", "info", "One Adam state for two losses", "D is updated on reals and fakes apart.", _one_state,
        always("--set turns.own_states=true"), f"{_MISTAKES} 32", "Two calls of Keras share one state, and work.",
    ),
    AuditRule(
        "unclear-labels", "warning", "Labels that say little", "Smoothing or noise taken too far, or labels swapped.",
        _labels, always("--set loss.real_labels=[0.9,0.9] --set loss.fake_labels=[0,0] --set loss.flip=0"),
        "Salimans et al. (2016), section 3.4; Eleven hacks for stable GANs",
    ),
    AuditRule(
        "saturating-loss", "info", "The saturating loss", "The theory was followed to the letter.", _saturating,
        always("--set loss=non_saturating (its gradient stays when the discriminator is sure)"),
        "Goodfellow et al. (2014), section 3", "Where training goes well the two hardly differ.",
    ),
    AuditRule(
        "uniform-latents", "info", "Uniform latents", "The DCGAN's paper has them.", _uniform,
        always("--set networks.latent=normal"), "Eleven hacks for stable GANs, hack 8",
    ),
    AuditRule(
        "no-history", "info", "No history of fakes", "It is off by default.", _no_history,
        always("--set replay=history (if the pictures run in circles)"), f"{_MISTAKES} 33",
        "Most modern recipes hold the discriminator's slope instead, and rightly leave the history out.",
    ),
    AuditRule(
        "old-fakes", "warning", "Mostly old fakes", "A share taken too far.", _old_fakes,
        always("--set replay.use=0.3"), f"{_MISTAKES} 33",
    ),
    AuditRule(
        "history-range", "warning", "A history in another range", "A generator without tanh.", _history_range,
        always("end the generator in torch.tanh", "--set replay=fresh"), f"{_MISTAKES} 35",
    ),
)  # fmt: skip
