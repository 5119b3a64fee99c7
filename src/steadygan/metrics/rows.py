"""What every distance of features asks of its rows."""

from __future__ import annotations

from torch import Tensor

from steadygan.errors import DataError


def checked(
    real: Tensor, fake: Tensor, least: int, names: tuple[str, str] = ("real images", "generated images")
) -> None:
    """DataError unless both are finite tables (N, D) of one width, with `least` rows or more. `names` are theirs."""
    for rows, name in zip((real, fake), names, strict=True):
        checked_rows(rows, name, least)
    if real.shape[1] != fake.shape[1]:
        raise DataError(
            f"{names[0]} have {real.shape[1]:,} features each and {names[1]} {fake.shape[1]:,}; "
            "take those of both from the same extractor"
        )


def checked_rows(rows: Tensor, name: str, least: int) -> None:
    """DataError unless `rows` is a finite table (N, D) with N >= `least`."""
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise DataError(f"features of {name} must be a table (images, features), not of shape {tuple(rows.shape)}")
    if len(rows) < least:
        raise DataError(f"{len(rows):,} {name} are too few; give {least:,} or more")
    if rows.is_floating_point() and not rows.isfinite().all():
        bad = int((~rows.isfinite()).any(1).sum())
        raise DataError(f"features of {bad:,} of {len(rows):,} {name} are not finite; leave those images out")
