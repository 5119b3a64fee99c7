"""What describes pictures by numbers, before sets of them are compared: the `features` seam."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from steadygan.config import BY_NAME
from steadygan.features.base import Described, Extractor, PictureExtractor
from steadygan.features.dinov2 import DINOv2
from steadygan.features.efficientnet import EfficientNet
from steadygan.features.exported import Exported
from steadygan.features.scattering import Scattering
from steadygan.features.standard import CLIP, Inception

AnyFeatures = Annotated[
    Scattering | Inception | EfficientNet | DINOv2 | CLIP | Exported, Field(discriminator="kind"), BY_NAME
]

__all__ = [
    "CLIP",
    "AnyFeatures",
    "DINOv2",
    "Described",
    "EfficientNet",
    "Exported",
    "Extractor",
    "Inception",
    "PictureExtractor",
    "Scattering",
]
