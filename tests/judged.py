"""A visual Turing test in a folder, made without a generator: reals are grey and fakes are noise."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from steadygan.turing.folder import TuringFolder, TuringTest, digest, write_test
from steadygan.turing.questions import make_letters, make_pairs, make_singles

RUN = '{"made": "for the tests of Turing tests"}'


def make_test(run: Path, kind: str = "pairs", count: int = 6, seed: int = 3, per_sheet: int = 4) -> TuringFolder:
    """A test in a run folder that holds little else; `count` pairs, sheets or letters."""
    run.mkdir(parents=True, exist_ok=True)
    if not (run / "run.json").exists():
        (run / "run.json").write_text(RUN)
    many = {"pairs": count, "sheets": count * per_sheet, "letters": 60 * count}[kind]
    make = {"pairs": make_pairs, "sheets": make_singles, "letters": make_letters}[kind]
    questions = make(many, many, count if kind != "sheets" else many, seed)
    folder = run / "turing" / f"{kind}-01"
    folder.mkdir(parents=True)
    rng, names, digests = np.random.default_rng(seed), {}, {}
    for truth in ("real", "fake"):
        for number in range(many):
            pixels = np.full((8, 8, 3), number % 256) if truth == "real" else rng.integers(0, 256, (8, 8, 3))
            file = io.BytesIO()
            Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG", compress_level=0)
            name = names[truth, number] = rng.bytes(8).hex()
            digests[name] = digest(file.getvalue())
            (folder / f"{name}.png").write_bytes(file.getvalue())
    write_test(
        folder,
        TuringTest(
            kind=kind,
            seed=seed,
            run=run.name,
            checkpoint="images-000000064",
            images=64,
            data="photos",
            data_digest="d" * 64,
            size=8,
            channels=3,
            per_sheet=per_sheet if kind == "sheets" else 1,
            reals={number: names["real", number] for number in range(many)},
            fakes={number: names["fake", number] for number in range(many)},
            digests=digests,
            questions=questions,
        ),
    )
    return TuringFolder(folder)


def take(folder: TuringFolder, rater: str, wrong: tuple[int, ...] = (), screens: int = 1000) -> None:
    """Answer so many screens rightly, but for the questions of these numbers."""
    for _ in range(screens):
        numbers = folder.next_screen(rater)
        if not numbers:
            return
        folder.give(rater, {number: choice(folder, number, number not in wrong) for number in numbers}, 2.0)


def choice(folder: TuringFolder, number: int, right: bool) -> str:
    question = folder.test.questions[number]
    return question.truth if right else next(one for one in question.choices if one != question.truth)
