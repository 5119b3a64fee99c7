"""The score that picks the best checkpoint: of training images, so that it is none of those that are reported."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steadygan.features import Extractor
from steadygan.metrics.frechet import Gaussian, gaussian_distance
from steadygan.scoring.describe import BATCH


class FrechetToTraining:
    """Fréchet distance of features to `real`, images uint8 (N, S, S, C) of the set `data` that were trained on.

    Only for comparing the checkpoints of one run: it has seen what the generator was trained on, and choosing by it
    flatters it. A call takes as many generated pictures as there are reals, in the same form.
    """

    name = "fd-training"
    says = "how far mean and spread of the features are from those of training images; for the checkpoints of one run"

    def __init__(self, real: NDArray[np.uint8], extractor: Extractor, data: str) -> None:
        self.extractor = extractor
        self.count = len(real)
        self.protocol = f"fd-training-1 {extractor.fingerprint} n={self.count} training of {data}; picks the best"
        self.real = self._gaussian(real)

    def __call__(self, fake: NDArray[np.uint8]) -> float:
        return gaussian_distance(self.real, self._gaussian(fake))

    def _gaussian(self, images: NDArray[np.uint8]) -> Gaussian:
        pictures: Tensor = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        return Gaussian.of(torch.cat([self.extractor(part).features for part in pictures.split(BATCH)]))
