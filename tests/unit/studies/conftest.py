from __future__ import annotations

import pytest

from steadygan.data import PrepareSettings, prepare_cached


@pytest.fixture(scope="package")
def glyphs(tmp_path_factory):
    """400 digits of 16 pixels, with their classes, 120 of them held out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEADYGAN_CACHE", str(tmp_path_factory.getbasetemp() / "steadygan-cache"))
        return prepare_cached("builtin:glyphs", PrepareSettings(size=16, limit=400, held_out=0.3))
