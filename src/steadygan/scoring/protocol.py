"""Under which circumstances a score was measured: two compare only if they are the same."""

from __future__ import annotations

import hashlib

from steadygan.names import to_json
from steadygan.part import Value


class Protocol(Value):
    """All that decides a score beside the generated pictures.

    `described_by` says what is computed of each picture, with versions, resize filters and digests of weights; both
    sides are uint8 pictures of the set's size, rounded from float32; `n` of each.
    """

    metric: str
    settings: str
    described_by: str
    n: int
    split: str
    data: str
    seed: int

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits of everything."""
        return hashlib.sha256(to_json(self).encode()).hexdigest()[:8]

    def __str__(self) -> str:
        parts = [self.metric, self.settings, self.described_by, f"n={self.n}", f"{self.split} of {self.data}"]
        return " ".join([*filter(None, parts), f"seed={self.seed}", f"#{self.fingerprint}"])
