"""`steadygan doctor`: what it looks at, what it says, in which order, and how it leaves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import steadygan as sg
from steadygan.cli.main import main
from steadygan.doctor.answers import Reply, answers
from steadygan.doctor.case import Case
from steadygan.doctor.rule import Rule
from steadygan.records import DatedScore, Finding, Tick, append
from steadygan.rundir import RunDir
from steadygan.studies.doctor import look
from tiny import draw

NEEDED = {name: 1.0 for name, field in Tick.model_fields.items() if field.is_required() and name != "step"}


def above(name: str, limit: float, severity: str, **more) -> Rule:
    """A rule that fires when the newest value of a series is above a limit."""

    def judge(case: Case) -> str | None:
        return f"{name} is {case[name].last:g}, above {limit:g}" if case[name].last > limit else None

    words = {"says": f"the {name} is high", "causes": "a test", "source": "this file", "unless": "it is no test"}
    return Rule(f"high-{name}", severity, judge=judge, **{"remedies": lambda case: [], **words, **more})


def advice(case: Case) -> list[str]:
    return [
        "--set optimizer.discriminator.lr=1e-4 (half of now)",
        "--set 'penalties=[\"r1\"]' (smooth (R1))",
        "steadygan resume RUN --steps 9 (longer)",
    ]


RULES = (
    above("loss_g", 8, "warning"),
    above("loss_d", 5, "serious", remedies=advice, picture="curves.png"),
    above("penalty", 9, "info"),
)


@pytest.fixture(autouse=True)
def rules(monkeypatch):
    for module in ("steadygan.studies.doctor", "steadygan.doctor.rules"):
        monkeypatch.setattr(f"{module}.RULES", RULES)
    monkeypatch.setattr("steadygan.studies.doctor.answers", lambda case: [Reply("Does it work?", f"{case.step} of 10")])


def write_run(folder: Path, count: int = 10, budget: int = 100, **values: float) -> sg.Run:
    """A run of `count` ticks of 8 images; from the fifth on the named numbers are as given."""
    folder.mkdir(parents=True)
    config = {"batch": 8, "budget": {"images": budget}, "loss": {"kind": "hinge"}}
    data = {"digest": "x", "count": 20, "held_out": 2, "spec": {"size": 16, "channels": 3}}
    RunDir(folder).run_json.write_text(json.dumps({"config": config, "parameters": {}, "data": data}))
    for step in range(1, count + 1):
        numbers = NEEDED | (values if step >= 5 else {})
        append(RunDir(folder).log, Tick(step=step, images=8 * step, **numbers))
    return sg.Run(folder)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.fixture
def say(capsys):
    """Run the command: its exit code, what it printed, and what it complained of."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["doctor", *words])
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return run


def test_a_healthy_run_is_called_so_in_the_first_line(here, say):
    write_run(here / "run")
    code, out, err = say("run")
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == ["healthy so far", "run run, 80 images of 100, loss hinge"]


def test_a_serious_finding_leaves_with_3_and_says_when_why_and_what_to_do(here, say):
    write_run(here / "run", loss_d=6)
    code, out, _ = say("run")
    assert code == 3
    lines = out.splitlines()
    assert lines[0] == "1 serious: the loss_d is high"
    assert "serious: the loss_d is high [high-loss_d]" in lines
    assert "  seen      first at 40 images, 40% of the run" in lines
    assert "  evidence  loss_d is 6, above 5" in lines
    assert "  try       --set optimizer.discriminator.lr=1e-4  # half of now" in lines
    assert "            --set 'penalties=[\"r1\"]'  # smooth (R1)" in lines
    assert "            steadygan resume run --steps 9  # longer" in lines
    assert "  picture   run/curves.png" in lines
    titles = [line.split()[0] for line in lines if line.startswith("  ") and line[2:3].isalpha()]
    assert titles[:-1] == ["seen", "evidence", "cause", "try", "unless", "source", "picture"]
    assert lines[-3:] == ["what people ask", "  Does it work?", "    10 of 10"]


def test_findings_come_gravest_first_and_a_warning_alone_leaves_with_0(here, say):
    write_run(here / "both", loss_d=6, loss_g=9)
    code, out, _ = say("both")
    assert (code, out.splitlines()[0]) == (3, "1 serious, 1 warning: the loss_d is high")
    assert out.index("high-loss_d") < out.index("high-loss_g")
    write_run(here / "one", loss_g=9)
    assert say("one")[0] == 0
    write_run(here / "told", penalty=10)
    code, out, _ = say("told")
    assert (code, out.splitlines()[0]) == (0, "healthy so far")
    assert "high-penalty" in out


def test_json_alone_is_printed_with_the_names_that_scripts_rely_on(here, say):
    write_run(here / "run", loss_d=6)
    code, out, _ = say("run", "--json")
    found = json.loads(out)
    assert code == 3
    assert {*found} >= {"findings", "answers", "target"}
    assert {*found["findings"][0]} >= {"rule", "severity", "step", "evidence", "remedy", "source"}
    assert (found["findings"][0]["rule"], found["findings"][0]["step"]) == ("high-loss_d", 5)
    assert (found["target"]["kind"], found["target"]["loss"]) == ("run", "hinge")
    assert found["answers"] == [{"question": "Does it work?", "text": "10 of 10"}]
    code, out, _ = say("run", "--json", "found.json")
    assert code == 3
    assert json.loads((here / "found.json").read_text()) == found
    assert out.startswith("1 serious")


def test_what_was_found_while_it_trained_stays_and_what_records_show_is_added_once(here, say):
    run = write_run(here / "run", loss_d=6, loss_g=9)
    live = Finding(step=3, images=24, rule="high-loss_g", severity="warning", evidence="seen live", remedy="wait")
    append(run.files.findings, live)
    found = json.loads(say("run", "--json")[1])["findings"]
    assert [(one["rule"], one["step"], one["evidence"]) for one in found] == [
        ("high-loss_d", 5, "loss_d is 6, above 5"),
        ("high-loss_g", 3, "seen live"),
    ]


def test_a_run_that_is_being_written_is_read_as_far_as_it_is(here, say):
    run = write_run(here / "run", count=4)
    with run.files.log.open("a") as file:
        file.write('{"step": 5, "loss_d"')
    code, out, _ = say("run")
    assert (code, out.splitlines()[:2]) == (0, ["healthy so far", "run run, 32 images of 100, loss hinge"])


@pytest.mark.parametrize("inside", ["log.jsonl", "run.json", "checkpoints/images-000000032"])
def test_a_file_or_checkpoint_of_a_run_means_the_run(here, say, inside):
    run = write_run(here / "run")
    (run.path / "checkpoints" / "images-000000032").mkdir(parents=True)
    (run.path / "checkpoints" / "images-000000032" / "meta.json").write_text("{}")
    assert "run, 80 images of 100" in say(f"run/{inside}")[1]


def test_a_log_says_what_it_was_read_as_and_counts_steps(here, say):
    rows = "".join(f"{i},{0.5 if i < 60 else 7},1.0\n" for i in range(100))
    Path("log.csv").write_text("step,errD,errG\n" + rows)
    code, out, _ = say("log.csv", "--loss", "bce")
    assert code == 3
    assert out.splitlines()[1:3] == [
        "log log.csv, loss non_saturating",
        "read step = step, loss_d = errD, loss_g = errG",
    ]
    assert "picture" not in out
    assert "  seen      first at step 60, 61% of the log" in out.splitlines()
    Path("log.csv").write_text("n,a,b\n" + rows)
    assert say("log.csv", "--column", "loss_d=a", "--column", "step=n", "--json")[0] == 3


@pytest.mark.parametrize("columns", ["30", "80"])
def test_a_line_to_be_copied_is_never_broken_and_all_others_fit(here, say, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    write_run(here / "run", loss_d=6)
    lines = say("run")[1].splitlines()
    copied = [line for line in lines if "--s" in line]
    assert len(copied) == 3
    assert [line for line in lines if len(line) > int(columns) and line not in copied and "[high" not in line] == []


def test_all_rules_can_be_listed(here, say):
    code, out, _ = say("--rules")
    assert code == 0
    for rule in RULES:
        assert f"{rule.id} ({rule.severity}): {rule.says}\n    {rule.source}\n" in out


def empty_run(folder: Path) -> None:
    write_run(folder, count=0)


def foreign(folder: Path) -> None:
    folder.write_text("time,weather\n1,2\n")


REFUSED = {
    "a run without ticks": (empty_run, "it", 4, "has no ticks yet"),
    "a foreign log": (foreign, "it", 4, "it has: time, weather"),
    "an empty log": (Path.touch, "it", 4, "is empty"),
    "a binary log": (lambda path: path.write_bytes(b"\x00\x01"), "it", 4, "is no text"),
    "a column that is not there": (foreign, "it --column loss_d=errD", 2, "no such column"),
    "a column that is none of ours": (foreign, "it --column lossd=time", 2, "did you mean 'loss_d'?"),
    "a column without a name": (foreign, "it --column loss_d", 2, "as in loss_d=NAME"),
    "a loss that is none": (foreign, "it --loss hing", 2, "did you mean 'hinge'?"),
    "a column of a run": (write_run, "it --column loss_d=a", 2, "is of another program's log"),
    "a loss of a run": (write_run, "it --loss hinge", 2, "is of another program's log"),
    "images for a log": (foreign, "it --data photos", 2, "data: is of a recipe"),
    "images for images": (Path.mkdir, "it --data photos", 2, "data: is of a recipe"),
    "nothing there": (lambda path: None, "it", 2, "there is no file or folder it, and no recipe of that name"),
    "nearly a recipe": (lambda path: None, "dcgann", 2, "did you mean 'dcgan'?"),
    "a folder of runs": (lambda path: write_run(path / "a"), "it", 2, "name one, as it/a"),
    "a file without its function": (lambda path: path.with_suffix(".py").touch(), "it.py", 2, "it.py:FUNCTION"),
    "no target": (lambda path: None, "", 2, "missing argument 'target'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_looked_into_is_refused_in_one_line(here, say, case):
    make, line, wanted, words = REFUSED[case]
    make(here / "it")
    code, out, err = say(*line.split())
    assert (code, out) == (wanted, "")
    assert words in err.lower() if case == "no target" else words in err
    assert err.startswith("steadygan: ")
    assert err.count("\n") == 1


MODELS = """
from torch import nn
from steadygan import RunConfig

def pair():
    generator = nn.Sequential(nn.Linear(8, 3 * 16 * 16), nn.Sigmoid(), nn.Unflatten(1, (3, 16, 16)))
    return generator, nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 1))

def recipe():
    return RunConfig(size=16, batch=8, networks={"kind": "dcgan", "width": 4, "latent_dim": 8})

def number():
    return 3
"""


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("models.py:pair --loss hinge", "function"),
        ("models.py:recipe --data photos", "function"),
        ("settings.toml", "recipe"),
        ("photos", "images"),
    ],
)
def test_what_was_not_trained_is_audited(here, say, monkeypatch, line, kind):
    monkeypatch.setattr("steadygan.data.inspection.cores", lambda: 0)  # no processes for 20 images
    Path("models.py").write_text(MODELS)
    Path("settings.toml").write_text('recipe = "dcgan"\nsize = 16\n')
    draw(here / "photos", 20)
    code, out, err = say(*line.split(), "--json", "found.json")
    found, shown = json.loads(Path("found.json").read_text()), out.splitlines()
    assert (code, found["target"]["kind"], found["answers"]) == (3 * ("serious" in found["verdict"]), kind, [])
    assert found["findings"]
    assert "Traceback" not in err
    assert shown[0] == found["verdict"]
    assert [line for line in shown if line.startswith("  seen")] == []


def test_a_function_that_makes_neither_networks_nor_a_recipe_is_refused(here, say):
    Path("models.py").write_text(MODELS)
    code, _, err = say("models.py:number")
    assert (code, err.count("\n")) == (2, 1)
    assert "models.py:number" in err


def test_in_python_it_gives_the_findings(here):
    write_run(here / "run", loss_d=6, loss_g=9)
    assert [finding.rule for finding in sg.diagnose("run")] == ["high-loss_d", "high-loss_g"]
    with pytest.raises(sg.ConfigError):
        sg.diagnose("nowhere")
    assert "steadygan.studies.doctor" in sys.modules


def test_what_was_seen_before_the_first_step_is_said_to_be(here, say):
    run = write_run(here / "run")
    append(run.files.findings, Finding(step=0, images=0, rule="few-steps", severity="info", evidence="10", remedy=""))
    assert "  seen      before the first step" in say("run")[1].splitlines()


def wrote(run: sg.Run, step: int, rule: str, severity: str = "info", back_to: int | None = None) -> None:
    words = {"says": f"says {rule}", "evidence": f"number {step}", "remedy": "steadygan resume RUN --care watch (why)"}
    run.write(Finding(step=step, images=8 * step, rule=rule, severity=severity, back_to=back_to, **words))


def test_what_a_run_was_set_back_from_is_history_and_what_care_did_is_told_in_its_order(here, say):
    run = write_run(here / "my run")
    for step, rule, severity, back_to in (
        (3, "not-finite", "serious", None),
        (3, "care-set-back", "info", 0),
        (7, "not-finite", "serious", None),
        (7, "care-set-back", "info", 40),
        (9, "care-kept", "info", None),
    ):
        wrote(run, step, rule, severity, back_to)
    code, out, _ = say("my run")
    assert (code, out.splitlines()[0]) == (0, "healthy so far; care: set back 2×, kept")
    assert out.count("info: says not-finite; the run was set back from it [not-finite]") == 2
    told = out[out.index("what care did") : out.index("what people ask")].split("\n")
    assert [line.strip() for line in told if line[2:3].isdigit()] == [
        "1. after 24 images says care-set-back: number 3",
        "2. after 56 images says care-set-back: number 7",
        "3. after 72 images says care-kept: number 9",
    ]
    assert told.count("     steadygan resume 'my run' --care watch  # why") == 3
    found = json.loads(say("my run", "--json")[1])
    assert [(act["images"], act["rule"]) for act in found["acts"]] == [
        (24, "care-set-back"), (56, "care-set-back"), (72, "care-kept")
    ]  # fmt: skip
    assert [one["severity"] for one in found["findings"]] == ["info", "info"]


@pytest.mark.parametrize(("step", "back_to"), [(6, 40), (3, 24), (8, 8)])
def test_a_run_is_judged_as_it_is_after_it_was_set_back(here, say, step, back_to):
    """Steps 5 to 10 are serious: seen before, in or after the stretch that was given up, they are found again."""
    run = write_run(here / "run", loss_d=6)
    wrote(run, step, "high-loss_d", "serious")
    wrote(run, 7, "care-set-back", back_to=back_to)
    code, out, _ = say("run")
    assert code == 3
    assert out.splitlines()[0].startswith("1 serious: ")
    assert ("the run was set back from it" in out) == (back_to < 8 * step <= 56)


def test_a_command_that_needs_a_checkpoint_which_is_gone_is_not_given(here, say):
    run = write_run(here / "run")
    words = {"rule": "care-set-back", "severity": "info", "says": "went back", "evidence": "why", "back_to": 8}
    run.write(Finding(step=5, images=40, remedy="steadygan resume RUN --from-checkpoint images-000000032 (w)", **words))
    assert "(the checkpoint before it is gone)" in say("run")[1]
    (run.files.checkpoint(32)).mkdir(parents=True)
    (run.files.checkpoint(32) / "meta.json").write_text("{}")
    assert "steadygan resume run --from-checkpoint images-000000032  # w" in say("run")[1]


def test_of_a_run_that_care_ended_the_answer_says_so_and_how_to_go_on(here, monkeypatch):
    monkeypatch.setattr("steadygan.studies.doctor.answers", answers)
    run = write_run(here / "run")
    wrote(run, 10, "care-ended")
    said = {one.question.partition(" ")[0]: one.text for one in look("run", {}).answers}["Go"]
    assert said.startswith("care ended it after 80 images: number 10;")
    assert said.endswith("steadygan resume RUN --care watch")
    append(run.files.log, Tick(step=11, images=88, **NEEDED))
    assert "care" not in {one.question.partition(" ")[0]: one.text for one in look("run", {}).answers}["Go"]


def test_the_best_checkpoint_is_told_as_best_names_it_even_of_what_was_given_up(here, monkeypatch):
    monkeypatch.setattr("steadygan.studies.doctor.answers", answers)
    run = write_run(here / "run")
    for step, value in ((2, 9.0), (4, 1.0), (8, 5.0)):
        run.add_scores([DatedScore(step=step, images=8 * step, metric="fd-training", value=value, protocol="p")])
    wrote(run, 5, "care-set-back", back_to=16)
    said = {one.question.partition(" ")[0]: one.text for one in look("run", {}).answers}["Which"]
    assert said.startswith("that after 32 images, fd-training 1 of 3 scored, the last has 5")
