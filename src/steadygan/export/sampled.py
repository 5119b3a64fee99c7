"""Sampled pictures as the tensor they are, which a notebook shows as a grid."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from steadygan.training.sampling import rows
from steadygan.visual.grid import columns_of
from steadygan.visual.points import picture

plainly = torch._C.DisableTorchFunctionSubclass  # noqa: SLF001 - torch's own way, without another name
_ROW = 8  # pictures beside each other, if there are no more than fill a square of so many
_MOST = 144  # pictures on the sheet: more are too many bytes for one cell


class Sampled(Tensor):
    """uint8 (N, C, H, W), a tensor like any other: only that a notebook shows it.

    What is computed from it is a plain tensor, but for a choice of its pictures, as `images[:16]`; so are its copies
    and what is read from a file it was saved to. Of many pictures the first 144 are shown.
    """

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        with plainly():
            result = func(*args, **(kwargs or {}))
        chosen = func is Tensor.__getitem__ and isinstance(result, Tensor) and result.ndim == 4
        return result.as_subclass(cls) if chosen else result

    def plain(self) -> Tensor:
        """The same memory as a tensor of torch's own class."""
        with plainly():
            return self.as_subclass(Tensor)

    def __repr__(self) -> str:  # type: ignore[override]
        return repr(self.plain())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.plain().__reduce_ex__(protocol)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return copy.deepcopy(self.plain(), memo)

    def _repr_png_(self) -> bytes | None:
        if self.ndim != 4 or self.dtype != torch.uint8 or not self.numel():
            return None
        shown = rows(self.plain()[:_MOST].cpu())
        sheet = picture(shown, columns=max(min(len(shown), _ROW), columns_of(len(shown))))
        sheet.save(made := io.BytesIO(), "PNG")
        return made.getvalue()
