"""Which techniques of the founding documents help: studies of two sets and two bases, and their verdicts side by side.

    python benchmarks/techniques.py cifar10-jpeg-30k.zip aerial:data.held_out=0.2 -o runs/techniques

Each set is a folder or file, perhaps with a setting of its own behind a colon. Four studies of `steadygan ablate`, one
after another, at 32 pixels with narrow networks; the same command goes on with what is there, and
with everything there only prints the table. docs/what-helped.md says what came of it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from steadygan.runs.study import Effect, StudyTable, read_study

COMMON = "instance_noise,history,spectral_norm,feature_matching,discrimination,joint_batches,ttur,ema"
BASES = {
    "dcgan": f"label_smoothing,noisy_labels,{COMMON}",
    "steady": f"{COMMON},networks.generator_norm=batch,dropout",
}


def name_of(source: str, base: str) -> str:
    return f"{Path(source.partition(':')[0]).name.partition('.')[0]}-{base}"


def make(source: str, base: str, images: int, seeds: int, out: Path) -> StudyTable:
    """One study, made or gone on with."""
    where, _, setting = source.partition(":")
    folder = out / name_of(source, base)
    sets = [word for text in ("size=32", "networks.width=16", setting) if text for word in ("--set", text)]
    line = ["ablate", where, "--recipe", base, "--vary", BASES[base], *sets, "--seeds", str(seeds)]
    line += ["--images", str(images), "-o", str(folder)]
    subprocess.run([sys.executable, "-m", "steadygan", *line], check=True)
    found = read_study(folder)
    assert found is not None, "the command above leaves one"
    return found


def cell(effect: Effect | None) -> str:
    """A verdict with the mean difference as a share of the base's score."""
    if effect is None:
        return ""
    base = [dot.base for dot in effect.dots if dot.base is not None]
    share = f" {effect.mean / (sum(base) / len(base)):+.0%}" if base and effect.mean is not None else ""
    fell = f", {effect.arm.collapsed} of {effect.arm.examined} collapsed" if effect.arm.collapsed else ""
    return f"{effect.verdict}{share}{fell}".replace("-", "−")


def side_by_side(tables: dict[str, StudyTable]) -> Iterable[str]:
    """Verdicts in Markdown, a row for each technique."""
    titles = {name: title for table in tables.values() for name, title in table.question.titles.items()}
    yield f"| technique | {' | '.join(tables)} |"
    yield f"| --- |{' --- |' * len(tables)}"
    for name, title in titles.items():
        found = [next((one for one in table.effects if one.variant == name), None) for table in tables.values()]
        yield f"| {title} | {' | '.join(map(cell, found))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="SET[:A.B=V]")
    parser.add_argument("--images", type=int, default=16_000, help="of each run")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("-o", "--out", type=Path, default=Path("runs/techniques"))
    options = parser.parse_args()
    tables = {
        name_of(source, base): make(source, base, options.images, options.seeds, options.out)
        for source in options.sets
        for base in BASES
    }
    print("\n".join(side_by_side(tables)))


if __name__ == "__main__":
    main()
