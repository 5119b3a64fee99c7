"""Runs that nobody trained: folders as training leaves them, with the first weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from steadygan.data import Dataset
from steadygan.networks import DCGAN, MSG, SNGAN, Satellite, Upsample
from steadygan.networks.norms import VirtualBatchNorm
from steadygan.rundir import RunDir, atomic_write
from steadygan.studies.probe import untrained
from steadygan.training import checkpoint
from steadygan.training.average import measure_statistics
from steadygan.training.state import weights

_SMALL = {"width": 4, "max_width": 8, "latent_dim": 8}
_VIRTUAL = VirtualBatchNorm(reference=8)

NETWORKS = {
    "dcgan": DCGAN(**_SMALL),
    "virtual": DCGAN(**_SMALL, generator_norm=_VIRTUAL, discriminator_norm=_VIRTUAL, latent="uniform"),
    "closing": DCGAN(**_SMALL, closing_layers=1, self_modulation=3),
    "satellite": Satellite(width=4, latent_dim=8),
    "upsample": Upsample(**_SMALL),
    "msg": MSG(width=8, max_width=8, latent_dim=8),
    "sngan": SNGAN(width=4, latent_dim=8),
    "apart": SNGAN(width=4, latent_dim=8, conditional=False),
    "told": DCGAN(width=4, latent_dim=8, self_modulation=4, conditional=True),
}
"""Networks of every family, as small as they get; of those here only `sngan` and `told` are told classes."""


def fresh_run(
    path: Path, dataset: Dataset, kind: str = "dcgan", change=lambda pair: None, seed: int = 1, **data: str
) -> Path:
    """The folder of a run on these images, whose networks a test may `change`; `data` is said of the images."""
    networks = NETWORKS[kind]
    about = {"digest": dataset.digest, "spec": dataset.spec.model_dump(), "class_names": list(dataset.class_names)}
    info = {"recipe": "mine", "parameters": {}, "config": {"networks": networks.model_dump()}, "data": about | data}
    path.mkdir(parents=True)
    run = RunDir(path)
    run.run_json.write_text(json.dumps(info))
    pair = untrained(path, seed)
    change(pair)
    classes = getattr(pair.generator, "classes", 0)
    given = (torch.arange(64) % classes,) if classes else ()
    measure_statistics(pair.generator.eval(), [(torch.randn(64, networks.latent_dim), *given)])
    tensors = {"discriminator": weights(pair.discriminator)}
    tensors |= dict.fromkeys(("generator", "average"), weights(pair.generator))
    atomic_write(run.best, checkpoint.save(run, 640, tensors).name + "\n")
    return path
