from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steadygan.data import split
from steadygan.data.split import hold_out

NAMES = [f"{number:032x}" for number in range(200)]


def held(
    digests: Sequence[str], share: float, families: Iterable[Sequence[int]] = (), before: Iterable[str] = ()
) -> list[int]:
    return hold_out(digests, families, share, set(before)).tolist()


@pytest.mark.parametrize(("count", "share", "expected"), [(10, 0.1, 1), (19, 0.1, 1), (200, 0.25, 50), (9, 0.1, 0)])
def test_a_share_is_held_out_and_no_more(count: int, share: float, expected: int) -> None:
    found = held(NAMES[:count], share)
    assert len(found) == expected
    assert found == sorted(set(found))


def test_no_more_than_the_most_are_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "MOST", 7)
    assert len(held(NAMES, 0.5)) == 7


def test_at_most_five_thousand_are_held_out() -> None:
    assert len(held([str(number) for number in range(20_000)], 0.5)) == 5_000


@pytest.mark.parametrize(("count", "most"), [(10, 5), (11, 5), (200, 100)])
def test_what_was_held_out_before_stays_so_but_never_more_than_half(count: int, most: int) -> None:
    found = held(NAMES[:count], 0.1, before=NAMES)
    assert len(found) == most
    few = held(NAMES[:count], 0.1, before=NAMES[3:5])
    assert {3, 4} <= set(few)
    assert len(few) == max(2, count // 10)


def test_copies_of_what_was_held_out_join_it_up_to_a_half() -> None:
    joined = held(NAMES[:20], 0.1, families=[range(10)], before=NAMES[:1])
    assert joined == list(range(10))
    assert 0 not in held(NAMES[:20], 0.1, families=[range(11)], before=NAMES[:1])


def test_no_share_holds_out_nothing_whatever_was_before() -> None:
    assert held(NAMES, 0, before=NAMES) == []


def test_the_first_that_no_longer_fits_does_not_keep_out_a_smaller_family() -> None:
    """Of families of 3 and single images, 4 places are always filled."""
    for shift in range(20):
        names = NAMES[shift : shift + 40]
        assert len(held(names, 0.1, families=[range(start, start + 3) for start in range(0, 30, 3)])) == 4


@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_neither_order_nor_how_families_are_told_matters(random, count: int) -> None:
    numbers = list(range(count))
    pairs = [sorted(random.sample(numbers, 2)) for _ in range(count // 4)] if count > 1 else []
    names = {NAMES[index] for index in held(NAMES[:count], 0.3, pairs)}
    order = random.sample(numbers, count)
    place = {old: new for new, old in enumerate(order)}
    moved = [[place[second], place[first]] for first, second in reversed(pairs)]
    again = {NAMES[order[index]] for index in held([NAMES[old] for old in order], 0.3, moved)}
    assert again == names
    for first, second in pairs:
        assert (NAMES[first] in names) == (NAMES[second] in names)


def test_families_that_share_a_member_are_one() -> None:
    chain = [(0, 1), (2, 3), (1, 2), (8, 9), (3, 4)]
    for seed in range(30):
        names = NAMES[seed : seed + 16]
        assert len(set(held(names, 0.4, chain)) & set(range(5))) in (0, 5)
