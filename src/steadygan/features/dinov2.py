"""DINOv2, a vision transformer: small enough to stand here, so that no code has to be downloaded with the weights."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from steadygan.errors import DataError
from steadygan.features.base import Described, PictureExtractor
from steadygan.features.weights import Published, find_weights, first_line, read_tensors
from steadygan.part import Part

SIZE = 224
_PATCH = 14
_HEAD = 64
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)

# SHA-256 of the published files, as the library refiners checks them in its conversion script.
_PUBLISHED = {
    "vit-s-14": ("dinov2_vits14", "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9"),
    "vit-b-14": ("dinov2_vitb14", "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73"),
    "vit-l-14": ("dinov2_vitl14", "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428"),
}


class DINOv2(Part):
    """The class token of DINOv2. Oquab et al. (2024); as features of a distance: Stein et al. (2023).

    TensorFlow 1's bilinear resize to 224×224 and ImageNet's mean and deviation, as torch-fidelity 0.4.0 does it; Stein
    et al. resize by bicubic interpolation, so their values differ a little. They use vit-l-14. 384, 768 or 1024
    features (s, b, l), no logits. `weights` is a file to use instead of the download (84, 330, 1161 MiB): any DINOv2
    without registers whose feed-forward layers are plain ones. Raises DataError for the file.
    """

    paper: ClassVar[str] = "arXiv:2306.04675"
    helps: ClassVar[str] = "Of the networks Stein et al. compared, it agrees best with what people find realistic."
    hurts: ClassVar[str] = "A large download, and on a processor a second and more per picture for vit-l-14."

    kind: Literal["dinov2"] = "dinov2"
    network: Literal["vit-s-14", "vit-b-14", "vit-l-14"] = "vit-l-14"
    weights: Path | None = None

    def build(self, device: torch.device) -> PictureExtractor:
        stem, digest = _PUBLISHED[self.network]
        file = f"{stem}_pretrain.pth"
        published = Published(f"https://dl.fbaipublicfiles.com/dinov2/{stem}/{file}", digest, file)
        weights = find_weights(self.kind, published, self.weights)
        tensors = read_tensors(self.kind, weights.path)
        try:
            network = VisionTransformer(tensors).to(device)
        except (KeyError, RuntimeError, IndexError) as error:
            raise DataError(f"{weights.path} does not hold weights of a DINOv2: {first_line(error)}") from error
        return PictureExtractor(
            network,
            name=f"{self.kind}-{self.network}",
            dimensions=network.norm.normalized_shape[0],
            fingerprint=f"{self.kind}-{self.network} resize=tf1-bilinear-{SIZE} {weights.stamp}",
            device=device,
        )


class VisionTransformer(nn.Module):
    """Dosovitskiy et al. (2021) with layer scale, in the form of the named tensors of a DINOv2, whose size they say.

    uint8 (N, 3, S, S) -> the class token after the last norm (N, width). Raises KeyError or RuntimeError for tensors
    that are not those of such a network.
    """

    positions: Tensor
    class_token: Tensor

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        tensors = {name: tensor.float() for name, tensor in tensors.items() if name != "mask_token"}
        positions, token = tensors.pop("pos_embed"), tensors.pop("cls_token")
        width = token.shape[-1]
        depth = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blocks."))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, _PATCH, _PATCH)})
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.load_state_dict(tensors)
        self.register_buffer("positions", _placed(positions, SIZE // _PATCH), persistent=False)
        self.register_buffer("class_token", token, persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> Described:
        pictures = tf1_bilinear(images.float(), SIZE)
        mean, std = (pictures.new_tensor(values)[:, None, None] * 255 for values in (_MEAN, _STD))
        patches = self.patch_embed["proj"]((pictures - mean) / std).flatten(2).mT
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), patches], 1) + self.positions
        return Described(self.norm(self.blocks(tokens)[:, 0]))


class _Block(nn.Module):
    """Attention and a feed-forward layer, each after a norm and scaled before it is added. The names are the file's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})
        self.ls1, self.ls2 = (nn.ParameterDict({"gamma": torch.ones(width)}) for _ in range(2))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.ls1["gamma"] * self._attention(self.norm1(tokens))
        hidden = F.gelu(self.mlp["fc1"](self.norm2(tokens)))
        return tokens + self.ls2["gamma"] * self.mlp["fc2"](hidden)

    def _attention(self, tokens: Tensor) -> Tensor:
        query, key, value = self.attn["qkv"](tokens).unflatten(2, (3, -1, _HEAD)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.attn["proj"](mixed.transpose(1, 2).flatten(2))


def _placed(positions: Tensor, side: int) -> Tensor:
    """Position embeddings (1, 1 + M², width), that of the class token first, for a grid of `side` × `side` patches.

    Bicubic, with the 0.1 that the authors' code adds to the side before it takes the ratio of the grids.
    """
    token, grid = positions[:, :1], positions[:, 1:]
    before = round(grid.shape[1] ** 0.5)
    if before == side:
        return positions
    ratio = (side + 0.1) / before
    planes = grid.mT.unflatten(2, (before, before))
    return torch.cat([token, F.interpolate(planes, scale_factor=(ratio, ratio), mode="bicubic").flatten(2).mT], 1)


def tf1_bilinear(images: Tensor, size: int) -> Tensor:
    """TensorFlow 1's bilinear resize: pixel i is read at i · old/new; nothing is averaged where the picture shrinks."""
    for axis in (2, 3):
        old = images.shape[axis]
        place = torch.arange(size, device=images.device, dtype=torch.float32) * (old / size)
        low = place.long()
        high = (low + 1).clamp(max=old - 1)
        shares = (place - low).view(-1, 1) if axis == 2 else place - low
        images = torch.lerp(images.index_select(axis, low), images.index_select(axis, high), shares)
    return images
