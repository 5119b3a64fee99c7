"""What the doctor says of another program's log, by its own rules and answers."""

from __future__ import annotations

import pytest

from steadygan.studies.doctor import Diagnosis, look


@pytest.fixture
def said(tmp_path):
    def of(rows: str, loss: str = "") -> tuple[Diagnosis, str]:
        (tmp_path / "log.csv").write_text(rows)
        found = look(str(tmp_path / "log.csv"), {}, loss)
        return found, found.model_dump_json()

    return of


def losses(*spans: tuple[int, float, float]) -> str:
    pairs = [(d, g) for count, d, g in spans for _ in range(count)]
    return "step,d_loss,g_loss\n" + "".join(f"{i},{d},{g}\n" for i, (d, g) in enumerate(pairs))


def test_of_a_log_that_goes_well_what_losses_tell_is_answered_and_no_more(said):
    found, text = said(losses((50, 0.9, 1), (50, 1.0, 1.1)), "bce")
    assert found.verdict == "nothing wrong was seen"
    assert found.answers[0].text.startswith("yes, as far as losses tell")
    assert "cannot be told" not in text


def test_of_a_log_nothing_is_advised_that_needs_a_run_of_our_own(said):
    fid = [*range(80, 20, -2), *range(20, 140, 4)]
    found, text = said("step,d_loss,fid\n" + "".join(f"{i},0.9,{one}\n" for i, one in enumerate(fid)))
    assert [one.rule for one in found.findings] == ["past-best"]
    assert "RUN" not in text
    assert "the best is kept" not in text


def test_the_answer_about_losses_does_not_contradict_what_was_found_in_them(said):
    found, _ = said(losses((60, 0.9, 1), (40, 0.0, 20)), "bce")
    assert [one.rule for one in found.findings] == ["losses-left-their-level"]
    assert found.answers[0].text.startswith("no: the discriminator's loss kept near 0.9")
