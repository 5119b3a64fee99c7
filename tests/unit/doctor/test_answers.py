"""What people ask most of a run, answered from hand-made records."""

from __future__ import annotations

import re

import pytest

from steadygan.doctor.answers import QUESTIONS, answers, go_on, larger, loss_is_normal
from steadygan.doctor.answers import best_checkpoint as best
from steadygan.doctor.answers import copying as copies
from steadygan.doctor.answers import d_is_too_strong as strong
from steadygan.doctor.answers import enough_images as enough
from steadygan.doctor.answers import has_collapsed as collapsed
from steadygan.doctor.case import Case
from unit.doctor.cases import case

POWER = [40 * (n + 1) ** -0.5 for n in range(10)]
LIKE_REALS = {name: [0.5] * 9 for name in ("contrast", "contrast_real", "diversity", "diversity_real")}


def measured(**signals: list[float]) -> Case:
    return case(signals=signals)


def lost(loss: str, *values: float) -> Case:
    return case(ticks={"loss_d": list(values), "loss_g": [1.0]}, loss=loss)


@pytest.mark.parametrize(
    ("answer", "told", "words"),
    [
        (loss_is_normal, lost("non_saturating", 0.6, 0.5, 0.4, 0.02), "yes"),
        (loss_is_normal, lost("relativistic", 0.6, 0.6, 0.6, 0.693), "hardly more than nothing"),
        (loss_is_normal, lost("non_saturating", 1, 1, 1, 9), "no: D pays more"),
        (loss_is_normal, lost("hinge", 1, 1, 1, -3), "no: below 0"),
        (loss_is_normal, lost("hinge", *[1.0] * 7, float("nan")), "no, it is not finite"),
        (loss_is_normal, lost("hinge", *[1.0] * 3, *[float("nan")] * 5), "no, it is not finite.*D's loss is no number"),
        (loss_is_normal, case({"loss_d": [1.0], "loss_g": [float("inf")]}, loss="hinge"), "no, it is not finite"),
        (loss_is_normal, case({"loss_g": [2.0]}, loss="hinge"), "D's is not there"),
        (loss_is_normal, case({"loss_d": [0.8]}, config={"loss": {"a": -1}}, loss="least_squares"), "between 0 and 1,"),
        (loss_is_normal, lost("wasserstein", -1, -90, -500, -4000), "yes"),
        (loss_is_normal, lost("", 1, 2, 3, 4), "only its own past"),
        (loss_is_normal, case(), "--column"),
        (strong, case(ticks={"accuracy_real": [0.7], "accuracy_fake": [0.6]}, loss="hinge"), "no: it judges 70%"),
        (strong, case({"accuracy_real": [0.99], "accuracy_fake": [0.99]}, loss="hinge"), "perhaps"),
        (strong, case({"accuracy_real": [1], "accuracy_fake": [1]}, {"distance": POWER}, loss="hinge"), "no: .* -29%"),
        (strong, case({"accuracy_real": [1], "accuracy_fake": [1]}, {"distance": [5] * 10}, loss="hinge"), "perhaps"),
        (strong, lost("relativistic", 0.6), "no: its loss is 0.6, 87%"),
        (strong, case({"d_real": [9] * 8, "d_fake": [1] * 4 + [8] * 4}, loss="wasserstein"), "no: .* 1 apart"),
        (strong, case(), "cannot be told"),
        (collapsed, measured(diversity=[1, 1, 1], diversity_real=[10, 10, 10], twins=[0.95] * 3), "yes: .*10%.*95%"),
        (collapsed, measured(diversity=[9, 9, 9], diversity_real=[10, 10, 10]), "no: .*90%"),
        (collapsed, measured(diversity=[9], diversity_real=[10]), "no: .*90%"),
        (collapsed, measured(rank=[4, 4, 4], rank_real=[10, 10, 10]), "partly: .*40%"),
        (collapsed, case(signals={"rank": [5] * 3, "rank_real": [9] * 3}, budget_images=10**8), "too early"),
        (
            collapsed,
            case(
                signals={"diversity": [9] * 5 + [1] * 5, "diversity_real": [9] * 10}, images=5000, budget_images=10**8
            ),
            "yes: .*11%",
        ),
        (best, case(scores={"fd-training": [9, 5, 7, 8]}), "after 50,000 images, fd-training 5 .*the last has 8"),
        (
            best,
            case(scores={"fd-training": [9, 5, 7, 6]}),
            "100,000 images.* 6 .*quarter of the lowest, 5, it is",
        ),
        (best, measured(distance=[9, 5, 7, 8]), "distance .* 5, after 50,000"),
        (best, case(), "no score was written"),
        (go_on, case(scores={"fd-training": [20, 10, 6, 5, 6, 7, 8, 9, 9, 10]}), "stop: .* after 40,000 images"),
        (go_on, case(scores={"fd-training": [20, 10]}), "measured 2×"),
        (go_on, case(scores={"fd-training": [9, 5, 5.1, 5, 5.1, 4.9, 5.1, 4.9, 5, 5]}), "it hardly matters"),
        (enough, measured(d_real=[2] * 9, d_held_out=[1.9] * 9, d_fake=[0] * 9), "yes, so far: 10,000 .* 10.0 times"),
        (enough, measured(d_real=[2] * 9, d_held_out=[2] * 4 + [0.4] * 5, d_fake=[0] * 9), "no: .* 80%"),
        (
            enough,
            measured(d_real=[2] * 9, d_held_out=[0.4] * 9, d_fake=[0] * 9),
            "barely: .* 80%",
        ),  # odd from the start
        (enough, case(held_out=0), "at least 16 held-out"),
        (copies, measured(copies=[0.3] * 9, **LIKE_REALS), "yes: 30.0%"),
        (copies, measured(copies=[0.1] * 9, **LIKE_REALS), "yes: 10.0%"),
        (copies, case(signals={"copies": [0.1] * 9, **LIKE_REALS}, held_out=19), "no: .* any of 19 .* chance gives 5%"),
        (copies, measured(copies=[0.01] * 9, **LIKE_REALS), "no: 1.0%"),
        (copies, measured(copies=[0.9] * 9, **LIKE_REALS | {"contrast": [0.1] * 9}), "not like the reals yet"),
        (copies, case(), "--metrics memorised"),
        (larger, case({"seconds": [1000.0]}, size=64), "17 min at 64 pixels, 100 a second .* 67 min at 128 and 4 h 27"),
        (larger, case({"seconds": [1000.0]}), "cannot be told"),
    ],
)
def test_each_question_is_answered_from_the_run_or_says_what_is_missing(answer, told: Case, words: str):
    assert re.search(words, answer(told)), answer(told)


def test_another_hour_follows_the_trend_of_the_last_doubling():
    """A score that falls with the root of the images: an hour at 100,000 images in 100,000 seconds is 3.6 % more."""
    said = go_on(case({"seconds": [100_000.0]}, scores={"fd-training": POWER}))
    assert "go on: " in said
    assert "-29% when the images double (95 %: -29% to -29%)" in said
    assert f"from {POWER[-1]:.3g} to {POWER[-1] * 1.036**-0.5:.3g}" in said
    far = go_on(case({"seconds": [10.0]}, scores={"fd-training": POWER}))
    assert (
        f"further than a trend reaches; 3 times the images would bring it from 12.6 to {POWER[-1] * 3**-0.5:.3g}" in far
    )


@pytest.mark.parametrize(
    "told", [Case({}), case(), case(training=0, held_out=0), measured(distance=[float("nan")] * 9)]
)
def test_every_question_gets_one_line_whatever_there_is(told: Case):
    found = answers(told)
    assert [one.question for one in found] == list(QUESTIONS)
    assert all(one.text and "\n" not in one.text and not re.search(r"\bnan\b", one.text) for one in found)
