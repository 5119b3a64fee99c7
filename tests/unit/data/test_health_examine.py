from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from steadygan.data.health import Health, Remark, examine
from steadygan.data.health.outliers import robust_z
from steadygan.data.work import Entry

SIDE = 32
NUMBER = 1_000
RED = np.array([90, -40, -80])


@dataclass(frozen=True)
class Planted:
    """Images with their index, to be spoiled by tests."""

    images: NDArray[np.uint8]
    entries: list[Entry]

    def with_entry(self, index: int, **changes: Any) -> Planted:
        entries = list(self.entries)
        entries[index] = entries[index].model_copy(update=changes)
        return replace(self, entries=entries)

    def with_image(self, index: int, image: NDArray[np.uint8]) -> Planted:
        images = self.images.copy()
        images[index] = image
        return replace(self, images=images)

    def health(self, **more: Any) -> Health:
        return examine(self.images, self.entries, **more)


def natural(number: int, side: int, seed: int) -> NDArray[np.uint8]:
    """Noise with the spectrum of photographs, of different contrast, lighting and tint."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    frequency[0, 0] = 1
    fields = np.fft.ifft2(np.fft.fft2(rng.normal(size=(number, side, side))) / frequency).real
    fields = (fields - fields.mean((1, 2), keepdims=True)) / fields.std((1, 2), keepdims=True)
    scaled = 120 + fields * rng.uniform(25, 50, (number, 1, 1)) + rng.uniform(-25, 25, (number, 1, 1))
    tint = rng.normal((12, 0, -12), 4, (number, 1, 1, 3))
    return np.clip(scaled[..., None] + tint, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def clean() -> Planted:
    rng = np.random.default_rng(5)
    sizes = rng.integers(90, 140, (NUMBER, 2)).tolist()
    return Planted(
        natural(NUMBER, SIDE, 0),
        [
            Entry(file=f"{at % 4}/{at:04d}.png", size=(wide, high), mode="RGB", format="PNG",
                  crop=(0, 0, wide, high), digest=f"{at:064x}", label="abcd"[at % 4])
            for at, (wide, high) in enumerate(sizes)
        ],
    )  # fmt: skip


def jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=0)
    return np.asarray(Image.open(file))


def blurred(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(2)))


def by_check(health: Health) -> dict[str, Remark]:
    return {it.check: it for it in health.findings}


def test_a_clean_set_has_no_findings(clean: Planted) -> None:
    health = clean.health()
    assert health.findings == ()
    assert (health.images, health.looked_closely, health.families) == (NUMBER, 0, ())
    assert {name: sum(it.counts) for name, it in health.histograms.items()} == dict.fromkeys(
        ("width", "height", "width / height", "brightness", "contrast", "sharpness"), NUMBER
    )


@pytest.fixture(scope="module")
def spoiled(clean: Planted) -> Planted:
    images, entries = clean.images.copy(), list(clean.entries)
    images[100], images[200] = images[12], images[20]  # exact copies
    entries[100] = entries[100].model_copy(update={"digest": entries[12].digest})
    for at, of in ((300, 30), (301, 30), (302, 34)):  # near copies
        images[at] = np.clip(jpeg(images[of], 70 - at % 300 * 10).astype(int) + 6, 0, 255)
    images[400:404] = np.array([0, 128, 255, 3])[:, None, None, None]  # blank
    images[403, 5, 5] = 20
    images[500] = np.clip(images[500] + RED, 0, 255)
    images[510] = images[510].mean(axis=-1, keepdims=True).astype(np.uint8)  # grey
    for at in range(520, 525):
        images[at] = blurred(images[at])
    for at in range(600, 606):  # fewer pixels than they are given
        images[at] = np.asarray(
            Image.fromarray(images[at]).resize((12, 12)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        )
        entries[at] = entries[at].model_copy(update={"size": (12, 12), "enlarged": True})
    for at in range(700, 703):
        entries[at] = entries[at].model_copy(update={"label": "tiny"})
    entries[800] = entries[800].model_copy(update={"size": (1000, 100)})
    images[900] = images[900] // 8  # dark
    return Planted(images, entries)


def test_planted_faults_are_all_found_and_nothing_else(spoiled: Planted) -> None:
    found = by_check(spoiled.health())
    assert {name: it.indices for name, it in found.items()} == {
        "exact-duplicates": (12, 100, 20, 200),
        "near-duplicates": (30, 300, 301, 34, 302),
        "labels": (30, 300, 301),
        "blank": (400, 401, 402, 403),
        "colour": (500,),
        "grey": (510,),
        "blurred": tuple(found["blurred"].indices),
        "brightness": (900,),
        "enlarged": (600, 601, 602, 603, 604, 605),
        "classes": (700, 701, 702),
        "size": tuple(found["size"].indices),
        "shape": (800,),
    }
    assert sorted(found["blurred"].indices) == [520, 521, 522, 523, 524]
    assert sorted(found["size"].indices) == [600, 601, 602, 603, 604, 605]
    assert found["exact-duplicates"].groups == ((12, 100), (20, 200))
    assert found["near-duplicates"].groups == ((30, 300, 301), (34, 302))
    assert found["exact-duplicates"].sentence == "2 images are copies of others in all pixels, 1 of them byte for byte"
    assert found["near-duplicates"].sentence.startswith("3 images are nearly the same as another, in 2 groups:")
    assert found["labels"].sentence.endswith(": 2/0030.png ('c'), 0/0300.png ('a'), 1/0301.png ('b')")
    assert found["classes"].sentence == ("1 class is tiny beside the others, which have 249 images (median): 'tiny' 3")
    assert found["shape"].captions == ("1000×100",)
    assert found["enlarged"].examples[0] == "0/0600.png"


def test_findings_are_graded_and_the_gravest_come_first(spoiled: Planted) -> None:
    health = spoiled.health()
    order = [it.severity for it in health.findings]
    assert order == sorted(order, key=["serious", "warning", "info"].index)
    assert by_check(health)["blank"].severity == "warning"
    assert by_check(health)["near-duplicates"].severity == "info"
    few = Planted(spoiled.images[400:404], spoiled.entries[400:404]).health()
    assert by_check(few)["blank"].severity == "serious"
    assert by_check(few)["few"].severity == "warning"


def test_health_is_the_same_every_time_and_as_json(spoiled: Planted) -> None:
    health = spoiled.health()
    assert health == spoiled.health()
    assert Health.model_validate(json.loads(health.model_dump_json())) == health
    assert health.families == ((12, 100), (20, 200), (30, 300, 301), (34, 302))


def test_a_coloured_picture_in_a_grey_set_is_told(clean: Planted) -> None:
    grey = clean.images.mean(axis=-1, keepdims=True).astype(np.uint8).repeat(3, axis=-1)
    assert replace(clean, images=grey).health().findings == ()
    found = replace(clean, images=grey).with_image(3, clean.images[3]).health().findings
    assert [(it.check, it.indices) for it in found] == [("coloured", (3,))]
    assert found[0].sentence == "1 image is coloured, the other 999 grey"
    assert replace(clean, images=grey[..., :1]).health().findings == ()
    half = clean.images.copy()
    half[::2] = grey[::2]
    assert [(it.check, it.count, it.severity) for it in replace(clean, images=half).health().findings] == [
        ("grey", 500, "warning")
    ]


@pytest.mark.parametrize(("number", "severity"), [(99, "warning"), (100, "info"), (999, "info")])
def test_small_sets_get_advice(clean: Planted, number: int, severity: str) -> None:
    few = Planted(clean.images[:number], clean.entries[:number]).health().findings
    assert [(it.check, it.severity) for it in few] == [("few", severity)]
    assert "augmentation" in few[0].remedy


def test_what_many_images_have_is_no_outlier(clean: Planted) -> None:
    images = clean.images.copy()
    images[:100] = np.clip(images[:100] + RED, 0, 255)
    assert replace(clean, images=images).health().findings == ()


def test_true_resolution_matters_only_below_the_size(clean: Planted) -> None:
    factors = {index: 0.5 if index < 50 else 1.0 for index in range(200)}
    found = clean.health(factors=factors)
    assert [(it.check, it.severity, it.count) for it in found.findings] == [("detail", "info", 50)]
    assert "at 32 pixels that does no harm" in found.findings[0].sentence
    assert found.looked_closely == 200
    large = clean.health(factors=factors, size=128).findings[0]
    assert large.severity == "serious"
    assert "50 of them hold less than the 128 pixels they are given" in large.sentence
    assert large.remedy == "use the originals if there are any, or take them out"
    most = clean.health(factors=dict.fromkeys(range(200), 0.5), size=128).findings[0]
    assert most.remedy == "use the originals if there are any, or a --size of at most 32"
    assert clean.health(factors={index: 0.5 if index < 3 else 1.0 for index in range(200)}).findings == ()


@pytest.mark.parametrize(("side", "channels"), [(1, 2), (7, 3), (8, 1), (20, 4), (130, 3)])
def test_sets_of_any_form_are_examined(side: int, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, side, side, channels), np.uint8)
    entries = [Entry(file=str(at), size=(side, side), mode="", format="", crop=(0, 0, side, side), digest=str(at))
               for at in range(40)]  # fmt: skip
    assert [it.check for it in examine(images, entries).findings] == ["few"]
    assert bool(examine(images, entries).histograms) == (side >= 8)


def test_no_images_and_one_image() -> None:
    assert examine(np.zeros((0, 8, 8, 3), np.uint8), []) == Health(images=0)
    entry = Entry(file="a", size=(8, 8), mode="RGB", format="PNG", crop=(0, 0, 8, 8), digest="")
    assert [it.check for it in examine(natural(1, 8, 0), [entry]).findings] == ["few"]


def test_lists_stay_short_and_families_whole(clean: Planted) -> None:
    images = np.concatenate([clean.images, clean.images, clean.images])
    health = examine(images, clean.entries * 3)
    found = by_check(health)["exact-duplicates"]
    assert (found.count, found.severity, len(found.groups), len(found.indices), len(found.examples)) == (
        2_000, "serious", 1_000, 1_000, 12
    )  # fmt: skip
    assert len(health.families) == 1_000
    assert health.families[3] == (3, 1_003, 2_003)


def test_a_picture_of_large_shapes_is_not_blurred(clean: Planted) -> None:
    shapes = np.where(np.arange(SIDE)[None, :, None] < 16, 15, 225) + (clean.images[3].astype(int) - 110) // 2
    assert clean.with_image(3, np.clip(shapes, 0, 255).astype(np.uint8)).health().findings == ()


def test_grey_pictures_are_not_also_of_a_strange_colour(clean: Planted) -> None:
    tinted = np.clip(clean.images + np.array([50, 0, -50]), 0, 255).astype(np.uint8)
    tinted[8] = tinted[8].mean(axis=-1, keepdims=True)
    assert [it.check for it in replace(clean, images=tinted).health().findings] == ["grey"]


def test_the_files_with_the_least_detail_are_shown_first(clean: Planted) -> None:
    factors = {0: 0.5, 1: 0.2, 2: 1.0, 3: 0.3}
    assert clean.health(factors=factors).findings[0].indices == (1, 3, 0)


def test_robust_deviations_are_those_of_a_normal_distribution_and_bear_outliers() -> None:
    values = np.random.default_rng(0).normal(50, 4, 20_000)
    values[:100] = 1e6
    z = robust_z(values, 0.1)
    assert np.std(z[100:]) == pytest.approx(1, abs=0.03)
    assert robust_z(np.array([5.0, 5, 5, 5, 7]), 0.5).tolist() == [0, 0, 0, 0, 4]
    assert robust_z(np.zeros(0), 1).tolist() == []


def test_different_labels_are_named_once_each(clean: Planted) -> None:
    images = clean.images.copy()
    images[[4, 8, 13]] = images[0]
    finding = by_check(replace(clean, images=images).health())["labels"]
    assert finding.sentence.endswith("under different labels: 0/0000.png ('a'), 1/0013.png ('b')")


@pytest.mark.parametrize("copies", [2, 40])
def test_the_same_picture_under_two_labels_is_serious_when_frequent(clean: Planted, copies: int) -> None:
    images = clean.images.copy()
    images[1 : 4 * copies : 4] = images[0 : 4 * copies : 4]
    finding = by_check(replace(clean, images=images).health())["labels"]
    assert (finding.count, finding.severity) == (copies, "warning" if copies == 2 else "serious")


@pytest.mark.parametrize("tint", [(40, -40, 0), (-40, 40, 0), (25, 25, -50), (-25, -25, 50)])
def test_a_strange_colour_is_seen_along_either_axis(clean: Planted, tint: tuple[int, int, int]) -> None:
    """Red to green alone, and yellow to blue alone."""
    middle = int(np.argmin(np.abs(clean.images.mean((1, 2, 3)) - 125)))
    tinted = np.clip(clean.images[middle] + np.array(tint), 0, 255).astype(np.uint8)
    assert by_check(clean.with_image(middle, tinted).health())["colour"].indices == (middle,)


def test_pictures_of_few_bits_beside_one_of_many_are_told_with_what_to_do(clean: Planted) -> None:
    spoiled = clean.with_entry(3, needed=8).with_entry(4, needed=12).with_entry(5, needed=13).with_entry(9, needed=16)
    (found,) = spoiled.health().findings
    assert (found.check, found.severity, found.indices) == ("dark", "warning", (3, 4))
    assert found.sentence.endswith("are nearly black on the scale of 16 bits that 1/0009.png needs")
    assert found.captions == ("needs 8 bits", "needs 12 bits")
    assert clean.with_entry(4, needed=12).with_entry(9, needed=15).health().findings == ()


@pytest.mark.parametrize(("each", "said"), [(10, []), (9, ["100 classes have 9 images (median)"])])
def test_classes_that_all_hold_few_images_are_told(clean: Planted, each: int, said: list[str]) -> None:
    entries = [it.model_copy(update={"label": str(at % 100)}) for at, it in enumerate(clean.entries[: 100 * each])]
    found = Planted(clean.images[: 100 * each], entries).health().findings
    assert [it.sentence for it in found if it.check == "thin-classes"] == said
