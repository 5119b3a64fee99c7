"""The audit of a configuration before it is trained."""

from __future__ import annotations

import torch

from steadygan.data import Dataset
from steadygan.data.health import Health
from steadygan.doctor.audit import Images, Remarked, RunPlan, audited
from steadygan.networks import Pair, classes_of, latents_of
from steadygan.records import Finding
from steadygan.signals.anatomy import anatomy_of
from steadygan.spec import ImageSpec
from steadygan.training.config import RunConfig

_BATCH = 5
_USUAL_SIZE = 64


def audit_config(config: RunConfig, dataset: Dataset | None = None, pair: Pair | None = None) -> list[Finding]:
    """What is the matter with a configuration, for these images if they are known, before a step of it.

    `pair` is its networks with the weights it will start from; without it they are built here, and the global random
    state stays as it was. ConfigError if a network of the user's own cannot be looked into.
    """
    spec = dataset.spec if dataset else ImageSpec(size=config.size or _USUAL_SIZE, channels=3)
    with torch.random.fork_rng(devices=[]):
        generator, discriminator = pair or config.networks.build(spec)
        device = next(generator.parameters()).device
        latents = latents_of(config.networks).draw(_BATCH, device=device)
        labels = torch.zeros(_BATCH, dtype=torch.int64, device=device)
        looked, fakes = anatomy_of(generator, latents, *[labels] * bool(classes_of(generator)))
        judged, _ = anatomy_of(discriminator, fakes, *[labels] * bool(classes_of(discriminator)))
    return audited(RunPlan(config.dump(), looked, judged, images_of(dataset) if dataset else None))


def images_of(dataset: Dataset) -> Images:
    """What the audit reads of a prepared set."""
    health = Health.model_validate(dataset.meta.get("health") or {"images": len(dataset)})
    return Images(
        training=len(dataset.training),
        held_out=len(dataset.held_out),
        unusable=sum(not one.left_out for one in dataset.rejected()),
        size=dataset.spec.size,
        remarks=remarks_of(health),
    )


def remarks_of(health: Health) -> dict[str, Remarked]:
    """What was remarked, by its check."""
    return {it.check: Remarked(severity=it.severity, sentence=it.sentence, remedy=it.remedy) for it in health.findings}
