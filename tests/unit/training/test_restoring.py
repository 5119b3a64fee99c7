"""Networks that a file describes are known before anything of them is allocated, and at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from steadygan.errors import DataError
from steadygan.ops.layers import spectrally_normalise_layer_
from steadygan.recipes import RECIPES
from steadygan.training.restoring import check_shapes
from tiny_recipes import spec_of, tiny_recipe

SLOW = {"aten::normal_", "aten::mv", "aten::linalg_vector_norm"}
"""What torch has no kernel for where there are no numbers, so that it loads its compiler, for more than a second."""


class Asked(TorchDispatchMode):
    """What torch was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func._schema.name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("name", RECIPES)
def test_shapes_are_checked_without_what_takes_torch_a_second(name: str, classes: int) -> None:
    spec = spec_of(name, classes)
    networks = tiny_recipe(name, spec).networks
    tensors = networks.build(spec).generator.state_dict()
    with Asked() as asked:
        check_shapes(networks, spec, tensors, Path("g.safetensors"))
    assert "aten::empty" in asked.names
    assert not asked.names & SLOW
    first, *others = tensors
    for wrong in ({name: tensors[name] for name in others}, tensors | {first: tensors[first][..., None]}):
        with pytest.raises(DataError, match=r"weights in g\.safetensors are not of the networks"):
            check_shapes(networks, spec, wrong, Path("g.safetensors"))


@pytest.mark.parametrize(
    ("kind", "sides"),
    [(nn.Linear, (3, 5)), (nn.Embedding, (3, 5)), (nn.Conv2d, (3, 5, 2)), (nn.ConvTranspose2d, (3, 5, 2))],
)
def test_a_spectral_norm_has_the_same_names_and_shapes_without_numbers(kind: Any, sides: tuple[int, ...]) -> None:
    shapes = []
    for device in ("cpu", "meta"):
        layer = kind(*sides, device=torch.device(device))
        spectrally_normalise_layer_(layer)
        shapes.append({name: value.shape for name, value in layer.state_dict().items()})
        assert layer.weight.shape == layer.parametrizations.weight.original.shape
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) >= 3
