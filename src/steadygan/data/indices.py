"""Indices of images: some of many, evenly, and those that belong together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Groups = tuple[tuple[int, ...], ...]


def evenly(length: int, count: int) -> list[int]:
    """`count` indices spread over `length`, from 0 on; repeated where there are fewer."""
    return [place * length // count for place in range(count)]


def joined(groups: Iterable[Sequence[int]]) -> Groups:
    """Groups of indices of which those that share one are one, by union-find; each ascending, ordered by the first."""
    head: dict[int, int] = {}

    def find(index: int) -> int:
        while head.setdefault(index, index) != index:
            head[index] = index = head[head[index]]
        return index

    for first, *others in groups:
        low = find(first)
        for other in others:
            low, high = sorted((low, find(other)))
            head[high] = low
    together: dict[int, list[int]] = {}
    for index in sorted(head):
        together.setdefault(find(index), []).append(index)
    return tuple(map(tuple, together.values()))
