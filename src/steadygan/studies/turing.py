"""A visual Turing test of a run: held-out reals and fresh pictures, written alike under names that say nothing."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import closing, suppress
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from steadygan.config import resolve
from steadygan.data import Dataset
from steadygan.data.pictures import PNG_CHANNELS
from steadygan.errors import ConfigError, DataError, os_errors
from steadygan.export import TrainedGenerator, load
from steadygan.names import shown
from steadygan.rundir import atomic_folder, storage_errors
from steadygan.runs import Run
from steadygan.studies.evaluate import open_reals
from steadygan.training.config import RunConfig, Settings
from steadygan.training.console import Reporter, Silent
from steadygan.training.runtime import choose_device
from steadygan.training.sampling import generate, rows
from steadygan.training.seeds import fixed_latents
from steadygan.turing.folder import Kind, TuringFolder, TuringTest, digest, write_test
from steadygan.turing.questions import (
    SIDE,
    PairQuestion,
    Question,
    SingleQuestion,
    make_letters,
    make_pairs,
    make_singles,
)

__all__ = ["make_turing_test"]

Pictures = dict[int, NDArray[np.uint8]]

_PAIRS = 40
_WHENEVER = 946_684_800  # one time for all files, in seconds since 1970


class TuringSettings(Settings):
    """What a test asks.

    `screens` is how many pairs or sheets; None: 40 pairs, or as many as there are held-out images for, or one sheet.
    `count` is how many pictures a mixed sheet has. `seed` draws everything; None: a new one, so that no two tests are
    alike. `checkpoint` is that of the run.
    """

    kind: Kind = "pairs"
    screens: int | None = Field(default=None, ge=1, le=1000)
    count: int = Field(default=16, ge=4, le=100)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    checkpoint: str = "best"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


@os_errors()
def make_turing_test(
    run: Run | str | Path,
    data: str | Path | Dataset | None = None,
    *,
    console: Reporter | None = None,
    recipe: str | RunConfig | None = None,
    **settings: Any,
) -> TuringFolder:
    """A new test in the run's folder, of its averaged generator against held-out images: the run's own, or of `data`.

    `settings` are those of `TuringSettings`, as `kind="sheets"`, `screens=3` or `seed=7`. All pictures are at the
    generator's own resolution, in uncompressed PNGs of one size and one time. Where there are classes a generated
    picture has the class of a real one. ConfigError and DataError, as where there are too few images held out.
    """
    chosen, run = resolve(TuringSettings, settings), Run(Path(run))
    info = run.info()
    with closing(console or Silent()) as said:
        model = load(run.path, chosen.checkpoint, recipe)
        if model.spec.channels not in PNG_CHANNELS or model.spec.size == 1:
            raise ConfigError(f"{run.path} makes {model.spec}, which nobody can look at as pictures")
        dataset, remarks = open_reals(run.path, data, said, model.spec.size, model.about.get("trained_on"))
        for remark in remarks:
            said.say(remark)
        _fits(dataset, model)
        seed = secrets.randbelow(2**32) if chosen.seed is None else chosen.seed
        questions = _questions(chosen, len(dataset.held_out), seed)
        reals = {number: dataset.images[dataset.held_out[number]] for number in _numbers(questions, "real")}
        fakes = _generated(model, dataset, questions, seed, choose_device(chosen.device))
    names = {key: secrets.token_hex(8) for key in (*(("real", n) for n in reals), *(("fake", n) for n in fakes))}
    files = {names["real", n]: _png(image) for n, image in reals.items()}
    files |= {names["fake", n]: _png(image) for n, image in fakes.items()}
    test = TuringTest(
        kind=chosen.kind,
        seed=seed,
        run=shown(run.path.name),
        checkpoint=str(model.about["checkpoint"]),
        images=int(model.about["images"]),
        data=shown(dataset.path.name if data is not None else Path(info.data.source).name),
        data_digest=dataset.digest,
        size=model.spec.size,
        channels=model.spec.channels,
        per_sheet=chosen.count if chosen.kind == "sheets" else 1,
        reals={number: names["real", number] for number in reals},
        fakes={number: names["fake", number] for number in fakes},
        digests={name: digest(content) for name, content in sorted(files.items())},
        questions=questions,
        remarks=tuple(map(shown, remarks)),
    )
    return TuringFolder(_write(run, test, files))


def _fits(dataset: Dataset, model: TrainedGenerator) -> None:
    theirs, ours = dataset.spec, model.spec
    if (theirs.size, theirs.channels) != (ours.size, ours.channels):
        raise DataError(f"{dataset.path} holds {theirs}, and the generator makes {ours}; name the folder of the files")
    if not len(dataset.held_out):
        raise DataError(f"{dataset.path} holds no images out of training; prepare it with --held-out 0.1")


def _questions(chosen: TuringSettings, held_out: int, seed: int) -> tuple[Question, ...]:
    if chosen.kind == "letters":
        sheets = chosen.screens or 1
        return make_letters(held_out, sheets * SIDE**2, sheets, seed)
    if chosen.kind == "sheets":
        pictures = (chosen.screens or 1) * chosen.count
        return make_singles(held_out, pictures, pictures, seed)
    pairs = chosen.screens or min(_PAIRS, held_out)
    return make_pairs(held_out, pairs, pairs, seed)


def _numbers(questions: Iterable[Question], truth: Literal["real", "fake"]) -> list[int]:
    """Numbers of the real or of the generated pictures that are shown, in the order of the questions."""
    found: list[int] = []
    for question in questions:
        if isinstance(question, PairQuestion):
            found.append(question.real if truth == "real" else question.fake)
        elif isinstance(question, SingleQuestion):
            found += [question.image] * (question.truth == truth)
        else:
            found += question.reals if truth == "real" else question.fakes
    return found


def _generated(
    model: TrainedGenerator, dataset: Dataset, questions: tuple[Question, ...], seed: int, device: str
) -> Pictures:
    """The generated pictures by their numbers."""
    numbers = _numbers(questions, "fake")
    latents = fixed_latents(numbers, model.latent, seed, "turing")
    labels = _labels(model, dataset, questions, numbers, seed)
    images = rows(generate(model.to(torch.device(device)), latents, *labels, batch=model.batch))
    return dict(zip(numbers, images, strict=True))


def _labels(
    model: TrainedGenerator, dataset: Dataset, questions: tuple[Question, ...], numbers: list[int], seed: int
) -> tuple[torch.Tensor, ...]:
    """Classes of the generated pictures: in a pair that of the real one, else those of some held-out images."""
    if dataset.labels is None or dataset.spec.classes != model.classes:
        return model.labels(numbers)
    drawn = np.random.default_rng(seed).permutation(len(dataset.held_out))
    like = [int(drawn[place % len(drawn)]) for place in range(len(numbers))]
    if isinstance(questions[0], PairQuestion):
        like = _numbers(questions, "real")
    return (torch.from_numpy(dataset.labels[dataset.held_out[like]]),)


def _png(image: NDArray[np.uint8]) -> bytes:
    """A file as large as any other of these measures."""
    file = BytesIO()
    flat = image[..., 0] if image.shape[2] == 1 else image
    Image.fromarray(np.ascontiguousarray(flat)).save(file, "PNG", compress_level=0)
    return file.getvalue()


def _write(run: Run, test: TuringTest, files: dict[str, bytes]) -> Path:
    folder = _claimed(run.files.turing / test.kind)
    try:
        with atomic_folder(folder) as part:
            for name, content in sorted(files.items()):  # by their names, so that no order of creation tells anything
                (part / f"{name}.png").write_bytes(content)
                os.utime(part / f"{name}.png", (_WHENEVER, _WHENEVER))
            write_test(part, test)
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise
    return folder


def _claimed(stem: Path) -> Path:
    """The first of STEM-01, STEM-02, … that is not there, made: another process that comes now takes the next."""
    for number in count(1):
        folder = stem.with_name(f"{stem.name}-{number:02d}")
        with storage_errors(folder), suppress(FileExistsError):
            folder.parent.mkdir(exist_ok=True)
            folder.mkdir()
            return folder
    raise AssertionError("there is always another number")
