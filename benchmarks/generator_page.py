"""Milliseconds a picture and size of the page of a generator, in a headless Chromium on one core.

python benchmarks/generator_page.py [--recipes steady] [--sizes 32 64 128 256] [--pictures 15]

Fresh weights, which take as long as trained ones; they may be rounded further, so that the size of a trained one's page
is up to a fifth larger: `largest_mb` is that with all bits kept. A line of JSON for each: the median and the slowest of
so many pictures, after three that warm up, by one worker; the largest difference to PyTorch's pictures in 255 levels.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from steadygan.errors import ConfigError
from steadygan.export import TrainedGenerator
from steadygan.export.compiling import compiled
from steadygan.export.packing import packed
from steadygan.export.page import save_page
from steadygan.export.program import multiplications
from steadygan.networks import latents_of
from steadygan.recipes import Facts, configure
from steadygan.spec import ImageSpec
from steadygan.training.speed import name_of

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIETLY = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
MAKE = """async ([seed, number]) => {
    const made = await steadygan.make(steadygan.latentOf(seed, number));
    return [made.ms, [...made.pixels]];
}"""


def fresh(recipe: str, size: int) -> TrainedGenerator:
    """A generator as the recipe has it for coloured pictures of this size."""
    spec = ImageSpec(size=size, channels=3)
    config = configure("photos", recipe, facts=Facts(size=size, channels=3, classes=0, images=1000))
    networks = config.networks
    return TrainedGenerator(
        networks.build(spec).generator, config.dump()["networks"], spec, latents_of(networks).dim, {"recipe": recipe}
    )


def measure(view: Page, file: Path, model: TrainedGenerator, pictures: int) -> dict[str, Any]:
    view.goto(file.as_uri())
    while view.locator("canvas.waiting, canvas[aria-busy]").count():
        view.wait_for_timeout(100)
    made = [view.evaluate(MAKE, ["0", number]) for number in range(pictures + 3)]
    shown = np.array([pixels for _, pixels in made]).reshape(len(made), model.spec.size, model.spec.size, 4)[..., :3]
    truth = model.sample(len(made)).plain().permute(0, 2, 3, 1).numpy().astype(int)
    times = [ms for ms, _ in made[3:]]
    return {"ms": median(times), "slowest": max(times), "levels": int(np.abs(shown - truth).max())}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipes", nargs="*", default=["steady"])
    parser.add_argument("--sizes", type=int, nargs="*", default=[32, 64, 128, 256])
    parser.add_argument("--pictures", type=int, default=15)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=QUIETLY)
        print(
            json.dumps({"processor": name_of("cpu"), "chromium": browser.version, "load": round(load, 1)}), flush=True
        )
        for recipe in asked.recipes:
            for size in asked.sizes:
                try:
                    model = fresh(recipe, size)
                    saved = save_page(model, Path(folder) / "a.html")
                except ConfigError as problem:
                    print(json.dumps({"recipe": recipe, "size": size, "refused": str(problem)}), flush=True)
                    continue
                program = compiled(model.generator, model.latent_dim)
                mb = saved.path.stat().st_size / 1e6
                extra = len(packed(program.rounded(10)).weights) / 1e6
                view = browser.new_page()
                found = measure(view, saved.path, model, asked.pictures)
                view.close()
                line = {"recipe": recipe, "size": size, **{name: round(value, 1) for name, value in found.items()}}
                line |= {"mb": round(mb, 2), "largest_mb": round(max(mb, extra + 0.08), 2)}
                line |= {"millions_of_products": round(multiplications(program) / 1e6)}
                print(json.dumps(line), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
