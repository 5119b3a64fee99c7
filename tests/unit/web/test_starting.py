"""The page of a new run: what it asks of the command line, and what it makes of the answers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from starlette.testclient import TestClient

from steadygan.web.app import create_app
from steadygan.web.studio import id_of
from tiny import draw
from unit.web.conftest import NAMED, make_run
from unit.web.test_data_sets import copied

TOKEN = {"X-Studio-Token": "secret"}


class Played:
    """Processes that run a line of Python instead of steadygan, with what they were asked for."""

    def __init__(self, studio, monkeypatch):
        self.asked: list[list[str]] = []
        self.code = "pass"
        monkeypatch.setattr("subprocess.Popen", self._popen)

    def _popen(self, words, **options):
        self.asked.append(words[3:])
        self.options = options
        return POPEN([sys.executable, "-c", self.code, *words[3:]], **options)


POPEN = subprocess.Popen


def answering(answer):
    """Code that writes an answer where `--json` asks for it."""
    find = 'next(word for word in sys.argv if word.startswith("--json="))[7:]'
    return f"import sys; open({find}, 'w').write({json.dumps(answer)!r})"


@pytest.fixture
def played(studio, monkeypatch, tmp_path):
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    yield Played(studio, monkeypatch)
    for job in studio.processes._jobs.values():
        job.process.kill()
        job.process.wait()


def ended(studio, told):
    studio.processes.get(told["id"]).process.wait()
    return told["id"]


def ask(client, path, code=200, **asked):
    whole = {"source": "photos", "recipe": "dcgan", "settings": {}, **asked}
    got = client.post(f"/api/new/{path}", json=whole, headers=TOKEN)
    assert got.status_code == code, got.text
    return got.json()


def test_the_page_offers_known_sets_and_those_that_are_built_in(client, runs, played):
    made = copied(runs / "cats", sources=[{"kind": "folder", "path": str(runs)}])
    html = client.get("/new").text
    given = json.loads(html.partition('id="given">')[2].partition("</script>")[0])
    assert [one["id"] for one in given["sets"]] == [id_of(made)]
    assert given["sets"][0]["source"] == str(runs)
    assert "critters" in given["builtin"]
    assert given["folder"] == str(runs)


def test_every_built_in_set_is_one(client, played):
    from steadygan.data.sources.opening import open_source
    from steadygan.web.starting import BUILTIN

    for name in BUILTIN:
        assert open_source(f"builtin:{name}")


def test_the_recipes_are_asked_for_once(client, studio, played):
    played.code = answering({"recipes": [1]})
    for _ in range(2):
        assert client.get("/api/new/recipes").json() == {"recipes": [1]}
    assert [words[0] for words in played.asked] == ["recipes"]


def test_recipes_that_cannot_be_had_are_told_and_asked_for_again(client, played):
    played.code = "import sys; sys.exit('steadygan: no torch')"
    got = client.get("/api/new/recipes")
    assert got.status_code >= 400
    assert "no torch" in got.json()["error"]
    client.get("/api/new/recipes")
    assert len(played.asked) == 2


def test_the_command_line_is_that_which_would_be_started(client, studio, runs, played):
    asked = {"settings": {"batch": 8, "loss": {"kind": "hinge"}}, "source": "my photos"}
    told = ask(client, "command", **asked)
    line = f"steadygan train 'my photos' --recipe dcgan --batch 8 --set loss=hinge -o {runs}/dcgan-'my photos'-01"
    assert told["command"].replace("'", "") == line.replace("'", "")
    assert told["name"] == "dcgan-my photos-01"
    ended(studio, ask(client, "start", **asked))
    [words] = played.asked
    assert words[:2] == ["train", "my photos"]
    assert words[2:] == ["--recipe", "dcgan", "--batch", "8", "--set", "loss=hinge", "-o", str(runs / told["name"])]
    assert played.options["start_new_session"]
    assert played.options.get("shell") is None


def test_a_check_gives_its_answer_and_its_images_a_page(client, studio, runs, played):
    made = copied(runs / "cats")
    answer = {"problems": [], "findings": [], "data": {"prepared": str(made)}}
    played.code = answering(answer)
    id_ = ended(studio, ask(client, "check"))
    assert client.get(f"/api/new/check/{id_}").json() == answer | {"set": id_of(made)}
    assert played.asked[0][:4] == ["train", "photos", "--recipe", "dcgan"]
    assert "--dry-run" in played.asked[0]


def test_a_check_that_ends_without_an_answer_says_its_last_line(client, studio, played):
    played.code = "import sys; sys.exit('steadygan: the disk is full')"
    id_ = ended(studio, ask(client, "check"))
    assert client.get(f"/api/new/check/{id_}").json()["problems"] == [{"setting": "", "problem": "the disk is full"}]


def test_a_new_check_ends_the_one_before(client, studio, played):
    played.code = "import signal; signal.pause()"
    first = ask(client, "check")
    played.code = "pass"
    ask(client, "check")
    assert studio.processes.get(first["id"]).process.wait(20) != 0
    assert "stopped" in client.get(f"/api/new/check/{first['id']}").json()["problems"][0]["problem"]


def test_a_run_that_does_not_begin_says_why_and_one_that_does_has_a_page(client, studio, runs, played):
    played.code = "import sys; sys.exit('preparing\\nsteadygan: batch: no\\nsteadygan: size: no')"
    id_ = ended(studio, ask(client, "start", name="x"))
    told = client.get(f"/api/new/start/{id_}").json()
    assert told["wrong"] == ["batch: no", "size: no"]
    assert told["address"] == ""
    assert (runs / ".studio" / "x.txt").read_text().startswith("preparing")
    id_ = ended(studio, ask(client, "start", name="y"))
    make_run(runs / "y")
    told = client.get(f"/api/new/start/{id_}").json()
    assert told["address"] == f"/runs/{id_of(runs / 'y')}"
    assert told["wrong"] == []


@pytest.mark.parametrize("path", ["command", "check", "start"])
def test_nothing_is_started_for_what_makes_no_sense(client, played, path):
    for asked in (
        {"source": ""},
        {"recipe": "x.py:f"},
        {"settings": {"a b": 1}},
        {"settings": 3},
        {"source": "a\0"},
    ):
        assert "\n" not in ask(client, path, 400, **asked)["error"]
    half = b'{"source": "a", "settings": {"start.source": "\\ud800"}}'
    for content in (b"", b"[" * 100_000, b"\xff", b"3", half):
        got = client.post(f"/api/new/{path}", content=content, headers=TOKEN)
        assert got.status_code == 400
    assert client.post(f"/api/new/{path}", json={"source": "a"}).status_code == 403
    assert played.asked == []


def test_a_name_that_leads_elsewhere_or_is_taken_starts_nothing(client, runs, played):
    for name in ("../x", "/tmp/x", ".x", "a", "é" * 150):
        assert ask(client, "start", 400, name=name)["error"].startswith("out: ")
    assert played.asked == []


def test_two_that_start_at_once_have_a_folder_each(client, studio, runs, played):
    played.code = "import signal; signal.pause()"
    ask(client, "start")
    ask(client, "start")
    outs = [words[words.index("-o") + 1] for words in played.asked]
    assert outs == [str(runs / "dcgan-photos-01"), str(runs / "dcgan-photos-02")]
    assert ask(client, "command")["name"] == "dcgan-photos-03"
    assert "already" in ask(client, "start", 400, name="dcgan-photos-02")["error"]


def test_a_job_of_another_kind_or_of_another_studio_is_not_told(client, studio, played):
    id_ = ended(studio, ask(client, "check"))
    assert client.get(f"/api/new/start/{id_}").status_code == 404
    assert client.get("/api/new/check/1-1").status_code == 404


def test_the_studio_of_one_run_starts_others_beside_it(runs, monkeypatch):
    from steadygan.web.starting import Starting
    from steadygan.web.studio import Studio

    assert Starting(Studio(runs / "a")).folder == runs.absolute()
    assert Starting(Studio(runs)).folder == runs.absolute()


@pytest.mark.slow
def test_a_run_is_started_trains_and_outlives_the_studio(studio, runs, tmp_path):
    draw(tmp_path / "photos", 40)
    settings = {"networks.width": 4, "networks.latent_dim": 8, "batch": 8, "size": 16, "budget.steps": 12}
    settings |= {
        "runtime.threads": 1,
        "runtime.precision": "float32",
        "runtime.convolution": "plain",
        "doctor.most_time": 0,
    }
    with TestClient(create_app(studio), base_url=NAMED) as client:
        told = ask(client, "start", source=str(tmp_path / "photos"), settings=settings, name="new")
    process = studio.processes.get(told["id"]).process
    assert process.wait(300) == 0
    info = json.loads((runs / "new" / "run.json").read_text())
    assert info["config"]["batch"] == 8
    assert info["config"]["budget"] == {"images": None, "steps": 12, "minutes": None}
    assert (runs / "new" / "checkpoints" / "latest").exists()
