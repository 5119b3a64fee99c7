"""DINOv2's network with random weights, against one put together from torch's own transformer layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from steadygan.errors import DataError
from steadygan.features import DINOv2

CPU = torch.device("cpu")
WIDTH, DEPTH = 128, 3
Drawn = Callable[..., Tensor]


def random_weights(side: int = 37) -> dict[str, Tensor]:
    """Named tensors as in the published files, of a narrow network, larger than at the start of a training."""
    shapes = {"cls_token": (1, 1, WIDTH), "pos_embed": (1, 1 + side**2, WIDTH), "mask_token": (1, WIDTH)}
    shapes |= {"patch_embed.proj.weight": (WIDTH, 3, 14, 14), "patch_embed.proj.bias": (WIDTH,)}
    shapes |= {"norm.weight": (WIDTH,), "norm.bias": (WIDTH,)}
    for block in range(DEPTH):
        sizes = {"norm1": WIDTH, "norm2": WIDTH, "ls1.gamma": WIDTH, "ls2.gamma": WIDTH}
        shapes |= {f"blocks.{block}.{name}": (WIDTH,) for name in sizes if "gamma" in name}
        shapes |= {f"blocks.{block}.{name}.{part}": (WIDTH,) for name in ("norm1", "norm2") for part in _PARTS}
        for name, out, inside in (
            ("attn.qkv", 3 * WIDTH, WIDTH),
            ("attn.proj", WIDTH, WIDTH),
            ("mlp.fc1", 4 * WIDTH, WIDTH),
            ("mlp.fc2", WIDTH, 4 * WIDTH),
        ):
            shapes[f"blocks.{block}.{name}.weight"] = (out, inside)
            shapes[f"blocks.{block}.{name}.bias"] = (out,)
    return {name: torch.randn(shape) * (0.1 if len(shape) == 2 else 0.5) for name, shape in shapes.items()}


_PARTS = ("weight", "bias")


class Reference(nn.Module):
    """The same from torch's layers: layer scale is part of the last weight of its branch."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.tensors = tensors
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, WIDTH // 64, 4 * WIDTH, 0.0, "gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
            )
            for _ in range(DEPTH)
        ).eval()
        for block, layer in enumerate(self.layers):
            own = {name.split(".", 2)[2]: x for name, x in tensors.items() if name.startswith(f"blocks.{block}.")}
            state = {"self_attn.in_proj_weight": own["attn.qkv.weight"], "self_attn.in_proj_bias": own["attn.qkv.bias"]}
            for part in _PARTS:
                one, two = (
                    own[name][:, None] if part == "weight" else own[name] for name in ("ls1.gamma", "ls2.gamma")
                )
                state[f"self_attn.out_proj.{part}"] = one * own[f"attn.proj.{part}"]
                state[f"linear2.{part}"] = two * own[f"mlp.fc2.{part}"]
                state[f"linear1.{part}"] = own[f"mlp.fc1.{part}"]
                state |= {f"{name}.{part}": own[f"{name}.{part}"] for name in ("norm1", "norm2")}
            layer.load_state_dict(state)

    def forward(self, images: Tensor) -> Tensor:
        t = self.tensors
        patches = nn.functional.unfold(images, 14, stride=14).mT @ t["patch_embed.proj.weight"].flatten(1).T
        patches = patches + t["patch_embed.proj.bias"]
        side = round((t["pos_embed"].shape[1] - 1) ** 0.5)
        grid = t["pos_embed"][0, 1:].view(side, side, WIDTH).permute(2, 0, 1)[None]
        if side != 16:
            grid = nn.functional.interpolate(grid, scale_factor=16.1 / side, mode="bicubic")
        tokens = torch.cat([t["cls_token"].expand(len(images), -1, -1), patches], 1)
        tokens = tokens + torch.cat([t["pos_embed"][:, :1], grid.flatten(2).mT], 1)
        for layer in self.layers:
            tokens = layer(tokens)
        return nn.functional.layer_norm(tokens, (WIDTH,), t["norm.weight"], t["norm.bias"], 1e-6)[:, 0]


def saved(folder: Path, tensors: dict[str, Tensor]) -> Path:
    torch.save(tensors, folder / "dinov2.pth")
    return folder / "dinov2.pth"


@pytest.mark.parametrize("size", [40, 300])
def test_dinov2_gives_what_torch_fidelity_gives_with_torchs_own_layers(
    size: int, fidelity: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: Drawn
) -> None:
    tensors = random_weights()
    ours = DINOv2(weights=saved(tmp_path, tensors)).build(CPU)
    monkeypatch.setattr(torch.hub, "load", lambda *_: Reference(tensors))
    images = drawn(2, size)
    (features,) = fidelity.FeatureExtractorDinoV2("dinov2-vit-s-14", ["dinov2"])(images)
    assert features.std(0).mean() > 0.01
    assert torch.allclose(ours(images).features, features, atol=1e-4)
    assert ours.dimensions == WIDTH
    assert ours(images).logits is None


def test_positions_of_the_right_number_are_left_alone(tmp_path: Path, drawn: Drawn) -> None:
    tensors = random_weights(side=16)
    images = drawn(2, 224)
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = Reference(tensors)((images / 255 - mean) / std)
    assert torch.allclose(DINOv2(weights=saved(tmp_path, tensors)).build(CPU)(images).features, expected, atol=1e-4)


@pytest.mark.parametrize("change", ["missing", "more", "shape", "none"])
def test_weights_of_another_network_are_refused(change: str, tmp_path: Path) -> None:
    tensors = random_weights()
    if change == "missing":
        del tensors["blocks.1.mlp.fc1.bias"]
    elif change == "more":
        tensors["register_tokens"] = torch.zeros(1, 4, WIDTH)
    elif change == "shape":
        tensors["norm.weight"] = torch.zeros(WIDTH + 1)
    else:
        tensors = {"weight": torch.zeros(1)}
    with pytest.raises(DataError, match=r"dinov2\.pth does not hold weights of a DINOv2"):
        DINOv2(weights=saved(tmp_path, tensors)).build(CPU)
