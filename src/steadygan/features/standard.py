"""The networks of published scores as torch-fidelity has them: Inception and CLIP."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from steadygan.errors import ConfigError, DataError
from steadygan.features.base import Described, PictureExtractor
from steadygan.features.weights import Published, Weights, find_weights, first_line, read_tensors
from steadygan.part import Part

NEEDED = "pip install torch-fidelity==0.4.0 torchvision"

# The name of the file says the first 8 of these digits; it holds the same network as pytorch-fid's of the same digest.
_INCEPTION_DIGEST = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


class Inception(Part):
    """Inception v3 of 2015 as TensorFlow had it, pool_3: 2048 features, 1008 logits. Heusel et al. (2017), equation 6.

    The features of the FID and the KID and the logits of the Inception Score (without the bias, as in the original),
    computed by torch-fidelity: TensorFlow 1's bilinear resize to 299×299, no antialiasing, (x - 128)/128. `weights` is
    a file to use instead of the download, 91 MiB. Raises ConfigError without torch-fidelity, DataError for the file.
    """

    paper: ClassVar[str] = "arXiv:1706.08500"
    helps: ClassVar[str] = "The numbers of the literature: with 50,000 pictures the FID and KID that papers report."
    hurts: ClassVar[str] = "A download and 0.2 s per picture and core; it sees ImageNet's objects everywhere."

    kind: Literal["inception"] = "inception"
    weights: Path | None = None

    def build(self, device: torch.device) -> PictureExtractor:
        library = _library(self.kind)
        url = library.feature_extractor_inceptionv3.URL_INCEPTION_V3
        weights = find_weights(self.kind, _published(url, _INCEPTION_DIGEST), self.weights)
        # the library reads files that may hold code; what has been read so is known to hold none
        read_tensors(self.kind, weights.path)
        network = _made(
            self.kind,
            weights,
            library.FeatureExtractorInceptionV3,
            "inception-v3-compat",
            ["2048", "logits_unbiased"],
        ).to(device)

        def describe(images: Tensor) -> Described:
            return Described(*network(images))

        return PictureExtractor(
            describe,
            name=self.kind,
            dimensions=2048,
            classes=1008,
            fingerprint=_fingerprint(self.kind, library, network.INPUT_IMAGE_SIZE, weights),
            device=device,
        )


class CLIP(Part):
    """The image half of CLIP. Radford et al. (2021), as features of a distance: Kynkäänniemi et al. (2023).

    Computed by torch-fidelity: TensorFlow 1's bilinear resize to 224×224 (336 for the last network), CLIP's mean and
    deviation; 512 features, 768 of the two large networks. `weights` is a file to use instead of OpenAI's, 335 MiB and
    more: TorchScript, as they are published; open none that you do not trust. No logits. Raises ConfigError without
    torch-fidelity, DataError for the file.
    """

    paper: ClassVar[str] = "arXiv:2203.06026"
    helps: ClassVar[str] = "Sees what a picture shows, and not only the thousand classes of ImageNet."
    hurts: ClassVar[str] = "A large download, and blind to fine texture: what the words of a caption leave out."

    kind: Literal["clip"] = "clip"
    network: Literal["vit-b-32", "vit-b-16", "vit-l-14", "vit-l-14-336px"] = "vit-b-32"
    weights: Path | None = None

    def build(self, device: torch.device) -> PictureExtractor:
        library = _library(self.kind)
        name = f"clip-{self.network}"
        of_clip = library.feature_extractor_clip
        digest = of_clip.MODEL_METADATA[name]["hash"]
        published = Published(of_clip.MODEL_URLS[name], digest, f"{name}-{digest}.pt")  # as the library names the file
        weights = find_weights(self.kind, published, self.weights)
        network = _made(self.kind, weights, library.FeatureExtractorCLIP, name, ["clip"]).to(device)

        def describe(images: Tensor) -> Described:
            return Described(*network(images))

        return PictureExtractor(
            describe,
            name=name,
            dimensions=network.model.visual.output_dim,
            fingerprint=_fingerprint(name, library, network.resolution, weights),
            device=device,
        )


def _library(kind: str) -> Any:
    try:
        import torch_fidelity
        import torch_fidelity.feature_extractor_clip
        import torch_fidelity.feature_extractor_inceptionv3
    except (ImportError, RuntimeError) as error:  # a torchvision made for another torch raises RuntimeError
        reason = first_line(error)
        raise ConfigError(f"{kind} features need torch-fidelity and torchvision ({reason}); run {NEEDED}") from error
    return torch_fidelity


def _published(url: str, digest: str) -> Published:
    file = url.rpartition("/")[2]
    named = re.search(r"-([0-9a-f]{8,})\.", file)
    return Published(url, digest if named is None or digest.startswith(named[1]) else named[1], file)


def _made(kind: str, weights: Weights, extractor: Any, name: str, layers: list[str]) -> Any:
    try:
        return extractor(name, layers, feature_extractor_weights_path=str(weights.path))
    except Exception as error:
        raise DataError(f"{weights.path} does not fit {name}, for {kind} features: {first_line(error)}") from error


def _fingerprint(name: str, library: Any, size: int, weights: Weights) -> str:
    return f"{name} torch-fidelity-{library.__version__} resize=tf1-bilinear-{size} {weights.stamp}"
