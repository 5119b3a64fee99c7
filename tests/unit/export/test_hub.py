"""A model folder as the Hub takes it: filled, read again from disk and from the Hub, and harmless whoever wrote it."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import steadygan as sg
from fresh import NETWORKS
from steadygan.cli.main import main
from steadygan.errors import ConfigError, DataError
from steadygan.export.hub import save_folder
from steadygan.export.modelcard import page, plain
from steadygan.records import DatedScore, Finding, append
from steadygan.rundir import RunDir
from steadygan.runs import Run
from steadygan.training import hub
from steadygan.training.origin import open_origin
from tiny import TINY, draw

errors = pytest.importorskip("huggingface_hub.errors", reason='needs huggingface_hub: pip install "steadygan[hub]"')

HOSTILE = "a|b](javascript:x)\n---\nlicense: mit\n# <img src=x onerror=y> `z` *w*"


def generator(about: dict | None = None) -> sg.TrainedGenerator:
    """One of three classes, with fresh weights."""
    networks, spec = NETWORKS["sngan"], sg.ImageSpec(size=16, channels=3, classes=3)
    torch.manual_seed(5)
    known = {"recipe": "sngan", "images": 640, "class_names": ["sea", "a/b", "日本"]}
    made = networks.build(spec).generator
    return sg.TrainedGenerator(made, networks.model_dump(mode="json"), spec, networks.latent_dim, known | (about or {}))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run on pictures of which nothing is known."""
    world = tmp_path_factory.mktemp("world")
    draw(world / "photos", 60)
    settings = {**TINY, "size": 16, "budget": {"steps": 4}}
    return sg.train(world / "photos", recipe="dcgan", out=world / "run", settings=settings)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return save_folder(generator(), tmp_path_factory.mktemp("kept") / "model").path


@pytest.fixture
def folder(kept, tmp_path):
    """A copy of a model folder, which a test may spoil."""
    return shutil.copytree(kept, tmp_path / "model")


def front_matter(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def call(*words) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0)


def test_the_command_writes_a_folder_that_is_loaded_as_it_is_and_says_how_to_upload_it(run, tmp_path, capsys):
    out = tmp_path / "my model"
    assert call("export", run.path, "--hub-folder", out, "--license", "CC-BY-4.0") == 0
    said = capsys.readouterr()
    assert said.out == f"{out}\n"
    assert "at most 0 of 255 levels" in said.err
    assert f"hf upload USER/'my model' '{out}'" in said.err
    assert {file.name for file in out.iterdir()} == {"config.json", "model.safetensors", "README.md", "samples.png"}
    assert torch.equal(sg.load(out).sample(9), sg.load(run.path).sample(9))
    assert sg.load(out).about["license"] == "CC-BY-4.0"
    assert call("sample", out, "-n", 4, "-o", tmp_path / "grid.png") == 0
    assert call("export", out, "-o", tmp_path / "g.safetensors") == 0
    assert call("export", run.path, "--hub-folder", out) == 2, "it is not empty any more"


def test_the_card_is_filled_from_the_run(run, tmp_path):
    copy = Run(shutil.copytree(run.path, tmp_path / "run"))
    score = sg.Score(
        metric="swd", value=0.25, floor=0.06, low=0.2, high=0.3, protocol="swd n=16 held-out of 0123456789ab"
    )
    for images, value in ((8, 0.75), (32, 0.25)):
        append(copy.files.scores, score.model_copy(update={"value": value}).at(1, images))
    found = {"rule": "twins", "severity": "warning", "says": "twins", "evidence": "3 of 64 alike", "remedy": ""}
    append(copy.files.findings, Finding(step=1, **found))
    model = sg.load(copy.path)
    text = page(model, copy, "name", 0.0)
    assert front_matter(text) == {
        "license": "unknown",
        "library_name": "steadygan",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["gan", "generative-adversarial-network", "image-generation", "steadygan"],
    }
    for said in (
        "Images: photos: 60, 6 of them held out",
        "Licence of the images, and so of the model: not given",
        "Images seen: 32",
        "(https://arxiv.org/abs/1511.06434)",
        "| swd | 0.25 | 0.2 to 0.3 | 0.06 | lower | 32 | 16 pictures against as many images the run has never seen",
        "copies of training images?",
        "warning, after 0 images: twins. 3 of 64 alike",
        'sg.load("USER/NAME")',
        "![Samples](samples.png)",
        "## Limits",
    ):
        assert said in text
    assert "0.75" not in text, "that was another checkpoint's"
    assert str(tmp_path) not in text


def test_what_the_hub_knows_by_name_is_named_so_and_all_else_by_its_own(run, tmp_path):
    copy = Run(shutil.copytree(run.path, tmp_path / "run"))
    info = copy.info()
    copy.write_info(
        info.model_copy(update={"data": info.data.model_copy(update={"source": "hub:some/things?split=x"})})
    )
    model = sg.load(copy.path)
    assert front_matter(page(model, copy, "name", 0.0))["datasets"] == ["some/things"]
    for given, wanted in (("MIT", {"license": "mit"}), (HOSTILE, {"license": "other", "license_name": None})):
        model.about["license"] = given
        found = front_matter(page(model, copy, "name", 0.0))
        assert found["license"] == wanted["license"]
        assert found.get("license_name") == (HOSTILE.replace("\n", "\\n") if "license_name" in wanted else None)


def test_a_file_without_its_run_says_what_is_not_known(tmp_path):
    text = page(generator(), None, "name", 0.0)
    assert text.count("ot known: the model was exported from a file") == 5
    assert "Classes: sea, a/b, 日本" in text


def test_texts_of_others_cannot_leave_their_place(run, tmp_path):
    copy = Run(shutil.copytree(run.path, tmp_path / "run"))
    tree = json.loads(copy.files.run_json.read_text())
    tree["recipe"] = tree["basis"]["about"] = HOSTILE
    tree["data"] |= {"source": HOSTILE.replace("/", "")}
    tree["basis"] |= {"sources": [[HOSTILE, "javascript:x"]], "changed": {HOSTILE: [HOSTILE, 1]}}
    tree["versions"] = {HOSTILE: HOSTILE}
    copy.files.run_json.write_text(json.dumps(tree))
    append(copy.files.findings, Finding(step=1, rule="x", severity="info", says=HOSTILE, evidence=HOSTILE, remedy=""))
    score = {"metric": HOSTILE, "value": 1, "protocol": HOSTILE, "unit": HOSTILE, "says": HOSTILE}
    append(copy.files.scores, DatedScore(step=1, images=32, **score))
    model = sg.load(copy.path)
    model.about |= {"license": HOSTILE, "trained_on": HOSTILE, "start": {"source": HOSTILE}}
    model.classes, model.class_names = 3, [HOSTILE] * 3
    text = page(model, copy, HOSTILE, 0.0)
    assert front_matter(text)["license"] == "other"
    prose = text.split("---\n", 2)[2]
    code = re.search(r"```python\n(.*?)\n```\n", prose, re.DOTALL)
    assert len(code[1].splitlines()) == 3
    rest = prose.replace(code[0], "")
    assert "<" not in rest
    assert not re.search(r"(?<!\\)`", rest)
    assert rest.count("\n## ") == 8
    assert not re.search(r"^\s*(---|license:)", rest, re.MULTILINE)
    links = re.findall(r"(?<!\\)\]\((.*?)\)", rest)
    assert links == ["samples.png"]
    rows = [line for line in rest.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {8}


def test_plain_text_stays_as_it_is_where_it_means_nothing():
    assert plain("Ringe & 日本 (2016): 0.5 to 1") == "Ringe &amp; 日本 (2016): 0.5 to 1"


# --- files that a stranger wrote ---


def change(**what):
    """A change of config.json: names with dots, or a function of the whole."""

    def write(folder: Path) -> None:
        tree = json.loads((folder / "config.json").read_text())
        for place, value in what.items():
            *path, last = place.split("__")
            inside = tree
            for name in path:
                inside = inside[name]
            inside[last] = value
        (folder / "config.json").write_text(json.dumps(tree))

    return write


def text(content: str):
    return lambda folder: (folder / "config.json").write_text(content)


def weights(content: bytes):
    return lambda folder: (folder / "model.safetensors").write_bytes(content)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def only_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))


def link(name: str, target: str):
    def make(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    return make


def pipe(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")


def tensors(edit):
    def write(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        save_file(edit(held), folder / "model.safetensors")

    return write


HUGE = 2**62
STRANGE = {
    "a width beyond memory": change(networks__width=2**30),
    "a width beyond numbers": change(networks__width=10**30),
    "latents beyond memory": change(networks__latent_dim=HUGE),
    "images beyond memory": change(spec__size=2**40),
    "classes beyond memory": change(spec__classes=HUGE, about__class_names=[]),
    "layers without end": change(
        networks={"kind": "points", "latent_dim": 8, "depth": 10**9}, spec={"size": 1, "channels": 2}
    ),
    "blocks without end": change(networks={"kind": "r3gan", "blocks": 10**9}),
    "a huge opponent": change(
        networks={
            "kind": "dcgan",
            "minibatch": {"kind": "discrimination", "kernels": 10**9},
            "width": 4,
            "latent_dim": 8,
        }
    ),
    "another width": change(networks__width=5),
    "another size": change(spec__size=32),
    "other classes": change(spec__classes=2),
    "fewer names than classes": change(about__class_names=["a"]),
    "another kind": change(networks__kind="upsample"),
    "an unknown kind": change(networks__kind="transformer"),
    "a kind that is a list": change(networks__kind=["sngan"]),
    "an unknown setting": change(networks__auto_map={"AutoModel": "evil.py"}),
    "code of the user's": change(networks={"kind": "own", "type": "os.system"}),
    "networks that are a list": change(networks=[]),
    "networks that are none": change(networks=None),
    "a spec of strings": change(spec={"size": "big", "channels": "many"}),
    "a size below nothing": change(spec__size=-16),
    "a spec that is a number": change(spec=3),
    "origin that is a list": change(about=[1]),
    "images that are a text": change(about__images="many"),
    "images without end": change(about__images=10**400),
    "names that are numbers": change(about__class_names=[1, 2, 3]),
    "a start of another form": change(about__start={"images": "x"}),
    "another format": change(format="pytorch"),
    "not JSON": text("{"),
    "a list": text("[]"),
    "nothing": text(""),
    "bytes that are no text": lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe{}"),
    "nested without end": text("[" * 200_000),
    "nested networks without end": text(
        '{"format": "steadygan-generator-1", "networks": ' + '{"a":' * 900 + "1" + "}" * 901
    ),
    "a config without end": lambda folder: os.truncate(folder / "config.json", 2**33),
    "a pickle in place of weights": weights(pickle.dumps(Bomb())),
    "a pickle beside no weights": only_a_pickle,
    "weights cut short": cut,
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "no config": lambda folder: (folder / "config.json").unlink(),
    "weights that are empty": weights(b""),
    "a header without end": weights((2**60).to_bytes(8, "little") + b"{}"),
    "weights that lead nowhere": link("model.safetensors", "nowhere"),
    "weights that lead in a circle": link("model.safetensors", "model.safetensors"),
    "weights of a device": link("model.safetensors", "/dev/zero"),
    "a config of a device": link("config.json", "/dev/zero"),
    "weights of a pipe": pipe,
    "a weight that is missing": tensors(lambda held: dict(list(held.items())[1:])),
    "a weight too many": tensors(lambda held: held | {"evil": torch.zeros(3)}),
    "weights of another shape": tensors(lambda held: {name: value[None].contiguous() for name, value in held.items()}),
    "weights that are whole numbers": tensors(lambda held: {name: value.int() for name, value in held.items()}),
}


@pytest.mark.parametrize("what", STRANGE)
def test_a_folder_of_a_stranger_is_one_line_and_executes_nothing(folder, tmp_path, monkeypatch, what):
    STRANGE[what](folder)
    monkeypatch.chdir(tmp_path)
    resource = pytest.importorskip("resource")
    before, page_size = resource.getrlimit(resource.RLIMIT_AS), resource.getpagesize()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * page_size if Path("/proc/self/statm").exists() else 0
    with pytest.MonkeyPatch.context():
        if used:
            resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, before[1]))
        try:
            with pytest.raises((DataError, ConfigError)) as left:
                sg.load(folder)
            with pytest.raises((DataError, ConfigError)):
                open_origin(folder).networks()
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
    assert str(folder) in str(left.value)
    assert len(str(left.value)) < 600
    assert "\n" not in str(left.value)
    assert isinstance(left.value, DataError) or what == "code of the user's"
    assert not (tmp_path / "executed").exists()


def test_the_same_holds_of_the_metadata_of_a_file(tmp_path):
    file = generator().save(tmp_path / "g.safetensors")
    held = load_file(file)
    good = {"format": "steadygan-generator-1", "networks": json.dumps(generator().networks), "about": "{}"}
    spec = json.dumps({"size": 16, "channels": 3, "classes": 3})
    for wrong in (
        {"spec": "{}"},
        {},
        {"spec": spec, "about": "[" * 100_000},
        {"spec": spec, "networks": '{"kind": "x"}'},
    ):
        save_file(held, file, metadata=good | wrong)
        with pytest.raises(DataError, match=r"g\.safetensors"):
            sg.load(file)
    save_file(held, file, metadata=good | {"spec": spec})
    assert sg.load(file).classes == 3


# --- the Hub ---


class FakeHub:
    """A Hub of one model, by revision; what is downloaded lies in a folder for each."""

    def __init__(self, cache: Path, **revisions: Path) -> None:
        self.cache, self.revisions, self.asked = cache, revisions, list[str]()
        self.problem: Exception | None = None

    def model_info(self, repo: str, revision: str | None, timeout: float) -> SimpleNamespace:
        if self.problem:
            raise self.problem
        if repo != "org/name":
            raise refusal(errors.RepositoryNotFoundError)
        if (revision or "main") not in self.revisions:
            raise refusal(errors.RevisionNotFoundError)
        files = [SimpleNamespace(rfilename=file.name) for file in self.revisions[revision or "main"].iterdir()]
        return SimpleNamespace(sha=f"commit-of-{revision or 'main'}", siblings=files)

    def hf_hub_download(self, repo: str, name: str, revision: str | None, local_files_only: bool) -> str:
        self.asked.append(name)
        kept = self.cache / str(revision or "main").removeprefix("commit-of-")
        if local_files_only and not (kept / name).exists():
            raise errors.LocalEntryNotFoundError("not there")
        if not local_files_only:
            kept.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.revisions[kept.name] / name, kept / name)
        return str(kept / name)


def refusal(kind: type[Exception]) -> Exception:
    """An error as the library raises it, without the answer of a server that it is usually made from."""
    error = kind.__new__(kind)
    error.args = ("refused",)
    return error


@pytest.fixture
def far(kept, tmp_path, monkeypatch):
    hub._fetched.cache_clear()
    fake = FakeHub(tmp_path / "cache", main=kept)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda _, repo, **how: fake.model_info(repo, **how))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fake.hf_hub_download)
    monkeypatch.chdir(tmp_path)
    return fake


def test_a_model_of_the_hub_is_loaded_by_its_name(far, tmp_path):
    wanted = generator().sample(4)
    for name in ("org/name", "hub:org/name", Path("hub:org/name")):
        assert torch.equal(sg.load(name).sample(4), wanted)
    assert sorted(far.asked) == ["config.json", "model.safetensors"], "once, and nothing else"
    assert call("sample", "hub:org/name", "-n", 4, "-o", tmp_path / "grid.png") == 0


def test_a_revision_is_taken_as_it_was(far, tmp_path):
    older = generator({"images": 7})
    far.revisions["v1"] = save_folder(older, tmp_path / "older").path
    assert sg.load("org/name", revision="v1").about["images"] == 7
    assert sg.load("hub:org/name?revision=v1").about["images"] == 7
    assert sg.load("org/name").about["images"] == 640
    with pytest.raises(ConfigError, match="hub:org/name has no revision 'v2'"):
        sg.load("org/name", revision="v2")


def test_what_lies_here_comes_first_and_a_mistyped_path_asks_nobody(far, tmp_path):
    here = save_folder(generator({"images": 3}), tmp_path / "org" / "name").path
    assert sg.load("org/name").about["images"] == 3
    assert sg.load("hub:org/name").about["images"] == 640
    with pytest.raises(ConfigError, match="lies on this machine"):
        sg.load(here, revision="v1")
    with pytest.raises(
        ConfigError, match="no run folder or exported file at org/nmae; a model of the Hub is hub:org/nmae"
    ):
        sg.load("org/nmae")
    for path in (Path("other/name"), "other/name.safetensors/x", "other"):
        with pytest.raises(ConfigError, match="there is no run folder or exported file"):
            sg.load(path)


def test_what_the_hub_does_not_give_is_one_line(far, folder, monkeypatch):
    for name, said in (
        ("hub:some/other", "hub:some/other is not there, or is private"),
        ("hub:name", "names no model of the Hub"),
        ("hub:org/name?split=x", "names no model of the Hub"),
        ("hub:../../etc", "names no model of the Hub"),
    ):
        with pytest.raises(ConfigError, match=re.escape(said)):
            sg.load(name)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    far.revisions["pickled"] = folder
    with pytest.raises(DataError, match=r"hub:org/name holds no generator of steadygan: no model\.safetensors"):
        sg.load("org/name", revision="pickled")
    far.asked.clear()
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    (folder / "config.json").write_text('{"architectures": ["Llama"]}')
    with pytest.raises(DataError, match="was not written by `steadygan export`"):
        sg.load("org/name", revision="pickled")
    assert far.asked == ["config.json"], "no weights of another model"


def test_without_a_connection_what_was_downloaded_is_used(far):
    far.problem = OSError("no network")
    with pytest.raises(DataError, match=r"hub:org/name cannot be downloaded \(no network\) and is not in the cache"):
        sg.load("org/name")
    far.problem = None
    sg.load("org/name")
    hub._fetched.cache_clear()
    far.problem = OSError("no network")
    assert sg.load("org/name").about["images"] == 640


@pytest.mark.slow
def test_a_run_starts_from_a_model_of_the_hub(tmp_path, monkeypatch, run, kept):
    model = sg.load(run.path)
    there = save_folder(model, tmp_path / "model", run).path
    hub._fetched.cache_clear()
    fake = FakeHub(tmp_path / "cache", main=there)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda _, repo, **how: fake.model_info(repo, **how))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fake.hf_hub_download)
    settings = {name: value for name, value in TINY.items() if name != "networks"} | {"budget": {"steps": 1}}
    photos = Path(run.info().data.source)
    for start, source in (("hub:org/name", "hub:org/name"), (there, str(there))):
        made = sg.train(photos, start=start, out=tmp_path / source[-4:], settings=settings)
        assert made.info().start.source == source
        assert made.info().start.sha256.keys() == {"model.safetensors"}
        assert made.info().config["networks"] == run.info().config["networks"]


def test_a_set_of_pictures_is_scored_against_a_model_folder(run, folder, tmp_path):
    there = save_folder(sg.load(run.path), tmp_path / "own").path
    found = sg.evaluate(there, run.info().data.source, metrics=["swd"], count=16, split="all")
    again = sg.evaluate(run, run.info().data.source, metrics=["swd"], count=16, split="all")
    assert [one.value for one in found.scores] == [one.value for one in again.scores]


def test_names_that_are_no_text_come_back(tmp_path):
    model = generator({"run": "caf\udce9", "class_names": ["sea", "caf\udce9", "x"]})
    out = save_folder(model, tmp_path / "m").path
    assert sg.load(out).about == model.about
    assert RunDir(out) is not None
