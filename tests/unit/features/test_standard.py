"""The real code of Inception and CLIP, with random weights in a file, against torch-fidelity's own use of it."""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from steadygan.errors import ConfigError, DataError
from steadygan.features import CLIP, Inception, PictureExtractor
from steadygan.features.standard import _published

CPU = torch.device("cpu")
Drawn = Callable[..., Tensor]


@pytest.fixture(scope="module")
def inception_file(fidelity: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inception v3 with random weights that keep the size of what goes through it."""
    extractor = fidelity.FeatureExtractorInceptionV3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fidelity.feature_extractor_inceptionv3, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(extractor, "load_state_dict", lambda *_: None)
        network = extractor("inception-v3-compat", ["2048"])
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    network.fc.weight.normal_(std=0.5)
    file = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture(scope="module")
def clip_file(fidelity: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of two narrow layers, in the form in which the real ones are published."""

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = fidelity.feature_extractor_clip.CLIPVisual(48, 64, 2, 128, 32).visual
            self.text_projection = nn.Parameter(torch.randn(8, 48))

        def forward(self, images: Tensor) -> Tensor:
            return self.visual(images) @ self.text_projection.T

    file = tmp_path_factory.mktemp("clip") / "clip.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing
        torch.jit.trace(Whole().eval(), torch.rand(2, 3, 64, 64)).save(str(file))
    return file


@pytest.fixture(scope="module")
def inception(inception_file: Path) -> PictureExtractor:
    return Inception(weights=inception_file).build(CPU)


@pytest.fixture(scope="module")
def clip(clip_file: Path) -> PictureExtractor:
    return CLIP(weights=clip_file).build(CPU)


def test_inception_gives_torch_fidelitys_features_and_logits(
    fidelity: ModuleType, inception_file: Path, inception: PictureExtractor, drawn: Drawn
) -> None:
    images = drawn(3, 40)
    found = inception(images)
    layers = ["2048", "logits_unbiased"]
    theirs = fidelity.FeatureExtractorInceptionV3(
        "inception-v3-compat", layers, feature_extractor_weights_path=str(inception_file)
    )
    features, logits = theirs(images)
    assert features.std(0).mean() > 0.01
    assert torch.allclose(found.features, features, atol=1e-4)
    assert torch.allclose(found.logits, logits, atol=1e-4)
    assert (inception.dimensions, inception.classes) == (features.shape[1], logits.shape[1])
    assert torch.allclose(inception(images[2:]).features, features[2:], atol=1e-5)


@pytest.mark.slow
def test_inception_feeds_torch_fidelitys_own_scores(
    fidelity: ModuleType, inception_file: Path, inception: PictureExtractor, drawn: Drawn
) -> None:
    """Their whole path, from pictures to KID and Inception Score, against their formulas on our features."""
    real, fake = drawn(3, 32, seed=1), drawn(3, 32, seed=2) // 2
    options = {"kid_subsets": 2, "kid_subset_size": 3, "isc_splits": 1, "samples_shuffle": False, "verbose": False}
    whole = fidelity.calculate_metrics(
        input1=_Pictures(fake),
        input2=_Pictures(real),
        isc=True,
        kid=True,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        batch_size=3,
        feature_extractor_weights_path=str(inception_file),
        **options,
    )
    of_real, of_fake = inception(real), inception(fake)
    score = fidelity.metric_isc.isc_features_to_metric(of_fake.logits, splits=1, shuffle=False)
    distance = fidelity.metric_kid.kid_features_to_metric(of_fake.features, of_real.features, **options)
    for name, value in {**score, **distance}.items():
        assert value == pytest.approx(whole[name], rel=1e-4), name
    assert score["inception_score_mean"] > 1.001


class _Pictures(torch.utils.data.Dataset):
    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> Tensor:
        return self.images[place]


def test_clip_gives_torch_fidelitys_features(
    fidelity: ModuleType, clip_file: Path, clip: PictureExtractor, drawn: Drawn
) -> None:
    images = drawn(4, 40)
    theirs = fidelity.FeatureExtractorCLIP("clip-vit-b-32", ["clip"], feature_extractor_weights_path=str(clip_file))
    (features,) = theirs(images)
    assert features.std(0).mean() > 0.01
    assert torch.allclose(clip(images).features, features, atol=1e-4)
    assert clip(images).logits is None
    assert (clip.dimensions, clip.classes) == (48, 0)


def test_the_fingerprint_says_all_that_decides_the_numbers(
    fidelity: ModuleType, inception_file: Path, inception: PictureExtractor, clip_file: Path, clip: PictureExtractor
) -> None:
    version = f"torch-fidelity-{fidelity.__version__}"
    digests = [hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in (inception_file, clip_file)]
    assert inception.fingerprint == f"inception {version} resize=tf1-bilinear-299 other-weights={digests[0]}"
    assert clip.fingerprint == f"clip-vit-b-32 {version} resize=tf1-bilinear-64 other-weights={digests[1]}"


def test_the_known_digest_agrees_with_the_name_of_the_file(fidelity: ModuleType) -> None:
    url = fidelity.feature_extractor_inceptionv3.URL_INCEPTION_V3
    digest = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
    assert _published(url, digest) == (url, digest, "weights-inception-2015-12-05-6726825d.pth")
    assert _published("https://example.org/new-0123abcd.pth", digest).digest == "0123abcd"


@pytest.mark.parametrize("settings", [Inception, CLIP])
def test_weights_of_another_network_are_refused(
    settings: type[Inception | CLIP], fidelity: ModuleType, tmp_path: Path
) -> None:
    assert fidelity
    file = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(1)}, file)
    with pytest.raises(DataError, match=r"other\.pth does not fit"):
        settings(weights=file).build(CPU)


@pytest.mark.parametrize("settings", [Inception, CLIP])
def test_a_missing_library_is_one_sentence_with_the_command(
    settings: type[Inception | CLIP], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ConfigError, match=r"run pip install torch-fidelity==0\.4\.0 torchvision"):
        settings().build(CPU)
