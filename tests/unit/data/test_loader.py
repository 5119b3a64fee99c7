from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from steadygan.data import loader
from steadygan.data.dataset import Dataset
from steadygan.data.loader import Batch, Batches, mirrored, positions_to_indices
from steadygan.errors import ConfigError
from steadygan.spec import ImageSpec

ROOT = Path(__file__).parents[3]


def dataset(
    length: int, size: int = 4, channels: int = 3, labelled: bool = False, held_out: tuple[int, ...] = ()
) -> Dataset:
    """Images whose first pixel is their index."""
    images = np.random.default_rng(0).integers(0, 256, (length, size, size, channels), np.uint8)
    images[:, 0, 0, 0] = np.arange(length)
    labels = np.arange(length, dtype=np.int64) if labelled else None
    spec = ImageSpec(size=size, channels=channels, classes=length if labelled else 0)
    return Dataset(Path("nowhere"), spec, images, labels, (), np.array(held_out, np.int64), "", {})


def indices(batch: Batch) -> list[int]:
    return ((batch.images[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def take(data: Dataset, count: int, **options: object) -> list[Batch]:
    with Batches(data, **{"batch": 4, "seed": 1} | options) as batches:  # type: ignore[arg-type]
        return [next(batches) for _ in range(count)]


def same(first: Batch, second: Batch) -> bool:
    return torch.equal(first.images, second.images)


@pytest.mark.parametrize("length", [1, 2, 7, 1000])
def test_every_pass_over_the_set_shows_every_image_once(length: int) -> None:
    stream = positions_to_indices(3, 0, 4 * length, length).reshape(4, length)
    assert (np.sort(stream, axis=1) == np.arange(length)).all()


def test_passes_and_seeds_have_orders_of_their_own() -> None:
    orders = [tuple(positions_to_indices(seed, start, 50, 50)) for seed in (0, 1, -1, 2**40) for start in (0, 50)]
    assert len(set(orders)) == 8


def test_the_stream_is_the_same_from_wherever_one_starts() -> None:
    whole = positions_to_indices(5, 0, 300, 37)
    for start in (0, 1, 36, 37, 100):
        assert (positions_to_indices(5, start, 40, 37) == whole[start : start + 40]).all()


def test_the_order_is_fixed_for_all_time() -> None:
    assert positions_to_indices(0, 0, 10, 10).tolist() == [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]


def test_a_run_that_continues_sees_bit_by_bit_what_it_would_have_seen() -> None:
    data = dataset(11)
    whole = take(data, 9, mirror=True)
    for start in (0, 1, 5):
        later = take(data, 9 - start, mirror=True, start_images=4 * start)
        assert all(same(a, b) for a, b in zip(whole[start:], later, strict=True))


def test_the_position_counts_what_was_given_out_and_not_what_was_read_ahead() -> None:
    with Batches(dataset(11), batch=4, seed=1, start_images=8) as batches:
        assert batches.position == 8
        next(batches)
        assert batches.position == 12


def test_processes_share_a_batch_without_overlap_and_together_see_all_of_it() -> None:
    data = dataset(50)
    whole = take(data, 20, batch=6)
    shares = [take(data, 20, batch=6, rank=rank, world=3) for rank in range(3)]
    for index, batch in enumerate(whole):
        assert [len(share[index].images) for share in shares] == [2, 2, 2]
        assert same(batch, Batch(torch.cat([share[index].images for share in shares]), None))


def test_mirroring_is_a_fair_coin_of_seed_and_position() -> None:
    coins = mirrored(7, 0, 10_000)
    assert abs(coins.mean() - 0.5) < 0.02
    assert abs((coins[1:] == coins[:-1]).mean() - 0.5) < 0.02
    assert (mirrored(7, 4321, 50) == coins[4321:4371]).all()
    assert 0.45 < (mirrored(8, 0, 10_000) == coins).mean() < 0.55


def test_a_mirrored_image_is_turned_left_to_right_and_the_others_are_left_alone() -> None:
    data = dataset(13)
    plain, turned = take(data, 5), take(data, 5, mirror=True)
    for number, (a, b) in enumerate(zip(plain, turned, strict=True)):
        for image, other, coin in zip(a.images, b.images, mirrored(1, 4 * number, 4), strict=True):
            assert torch.equal(other, image.flip(2) if coin else image)


def test_all_256_levels_become_exactly_the_range_from_minus_one_to_one() -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(2, axis=0)
    data = replace(dataset(2), images=images)
    values = take(data, 1, batch=1)[0].images.flatten()
    assert values.dtype == torch.float32
    assert (values[0], values[255]) == (-1.0, 1.0)
    assert torch.equal(values, torch.arange(256) / 127.5 - 1)


@pytest.mark.parametrize("mirror", [False, True])
def test_batches_are_channels_last_in_memory(mirror: bool) -> None:
    images = take(dataset(9), 1, mirror=mirror)[0].images
    assert images.shape == (4, 3, 4, 4)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_labels_travel_with_their_images() -> None:
    for batch in take(dataset(20, labelled=True), 8, mirror=False):
        assert batch.labels is not None
        assert batch.labels.dtype == torch.int64
        assert batch.labels.tolist() == indices(batch)
    assert take(dataset(20), 1)[0].labels is None


def test_a_set_smaller_than_a_batch_is_repeated_evenly() -> None:
    (batch,) = take(dataset(3), 1, batch=9)
    assert sorted(indices(batch)) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_points_are_images_of_one_pixel() -> None:
    (batch,) = take(dataset(5, size=1, channels=2), 1, batch=5)
    assert batch.images.shape == (5, 2, 1, 1)
    assert sorted(indices(batch)) == [0, 1, 2, 3, 4]


def test_what_is_handed_out_may_be_changed_without_harm_to_the_data() -> None:
    data = dataset(4)
    before = data.images.copy()
    for batch in take(data, 3):
        batch.images.zero_()
    assert (data.images == before).all()


def reading_threads() -> int:
    return sum(thread.name.startswith("batches") for thread in threading.enumerate())


def test_closing_ends_the_thread() -> None:
    before = reading_threads()
    with Batches(dataset(10), batch=2, seed=0) as batches:
        next(batches)
        assert reading_threads() == before + 1
    assert reading_threads() == before
    batches.close()


def test_an_error_in_the_thread_reaches_whoever_asks_for_the_batch() -> None:
    class Broken:
        shape = (10, 4, 4, 3)

        def __len__(self) -> int:
            return 10

        def __getitem__(self, _: object) -> None:
            raise OSError("the disk went away")

    data = replace(dataset(10), images=Broken())  # type: ignore[arg-type]
    with Batches(data, batch=2, seed=0) as batches, pytest.raises(OSError, match="the disk went away"):
        next(batches)


def test_time_spent_waiting_for_input_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = [0.0], threading.Event()

    class Slow(np.ndarray):
        def __getitem__(self, index: object) -> np.ndarray:
            """Takes until five o'clock, from when somebody waits for it."""
            asked.wait()
            now[0] = 5.0
            return np.asarray(self)[index]  # type: ignore[no-any-return, call-overload]

    def clock() -> float:
        time = now[0]
        asked.set()
        return time

    monkeypatch.setattr(loader.time, "perf_counter", clock)
    slow = replace(dataset(10), images=dataset(10).images.view(Slow))
    with Batches(slow, batch=2, seed=0) as batches:
        next(batches)
        assert batches.wait_seconds == 5
        next(batches)
        assert batches.wait_seconds == 5, "what is there already is not waited for"


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    for batch, world in ((5, 2), (0, 1)):
        with pytest.raises(ConfigError, match="cannot be shared"):
            Batches(dataset(10), batch=batch, seed=0, world=world)


@pytest.mark.slow
def test_the_data_package_loads_torch_only_when_batches_are_asked_for() -> None:
    code = "import sys, steadygan.data as d; a = 'torch' in sys.modules; d.Batches; print(a, 'torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
    with pytest.raises(ImportError, match="Batch_"):
        from steadygan.data import Batch_  # type: ignore[attr-defined]  # noqa: F401


def test_images_held_out_never_come_and_all_others_do() -> None:
    data = dataset(11, held_out=(2, 7))
    with Batches(data, batch=3, seed=5) as batches:
        pixels = [next(batches).images[:, 0, 0, 0] for _ in range(6)]
    seen = [round((value + 1) * 127.5) for batch in pixels for value in batch.tolist()]
    assert sorted(seen) == sorted([index for index in range(11) if index not in (2, 7)] * 2)
