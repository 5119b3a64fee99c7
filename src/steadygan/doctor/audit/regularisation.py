"""Mistakes in what holds the discriminator back: penalties, weight decay, augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steadygan.doctor.audit.plan import AuditRule, RunPlan, always, most
from steadygan.doctor.remedies import PLAYERS

_SANE: dict[str, tuple[str, float, float]] = {
    **dict.fromkeys(("r1", "r2", "perturbed_r1", "perturbed_r2"), ("gamma", 1e-3, 100)),
    **dict.fromkeys(("wgan_gp", "dragan"), ("weight", 0.1, 100)),
    "weight_clipping": ("limit", 1e-4, 0.2),
    "l2": ("weight", 1e-7, 1e-2),
    "lecam": ("weight", 1e-4, 10),
}
"""The constant of each, and between what it is in papers, with a margin; gamma grows with the number of pixels."""

_SHOWN_MANY = 20_000
_DECAY = 0.1


def _regularised(plan: RunPlan) -> bool:
    decay = plan.setting("optimizer.discriminator.weight_decay", 0.0)
    dropout = plan.discriminator.of("dropout") if plan.discriminator else ()
    return bool(plan.setting("penalties")) or plan.bounded or decay > 0 or bool(dropout)


def _nothing(plan: RunPlan, normed: bool) -> str | None:
    if "penalties" not in plan.config or not plan.draws or _regularised(plan) or _normed(plan) != normed:
        return None
    return "no penalty, weight decay, spectral norm or dropout" + (" beside its norm" if normed else ", nor any norm")


def _normed(plan: RunPlan) -> bool:
    layers = plan.discriminator.of("norm") if plan.discriminator else ()
    return bool(layers) or plan.setting("networks.discriminator_norm.kind", "none") != "none"


def _constant(plan: RunPlan) -> str | None:
    odd = next((said for term in plan.setting("penalties", ()) if (said := _odd(term, plan.side))), None)
    decays = [plan.setting(f"optimizer.{player}.weight_decay") for player in _decaying(plan)]
    return odd or (f"weight_decay is {max(decays):g}; 1e-4 to 1e-2 are usual" if decays else None)


def _decaying(plan: RunPlan) -> list[str]:
    return [player for player in PLAYERS if plan.setting(f"optimizer.{player}.weight_decay", 0.0) > _DECAY]


def _odd(term: Mapping[str, Any], side: int) -> str | None:
    name, low, high = _SANE.get(term.get("kind", ""), ("", 0.0, 0.0))
    if not name:
        return None
    high *= max(1.0, side / 64) ** 2 if name == "gamma" else 1
    value = most(term.get(name))
    if low <= value <= high:
        return None
    return f"{term['kind']} has {name} {value:g}; papers have {low:g} to {high:g}"


def _bounds(plan: RunPlan) -> list[str]:
    if any(_odd(term, plan.side) for term in plan.setting("penalties", ())) or not plan.config:
        look = "look at its share of the loss in the log"
        return [look, "--set penalties=r1 (gamma 10)", "--set penalties=wgan_gp (weight 10)"]
    return [" ".join(f"--set optimizer.{player}.weight_decay=1e-3" for player in _decaying(plan))]


def _alone(plan: RunPlan) -> str | None:
    few = plan.training
    if not plan.config or not plan.draws or not 0 < few < 1000:
        return None
    if plan.setting("show.kind") not in ("as_is", "instance_noise") or plan.setting("start.source"):
        return None
    return f"{few:,} images, and the discriminator sees them as they are each time"


def _leaks(plan: RunPlan) -> str | None:
    share, few = most(plan.setting("show.probability")), plan.training
    if plan.setting("show.kind") != "ada" or share <= 0.85:
        return None
    return f"every image is augmented with probability {share:g}" + (f", of {few:,}" if few else "")


def _needless(plan: RunPlan) -> str | None:
    many, share = plan.training, most(plan.setting("show.probability"), 1.0)
    if plan.setting("show.kind") != "diff_augment" or many < _SHOWN_MANY or share < 0.5:
        return None
    return f"{many:,} images are augmented with probability {share:g}; it is for few"


def _noise(plan: RunPlan) -> str | None:
    std = most(plan.setting("show.std"))
    return f"noise of deviation {std:g} on images of -1 to 1; 0.1 is usual" if std > 0.5 else None


RULES = (
    AuditRule(
        "no-regulariser", "warning", "Nothing holds the discriminator", "A penalty was taken away.",
        lambda plan: _nothing(plan, normed=False),
        always("--set penalties=r1", "--set networks.spectral_norm=discriminator", "--set penalties=l2"),
        "Mescheder et al. (2018); Fake satellite images, mistake 24", leads_to=("no-history",),
    ),
    AuditRule(
        "norm-alone", "info", "A norm alone", "The DCGAN as published.", lambda plan: _nothing(plan, normed=True),
        always("--set penalties=l2 (if losses run away)", "--set penalties=r1 --set networks.discriminator_norm=none"),
        "Fake satellite images, mistake 24", "The DCGAN was published so, and works.",
    ),
    AuditRule(
        "regularisation-constant", "warning", "An odd constant of a regulariser",
        "Another definition, or a slip of the power.",
        _constant, _bounds, "Fake satellite images, mistake 25",
    ),
    AuditRule(
        "few-images-as-they-are", "warning", "Few images without augmentation", "A recipe for many images.", _alone,
        always("--set show=diff_augment", "--set show=ada --set loss=non_saturating", "--from RUN (on similar images)"),
        "Karras et al. (2020), section 2; Zhao et al. (2020)", "Images of points or charts cannot be moved about.",
    ),
    AuditRule(
        "augmentation-may-leak", "warning", "So much augmentation that it leaks", "A probability fixed high.", _leaks,
        always("--set show.probability=0.6"), "Karras et al. (2020), section 2.2",
    ),
    AuditRule(
        "needless-augmentation", "info", "Augmentation of many images", "A recipe for few images.", _needless,
        always("--set show=as_is (faster, and an easier game)"), "Zhao et al. (2020), table 2",
        "The longer a run, the more images are few.",
    ),
    AuditRule(
        "loud-noise", "warning", "Noise that drowns the images", "A deviation for 0..255.", _noise,
        always("--set show.std=0.1"), "Sønderby et al. (2017); Ten lessons, lesson 6",
    ),
)  # fmt: skip
