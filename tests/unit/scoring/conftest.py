from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from steadygan.data import PrepareSettings, prepare
from steadygan.features import Scattering
from steadygan.scoring import choose_reference


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """240 drawn scenes of 32 pixels, 40 of them held out."""
    settings = PrepareSettings(size=32, limit=240, held_out=1 / 6)
    return prepare("builtin:critters", tmp_path_factory.mktemp("scoring") / "scenes", settings, workers=0)


@pytest.fixture(scope="session")
def extractor():
    return Scattering().build(torch.device("cpu"))


@pytest.fixture(scope="session")
def reference(scenes):
    return choose_reference(scenes)


@pytest.fixture
def pictures(scenes):
    """As many pictures of the set as asked for, by their indices."""

    def take(*indices):
        return torch.from_numpy(scenes.images[np.array(indices)]).permute(0, 3, 1, 2).contiguous()

    return take


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture
def renamed(scenes):
    """The set as if its pixels were others."""
    return lambda digest: replace(scenes, digest=digest)
