"""Any tree of settings, numbers and tensors as tensors with names plus JSON, and back: no pickle anywhere."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_TENSOR = "$tensor"
_DICT = "$items"  # a dict with keys that are not strings, which JSON cannot hold


def pack(tree: Any, path: str = "") -> tuple[Any, dict[str, Tensor]]:
    """Split a tree into plain data for JSON and its tensors by name; tensors are copied to contiguous CPU memory."""
    if isinstance(tree, Tensor):
        return {_TENSOR: path}, {path: tree.detach().cpu().contiguous().clone()}
    if isinstance(tree, dict) and all(isinstance(key, str) for key in tree):
        return _gather({key: pack(value, f"{path}.{key}".lstrip(".")) for key, value in tree.items()})
    if isinstance(tree, dict):
        pairs = [[key, value] for key, value in tree.items()]
        plain, tensors = pack(pairs, path)
        return {_DICT: plain}, tensors
    if isinstance(tree, list | tuple):
        plain, tensors = _gather({str(i): pack(value, f"{path}.{i}".lstrip(".")) for i, value in enumerate(tree)})
        return list(plain.values()), tensors
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree, {}
    raise TypeError(f"{path}: a {type(tree).__name__} cannot be part of a saved state")


def _gather(parts: dict[str, tuple[Any, dict[str, Tensor]]]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    plain = {name: part for name, (part, _) in parts.items()}
    return plain, {name: tensor for _, tensors in parts.values() for name, tensor in tensors.items()}


def unpack(plain: Any, tensors: dict[str, Tensor]) -> Any:
    """The tree that `pack` split; tuples come back as lists, which is all `load_state_dict` asks for.

    Tensors are copied: they lie in their file at any address, torch's own at multiples of 64, and on processors without
    AVX-512 a product of matrices is rounded by where they lie. A run gone on with would end otherwise.
    """
    if isinstance(plain, dict) and _TENSOR in plain:
        return tensors[plain[_TENSOR]].clone()
    if isinstance(plain, dict) and _DICT in plain:
        return dict(unpack(plain[_DICT], tensors))
    if isinstance(plain, dict):
        return {key: unpack(value, tensors) for key, value in plain.items()}
    if isinstance(plain, list):
        return [unpack(value, tensors) for value in plain]
    return plain


def weights(network: torch.nn.Module) -> dict[str, Tensor]:
    """A network's parameters and buffers as contiguous CPU tensors, ready for safetensors."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
