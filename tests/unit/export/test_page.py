"""A page is written if it makes the generator's pictures, and else is not there."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import steadygan as sg
from browser.pages import HOSTILE
from generators import trained
from steadygan.cli.main import main
from steadygan.errors import ConfigError, DataError
from steadygan.export import TrainedGenerator, page
from steadygan.export.page import read_page, save_page
from steadygan.export.program import Program, levels_of
from steadygan.records import DatedScore
from steadygan.spec import ImageSpec
from tiny import TINY


def test_a_page_read_again_makes_the_generator_s_pictures(tmp_path: Path) -> None:
    model = trained("sngan", classes=3)
    saved = save_page(model, tmp_path / "a.html")
    latents, (labels,) = model.latents(5, seed=3), model.labels(range(5))
    made = levels_of(map(read_page(saved.path).run, latents, labels.tolist()))
    assert 0 < saved.levels <= 1.2
    assert (made - levels_of(model(latents, labels))).abs().max() < 2
    assert levels_of(model(latents, labels)).std() > 10
    assert list(tmp_path.iterdir()) == [saved.path]


def test_a_page_that_would_make_other_pictures_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = page.compiled

    def wrong(*given: object) -> Program:
        program = real(*given)  # type: ignore[arg-type]
        return program._replace(constants=tuple(one * 1.1 for one in program.constants))

    monkeypatch.setattr(page, "compiled", wrong)
    with pytest.raises(DataError, match=r"was not written: .* of 255 levels"):
        save_page(trained(), tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


class Batch(nn.Module):
    """Makes a picture that depends on the others of its batch, and one that is none."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(factor))

    def forward(self, latent: Tensor) -> Tensor:
        return (latent.view(-1, 1, 4, 4) * self.weight).log()


def test_a_generator_without_numbers_has_no_page(tmp_path: Path) -> None:
    model = TrainedGenerator(Batch(), {}, ImageSpec(size=4, channels=1), 16, {})
    with pytest.raises(DataError, match="was not written"):
        save_page(model, tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("size", "channels"), [(1, 2), (4, 5)])
def test_what_no_page_shows_is_refused_before_any_work(tmp_path: Path, size: int, channels: int) -> None:
    model = TrainedGenerator(Batch(), {}, ImageSpec(size=size, channels=channels), size * size * channels, {})
    with pytest.raises(ConfigError, match=r"shows pictures of 1 to 4 channels, not .*; write FILE.safetensors"):
        save_page(model, tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


class Elements(HTMLParser):
    """The names of all elements, and all texts between them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_hostile_names_are_shown_and_are_no_elements(tmp_path: Path) -> None:
    plain, hostile = Elements(), Elements()
    plain.feed(save_page(trained("sngan", 3), tmp_path / "a.html").path.read_text())
    about = {"run": HOSTILE, "recipe": HOSTILE, "class_names": [HOSTILE, "b", "c"], "license": HOSTILE}
    hostile.feed(save_page(trained("sngan", 3, **about), tmp_path / "b.html").path.read_text())
    assert hostile.names == [*plain.names[: plain.names.index("dl") + 3], *hostile.names[plain.names.index("dl") + 3 :]]
    assert set(hostile.names) == set(plain.names)
    assert hostile.texts.count(HOSTILE) == 4  # heading, class, recipe, licence


def test_the_command_writes_a_page_with_the_scores_of_its_checkpoint(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = sg.train(pictures, recipe="dcgan", size=16, steps=4, out=tmp_path / "run", settings=TINY)
    images = run.checkpoint("best").images
    run.write(DatedScore(step=4, images=images, metric="swd", value=0.123, better="lower", protocol="a protocol"))
    with pytest.raises(SystemExit) as left:
        main(["export", str(run.path), "-o", str(tmp_path / "a.html")])
    assert not left.value.code
    told = capsys.readouterr()
    assert told.out.strip().endswith("a.html")
    assert "levels from PyTorch's pictures" in told.err
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert f"squares, {run.info().data.training} images" in text
    assert str(tmp_path) not in text
    assert "a protocol" in text
    assert "0.123" in text
