"""Where the author of a recipe or of networks did otherwise than the advice, and why, in a line each."""

from __future__ import annotations

from typing import NamedTuple

from steadygan.doctor.audit.plan import RunPlan


class Reason(NamedTuple):
    """Why the advice of a rule does not hold where a setting has this value."""

    rule: str
    setting: str
    value: str
    why: str


REASONS = (
    Reason("no-tanh", "networks.kind", "r3gan", "R3GAN learns the range, as published; pictures are clipped to it."),
    Reason(
        "no-tanh", "networks.kind", "msg", "MSG-GAN learns the range, as published; networks.tanh=true is a choice."
    ),
    Reason("pooling", "networks.kind", "msg", "Progressive networks halve by the mean of pixels, as published."),
    Reason(
        "uneven-kernels", "networks.kind", "faces256", "Kernels of 5 are the document's; `satellite` closes evenly."
    ),
    Reason("joint-batches", "recipe", "upsample", "The document joins the batches for D and lets G's fakes go alone."),
)


def reason(rule: str, plan: RunPlan) -> str:
    """Why the author of this plan did so; "" if no author is known to have had a reason."""
    return next((it.why for it in REASONS if it.rule == rule and plan.setting(it.setting) == it.value), "")
