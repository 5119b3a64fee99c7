"""Does `steadygan project` find latents again? Own pictures, held-out photos and random pairs of a trained generator.

    python benchmarks/inversion.py RUN [--count 20] [--set steps=300 starts=8 rate=0.3]

Distances are root mean squares of pixel differences in grey levels; an own picture within 2 of them counts as found.
Of latents they are root mean squares too; those of two random ones are about 1.4 apart.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

import steadygan as sg
from steadygan.config import resolve
from steadygan.export.inversion import Inversion
from steadygan.export.projection import Projected, levels_apart
from steadygan.runs import Run

FOUND = 2.0


def held_out(run: Path, count: int) -> Tensor:
    """Pictures that the run was not trained on, uint8 (N, C, S, S)."""
    info = Run(run).info()
    dataset = sg.open_dataset(info.data.prepared or info.data.source)
    return torch.from_numpy(dataset.images[dataset.held_out[:count]]).permute(0, 3, 1, 2).contiguous()


def line(name: str, found: Projected) -> str:
    """A row of the table."""
    distances = found.distances
    within, far = (distances <= FOUND).float().mean(), found.far.float().mean()
    cells = [name, *(f"{it:.1f}" for it in (distances.mean(), distances.median())), f"{within:.0%}"]
    return f"| {' | '.join([*cells, f'{found.random.mean():.1f}', f'{far:.0%}'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--count", type=int, default=20, help="pictures of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for sheets")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of the search")
    options = parser.parse_args()
    how = resolve(Inversion, {name: float(value) for name, value in (it.split("=") for it in options.set)})
    model = sg.load(options.run)
    own = model.sample(options.count, seed=options.seed + 100).plain()
    print(f"{how}\n\n| {options.count} pictures | mean | median | within {FOUND:g} | random ones | far |")
    print("|---|---|---|---|---|---|")
    start, pictures = time.process_time(), {"own": own, "held-out": held_out(options.run, options.count)}
    for name, targets in pictures.items():
        found = sg.project(options.run, targets, seed=options.seed, how=how, own=0)
        print(line(name, found), flush=True)
        if name == "own":
            off = (found.latents - model.latents(options.count, seed=options.seed + 100)).square().mean(1).sqrt()
        if options.out:
            found.save(options.out / f"{name}.png")
    seconds, half = (time.process_time() - start) / sum(map(len, pictures.values())), options.count // 2
    print(f"\nlatents of own pictures: off by {off.mean():.3f}, at most {off.max():.3f}")
    print(f"random pairs of own pictures: {levels_apart(own[:half], own[half : 2 * half]).mean():.1f}")
    print(f"{seconds:.1f} s of processors a picture, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
