"""The answer of a study as a table: a value, Markdown, and columns in a terminal; rewritten after each run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from steadygan.names import shown, to_json
from steadygan.rundir import atomic_write
from steadygan.runs.study import Arm, Effect, Question, StudyTable
from steadygan.studies.ablation.picture import save_picture
from steadygan.studies.ablation.records import Outcome
from steadygan.studies.ablation.statistics import arm, effects
from steadygan.studies.ablation.wording import (
    amount,
    how_to_read,
    interval_words,
    ratio,
    sentence,
    share,
    signed,
    verdict,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["as_markdown", "as_rich", "make_table", "print_table", "save_table"]

_HEAD = ("variant", "verdict", "mean", "difference", "interval", "better", "p (Holm)", "time", "memory", "collapsed")
_LEAST_FIRST = ("p (Holm)", "mean", "memory", "time", "collapsed", "better")
_STYLES = {"helped": "bold cyan", "hurt": "bold red"}  # the words say it, too


def make_table(outcomes: Iterable[Outcome], question: Question) -> StudyTable:
    """What the outcomes so far answer. Nothing is decided of a variant before all its seeds have ended."""
    runs = {(one.variant, one.seed): one for one in outcomes}
    found = effects(runs.values(), question.base, variants=tuple(question.titles), seeds=question.seeds)
    base = arm(runs.values(), question.base)
    return StudyTable(
        question=question,
        better=next((one.better for one in runs.values()), "lower"),
        base=base,
        effects=tuple(sorted(found, key=_rank)),
        sentences={one.variant: sentence(one, base, question) for one in found},
        ended=len(runs),
    )


def _rank(effect: Effect) -> tuple[bool, float]:
    """The best first, and those without a difference last."""
    mean = effect.mean or 0.0
    return effect.mean is None, mean if effect.better == "lower" else -mean


def save_table(table: StudyTable, folder: Path) -> None:
    """Write table.json, table.md and effects.png into the folder of the study."""
    atomic_write(folder / "table.json", to_json(table, indent=2) + "\n")
    save_picture(table, folder / "effects.png")
    atomic_write(folder / "table.md", as_markdown(table))


def as_markdown(table: StudyTable) -> str:
    """The whole answer, with the picture beside it."""
    rows = [list(_HEAD), ["---", "---", *["---:"] * (len(_HEAD) - 2)], *_rows(table)]
    lines = [
        f"# What helped{f': {table.question.recipe}' if table.question.recipe else ''}",
        "",
        f"{_asked(table)}",
        "",
        "![every seed's difference, the means and their intervals](effects.png)",
        "",
        *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows),
        "",
        *(f"- {table.sentences[one.variant]}" for one in table.effects),
        "",
        how_to_read(table.question),
        "",
    ]
    return "\n".join(lines)


def as_rich(table: StudyTable, width: int = 120) -> Table:
    """The table for a terminal of so many columns: of a narrow one that stays out which the sentences tell as well."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = [[shown(cell) for cell in row] for row in _rows(table)]
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    kept = _fitting(rows, width)
    for place in kept:
        drawn.add_column(_HEAD[place], justify="right" if place > 1 else "left", overflow="fold", no_wrap=place > 0)
    styles = ["dim", *(_STYLES.get(one.verdict, "") for one in table.effects)]
    for style, row in zip(styles, rows, strict=True):
        drawn.add_row(*(Text(row[place], style if place < 2 else "") for place in kept))
    return drawn


def _fitting(rows: list[list[str]], width: int) -> list[int]:
    """The columns that there is room for."""
    needed = {place: 3 + max(map(len, column)) for place, column in enumerate(zip(_HEAD, *rows, strict=True))}
    for name in _LEAST_FIRST:
        if sum(needed.values()) > width:
            del needed[_HEAD.index(name)]
    return list(needed)


def print_table(table: StudyTable, console: Console) -> None:
    """What was asked, the table, and a sentence for each variant."""
    console.print(_asked(table), markup=False, highlight=False)
    console.print(as_rich(table, console.width))
    for one in table.effects:
        console.print(shown(table.sentences[one.variant]), markup=False, highlight=False)


def _asked(table: StudyTable) -> str:
    asked, ended = table.question, table.ended
    seeds = len(asked.seeds)
    told = [
        f"{len(asked.titles)} {'variant' if len(asked.titles) == 1 else 'variants'} against the base",
        f"{seeds} {'seed' if seeds == 1 else 'seeds'} each",
        asked.budget and f"{asked.budget} a run",
        asked.data and f"on {asked.data}",
        f"scored by {asked.metric} ({table.better} is better{f'; {asked.protocol}' if asked.protocol else ''})",
    ]
    so_far = "" if ended >= asked.runs else f" So far {ended} of {asked.runs} runs have ended."
    return shown(", ".join(filter(None, told)) + f".{so_far}")


def _rows(table: StudyTable) -> list[list[str]]:
    """The base, then the variants."""
    return [
        [table.question.title(table.question.base), "", _mean(table.base), *[""] * 6, share(table.base)],
        *(_row(one, table.question) for one in table.effects),
    ]


def _row(effect: Effect, question: Question) -> list[str]:
    return [
        question.title(effect.variant),
        verdict(effect),
        _mean(effect.arm),
        "" if effect.mean is None else signed(effect.mean),
        interval_words(effect),
        f"{effect.better_at} of {len(effect.dots)}" if effect.dots else "",
        "" if effect.p_holm is None else f"{max(effect.p_holm, 0.0001):.2g}",
        ratio(effect.time),
        ratio(effect.memory),
        share(effect.arm),
    ]


def _mean(arm: Arm) -> str:
    return "" if arm.mean is None else amount(arm.mean)
