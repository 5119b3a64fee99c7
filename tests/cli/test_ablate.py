"""What `steadygan ablate` says before it starts, and what it refuses in one line."""

from __future__ import annotations

import json

import pytest

from steadygan.cli.main import main
from tiny import TINY, draw, set_options

SMALL = set_options(TINY)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = tmp_path_factory.mktemp("world")
    draw(world / "pictures", 100)
    draw(world / "few", 40, seed=1)
    (world / "full").mkdir()
    (world / "full" / "thesis.txt").write_text("mine")
    return world


@pytest.fixture
def ablate(world, monkeypatch, capsys):
    """Run a line; gives the exit code, what was printed, and the last line of what was said beside."""
    monkeypatch.chdir(world)

    def run(line: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["ablate", *line.split(), "--recipe", "dcgan", "--size", "16", "--set", "data.held_out=0.2", *SMALL])
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


def test_a_dry_run_says_how_much_it_is_and_does_nothing(ablate, world):
    before = sorted(world.rglob("*"))
    code, out, err = ablate("pictures --vary hinge,r1 --pairs --seeds 2 --images 1k --dry-run -o new")
    assert code == 0, err
    assert "8 runs: dcgan and 3 variants (hinge, r1, hinge and r1), 2 seeds each" in out
    assert "each for 1,000 images" in out
    assert "kid of 20 pictures against held-out images" in out
    assert "on the disk" in out
    assert sorted(world.rglob("*")) == before
    code, out, _ = ablate("pictures --vary all --minutes 0.5 --dry-run --json")
    plan = json.loads(out)
    assert code == 0
    assert plan["study"]["budget"] == {"images": None, "steps": None, "minutes": 0.5, "schedule_images": None}
    assert plan["estimate"]["jobs"] == 1
    left = {one["name"]: one["reason"] for one in plan["study"]["left_out"]}
    assert "linear" in left  # counted in images
    assert "fine_tuning" in left
    assert plan["estimate"]["runs"] == 3 * len(plan["study"]["variants"]) > 100
    assert plan["estimate"]["seconds"] == plan["estimate"]["runs"] * (0.5 * 60 + 25)
    _, out, _ = ablate("pictures --vary r1 --seeds 2 --jobs 1 --images 1k --dry-run --json")
    plan = json.loads(out)
    alone = plan["estimate"]["seconds"] / 4 - 1000 / plan["study"]["measured"]["images_per_second"]
    assert 25 + 12 + 4 < alone < 60, "a run scores its checkpoints, is looked at, and starts"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("pictures --vary spectralnorm --images 1k -o new", 2, "did you mean 'spectral_norm'"),
        ("pictures --vary as_is --images 1k -o new", 2, "as_is: the recipe has it already"),
        ("pictures --vary points --images 1k -o new", 2, "points: networks: the points pair makes points"),
        ("pictures --vary r1 -o new", 2, "--images N or --minutes M"),
        ("pictures --vary r1 --images 9 --minutes 3 -o new", 2, "one of them"),
        ("pictures --vary r1 --images 3 -o new", 2, "--images 3: less than one step of 8 images"),
        ("pictures --vary r1 --minutes 0.00001 -o new", 2, "less than one step"),
        ("pictures --vary r1 --images 1k", 2, "-o STUDY"),
        ("pictures --images 1k -o new", 2, "say what to vary"),
        ("pictures --vary r1 --images 1k --seeds 0 -o new", 2, "one seed or more"),
        ("pictures --vary r1 --images 1k --metric ms-ssim -o new", 2, "ranks nothing"),
        ("pictures --vary r1 --images 1k --metric kidd -o new", 2, "did you mean kid"),
        ("pictures --vary r1 --images 1k --set seed=3 -o new", 2, "--seeds says how many"),
        ("pictures --vary r1 --images 1k --set size=16,32 -o new", 2, "no score in common"),
        ("pictures --vary r1 --images 1k -o full", 2, "full exists and holds no study"),
        ("pictures --vary r1 --images 1k -o pictures/new", 2, "choose another folder with -o"),
        ("few --vary r1 --images 1k -o new", 4, "holds 8 images out of training and at least 16 are needed"),
        ("nowhere --vary r1 --images 1k -o new", 2, "there is no file or folder"),
    ],
)
def test_a_mistake_is_one_line_and_costs_nothing(ablate, world, line, code, said):
    before = sorted(world.rglob("*"))
    left, _, err = ablate(line)
    mistakes = [one for one in err.splitlines() if one.startswith("steadygan: ")]
    assert left == code, err
    assert len(mistakes) == 1
    assert said in mistakes[0]
    assert sorted(world.rglob("*")) == before
