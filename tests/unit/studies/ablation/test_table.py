"""The answer in words, cells and dots: what is decided reads as decided, and nothing else does."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from steadygan.names import from_json
from steadygan.runs.study import Question, StudyTable
from steadygan.studies.ablation.picture import draw, save_picture
from steadygan.studies.ablation.records import Outcome
from steadygan.studies.ablation.table import as_markdown, as_rich, make_table, print_table, save_table
from steadygan.visual.curves import BLUE, GREY, VERMILION

BASE = [10.0, 11.5, 9.0, 10.5, 12.0]
BETTER = [8.0, 9.4, 7.2, 8.5, 10.1]


def outcomes(variant, scores, **more):
    given = {"better": "lower", "floor": 1.0, "seconds": 100.0, "peak_memory_bytes": 10**9, "collapsed": False} | more
    return [
        Outcome(variant=variant, seed=seed, value=None, images=1000, state=value, **given)
        if isinstance(value, str)
        else Outcome(variant=variant, seed=seed, value=value, images=1000, state="finished", **given)
        for seed, value in enumerate(scores)
    ]


def asked(*names, seeds=5, **titles):
    return Question(
        metric="swd",
        titles=dict.fromkeys(names, "") | titles,
        seeds=tuple(range(seeds)),
        recipe="dcgan",
        data="builtin:glyphs",
        budget="20,000 images",
    )


def one(scores, base=BASE, seeds=5, base_more=None, **more):
    """The sentence about one variant."""
    runs = [*outcomes("base", base, **(base_more or {})), *outcomes("ttur", scores, **more)]
    return make_table(runs, asked("ttur", seeds=seeds)).sentences["ttur"]


def in_terminal(table, width):
    console = Console(file=io.StringIO(), width=width)
    print_table(table, console)
    return console.file.getvalue()


def test_what_helped_is_said_with_number_interval_and_cost():
    assert one(BETTER, seconds=113.0, peak_memory_bytes=10**9) == (
        "ttur helped: swd is 1.96 lower (18%; interval −2.1 to −1.82), better at 5 of 5 seeds. "
        "It takes 13% more time and as much memory."
    )


def test_what_hurt_is_said_with_what_went_wrong():
    worse = [value + 3 + 0.2 * at for at, value in enumerate(BASE)]
    assert one(worse, collapsed=True, peak_memory_bytes=3 * 10**9).endswith(
        "worse at 5 of 5 seeds. It takes as much time and 3.0 times the memory. Collapsed: 5 of 5 runs (base 0 of 5)."
    )


def test_what_is_not_decided_says_what_would_decide():
    said = one([9.0, 11.7, 8.8, 9.0, 12.2])
    assert said.startswith("ttur: not decided at this budget. On average swd is 0.46 lower (4%), but anything from −1.")
    assert "About 31 more seeds would decide, if the difference is as large as it looks." in said
    assert "helped" not in said


def test_of_a_difference_near_nothing_no_number_of_seeds_is_promised():
    assert "more than 100 more seeds" in one([10.0, 11.4, 9.1, 10.0, 12.4])


def test_too_few_seeds_are_called_so_however_clear_it_looks():
    said = one(BETTER[:3], BASE[:3], seeds=3)
    assert said.startswith(
        "ttur: not decided, since 3 seeds are too few (at least 5). So far swd is 1.97 lower (19%). About 2 more seeds"
    )
    assert one(BETTER[:1], BASE[:1], seeds=1).startswith("ttur: not decided, since one seed is too few (at least 5).")


def test_while_runs_are_to_come_nothing_is_decided():
    assert one(BETTER, seeds=6).startswith("ttur: not decided yet, since runs are still to come. So far swd is 1.96")
    assert one([]) == "ttur: not decided yet, since runs are still to come."


def test_what_was_stopped_early_is_not_judged():
    worse = [value + 30 for value in BASE[:4]]
    assert one([*worse, "stopped early"]).startswith(
        "ttur: stopped early, as it was far behind, and therefore not judged. It takes"
    )


def test_runs_that_diverged_or_failed_are_told_with_how_they_count():
    said = one([8.0, "diverged", 7.2, 8.5, "failed"])
    assert "Diverged: 1 of 5 runs (base 0 of 5); such a run counts as the worst score of the two variants." in said
    assert "Failed: 1 of 5 runs, left out with their pairs." in said
    gone = one(["diverged"] * 5, ["diverged"] * 5)
    assert gone == (
        "ttur: nothing to compare, since at no seed is there a swd of both this and the base. "
        "Diverged: 5 of 5 runs (base 5 of 5)."
    )


def test_a_technique_that_changes_nothing_is_called_that():
    assert one(BASE).startswith("ttur: no difference at any of 5 seeds. It changes nothing here. It takes as much")
    assert "which chance does not do" in one([value + 1 for value in BASE])


def test_a_seed_far_off_is_named():
    assert "Seed 5 lies far from the others" in one([*BETTER, 90.0], [*BASE, 11.0], seeds=6)


def test_a_base_of_zero_has_no_percentage():
    assert "%" not in one([1.0, 2.0, 1.5, 1.2, 1.1], [-1.0, 1.0, -2.0, 2.0, 0.0]).split("It takes")[0]


@pytest.fixture
def table():
    worse = [value + 3 + 0.2 * at for at, value in enumerate(BASE)]
    runs = [
        *outcomes("base", BASE),
        *outcomes("bad", worse),
        *outcomes("lost", [10.4, "diverged", 8.8, 10.5, 11.9]),
        *outcomes("good", BETTER),
    ]
    return make_table(runs, asked("bad", "lost", "good", "later", good="batch=32 | [bold]x"))


def test_the_best_comes_first_and_what_has_no_difference_last(table):
    assert [effect.variant for effect in table.effects] == ["good", "lost", "bad", "later"]
    higher = [run.model_copy(update={"better": "higher"}) for run in [*outcomes("base", BASE), *outcomes("a", BETTER)]]
    assert (
        make_table(
            [*higher, *[run.model_copy(update={"variant": "b", "value": 20.0}) for run in higher[5:]]], asked("a", "b")
        )
        .effects[0]
        .variant
        == "b"
    )


def test_the_files_hold_the_answer(table, tmp_path):
    save_table(table, tmp_path)
    assert from_json(StudyTable, (tmp_path / "table.json").read_text()) == table
    assert json.loads((tmp_path / "table.json").read_text())["effects"][0]["verdict"] == "helped"
    with Image.open(tmp_path / "effects.png") as picture:
        assert picture.width == 1080
    assert (tmp_path / "table.md").read_text() == as_markdown(table)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["effects.png", "table.json", "table.md"]


def test_the_same_outcomes_make_the_same_files(table, tmp_path):
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        save_table(table, folder)
    files = [{file.name: file.read_bytes() for file in folder.iterdir()} for folder in (tmp_path / "a", tmp_path / "b")]
    assert files[0] == files[1]


def test_markdown_keeps_its_columns_whatever_a_title_holds(table):
    lines = [line.replace(r"\|", "") for line in as_markdown(table).splitlines() if line.startswith("|")]
    assert len(lines) == 7
    assert {line.count("|") for line in lines} == {11}
    assert "So far 15 of 25 runs have ended." not in as_markdown(table)
    assert "So far 20 of 25 runs have ended." in as_markdown(table)


@pytest.mark.parametrize("width", [66, 80, 120])
def test_a_terminal_shows_each_variant_in_one_line_with_its_verdict(table, width):
    said = in_terminal(table, width)
    assert all(len(line) <= width for line in said.splitlines())
    row = next(line for line in said.splitlines() if "batch=32 | [bold]x" in line)
    assert "helped" in row
    assert "−1.96" in row
    assert "hurt" in said
    assert ("time" in said.split("─")[0]) == (width == 120)


def test_a_table_before_the_first_run_can_be_shown(tmp_path):
    empty = make_table([], asked("a", "b"))
    save_table(empty, tmp_path)
    assert "So far 0 of 15 runs have ended." in in_terminal(empty, 80)


def marks(axes, *kinds):
    return [line for line in axes.lines if line.get_marker() in kinds]


def test_the_picture_has_a_dot_for_every_seed_and_the_interval_of_every_mean(table):
    axes = draw(table).axes[0]
    dots = [float(line.get_xdata()[0]) for line in marks(axes, "o", "X")]
    assert sorted(dots) == pytest.approx(sorted(dot.difference for one in table.effects for dot in one.dots))
    assert len(marks(axes, "X")) == 1
    means = [float(line.get_xdata()[0]) for line in marks(axes, "D")]
    assert means == pytest.approx([one.mean for one in table.effects if one.dots])
    bars = [line for line in axes.lines if line.get_linewidth() == 5]
    assert [tuple(bar.get_xdata()) for bar in bars] == [
        pytest.approx((one.low, one.high)) for one in table.effects if one.dots
    ]
    assert [bar.get_color() for bar in bars] == [BLUE, GREY, VERMILION]
    assert [label.get_text() for label in axes.get_yticklabels()][1:] == ["lost", "bad", "later"]


def test_one_run_gone_astray_does_not_flatten_the_others():
    far = [value - 1 + 0.1 * at for at, value in enumerate(BASE)]
    runs = [*outcomes("base", BASE), *outcomes("a", BETTER), *outcomes("b", [*far[:4], 1000.0])]
    axes = draw(make_table(runs, asked("a", "b"))).axes[0]
    assert axes.get_xlim()[1] < 20
    assert [text.get_text() for text in axes.texts if text.get_text() == "+988"]


def test_dots_that_are_all_beyond_the_border_are_labelled_once():
    names = "acdefghijkl"
    near = [run for name in names for run in outcomes(name, BETTER)]
    far = outcomes("b", [value + 1000 + 100 * at for at, value in enumerate(BASE)])
    axes = draw(make_table([*outcomes("base", BASE), *near, *far], asked(*names, "b"))).axes[0]
    assert axes.get_xlim()[1] < 1000
    assert [text.get_text() for text in axes.texts if "+" in text.get_text()] == ["+1,000 to +1,400"]


def test_thirty_variants_are_readable(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"technique_{number} + another_{number}" for number in range(30)]
    runs = [*outcomes("base", BASE[:3]), *(run for name in names for run in outcomes(name, rng.normal(10, 2, 3)))]
    table = make_table(runs, asked(*names, seeds=3))
    save_picture(table, tmp_path / "effects.png")
    with Image.open(tmp_path / "effects.png") as picture:
        assert picture.height / 30 > 30
    assert as_rich(table, 80).row_count == 31
