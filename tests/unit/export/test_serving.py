"""Requests for pictures are answered as `sample` would, one line for each, whatever is asked."""

from __future__ import annotations

import io
import json
from base64 import b64decode, b64encode

import numpy as np
import pytest
import torch
from PIL import Image

from generators import trained
from steadygan.cli.main import main
from steadygan.export.serving import Server, serve
from steadygan.runs import Run
from steadygan.visual.walk import slerp


@pytest.fixture(scope="module")
def run(painted_run):
    return Run(painted_run)


@pytest.fixture(scope="module")
def server(run):
    return Server(run.path, print)


def asked(server, do, **request):
    """All answers to one request."""
    said = []
    server.say = said.append
    server.answer(json.dumps({"id": 7, "do": do, **request}))
    assert all(answer.pop("id") == 7 for answer in said)
    return said


def only(server, do, **request):
    (answer,) = asked(server, do, **request)
    return answer


def pixels(text):
    with Image.open(io.BytesIO(b64decode(text))) as picture:
        return np.asarray(picture.convert("RGB"), np.int64)


def coded(latent):
    return b64encode(np.asarray(latent, "<f4").tobytes()).decode()


def test_a_seed_and_a_number_are_byte_for_byte_the_file_that_sample_writes(run, server, tmp_path):
    with pytest.raises(SystemExit):
        main(["sample", str(run.path), "--seed", "5", "--pick", "3,17", "-o", str(tmp_path / "out")])
    spots = [{"seed": "5", "number": "3"}, {"seed": 5, "number": 17}]
    found = only(server, "paint", spots=spots, exact=True)["pictures"]
    files = [tmp_path / "out" / f"{number:05d}.png" for number in (3, 17)]
    assert [b64decode(text) for text in found] == [file.read_bytes() for file in files]
    soon = only(server, "paint", spots=spots)["pictures"]
    assert max(np.abs(pixels(a) - pixels(b)).max() for a, b in zip(found, soon, strict=True)) <= 1


def test_what_is_described_is_the_generator_and_stays_until_it_is_asked_for_anew(run, server):
    told = only(server, "describe")
    assert (told["size"], told["channels"], told["classes"], told["dim"]) == (16, 3, [], 8)
    assert told["truncates"]
    best = run.files.best.read_text()
    other = next(one for one in run.checkpoints() if one.name != told["checkpoint"])
    try:
        run.call_best(other.images)
        assert only(server, "describe")["checkpoint"] == told["checkpoint"]
        assert only(server, "describe", fresh=True)["images"] == other.images
    finally:
        run.files.best.write_text(best)
    assert only(server, "describe", fresh=True) == told


def test_a_generator_that_takes_all_lengths_for_one_has_no_truncation(server, monkeypatch):
    models = {name: trained(name) for name in ("msg", "dcgan")}
    monkeypatch.setattr("steadygan.export.serving.load", lambda run, which: models[which])
    for name, truncates in (("msg", False), ("dcgan", True)):
        server = Server(server.run, print)
        models[name].about["checkpoint"] = name
        assert only(server, "describe", which=name)["truncates"] == truncates


def test_truncation_and_shift_move_the_latent_as_they_say(server):
    model = server.model("best")
    latent = model.latents(seed=2, pick=[4])[0]
    shift = torch.linspace(-1, 1, 8)
    wanted = model.pictures((0.5 * latent + shift)[None])[0].permute(1, 2, 0).numpy()
    spot = {"seed": 2, "number": 4, "truncation": 0.5, "shift": coded(shift)}
    assert (pixels(only(server, "paint", spots=[spot], exact=True)["pictures"][0]) == wanted).all()
    given = {"latent": coded(0.5 * latent), "shift": coded(shift)}
    assert (pixels(only(server, "paint", spots=[given], exact=True)["pictures"][0]) == wanted).all()


def test_a_walk_goes_on_great_circles_and_comes_in_parts(server):
    model, stations = server.model("best"), [{"number": 1}, {"number": 2}, {"number": 3}]
    whole = only(server, "walk", stations=stations, frames=4)["pictures"]
    parts = [only(server, "walk", stations=stations, frames=4, first=at, count=5)["pictures"] for at in (0, 5, 10)]
    assert len(whole) == 12
    assert [picture for part in parts for picture in part] == whole
    one, two = model.latents(seed=0, pick=[1, 2]).numpy()
    wanted = model.pictures(torch.from_numpy(slerp(one, two, 0.25))[None].float())[0].permute(1, 2, 0).numpy()
    assert np.abs(pixels(whole[1]) - wanted).max() <= 1
    film = only(server, "film", stations=stations, frames=4)["gif"]
    with Image.open(io.BytesIO(b64decode(film))) as gif:
        assert gif.n_frames == 12
    assert "it ends before" in only(server, "walk", stations=stations, frames=4, first=12)["error"]


def test_classes_come_in_turn_or_as_asked_by_their_place(monkeypatch, run):
    model = trained("sngan", classes=3, class_names=["2", "0", "1"])  # names that are numbers of others
    monkeypatch.setattr("steadygan.export.serving.load", lambda run, which: model)
    server = Server(run.path, print)
    assert only(server, "describe")["classes"] == ["2", "0", "1"]
    found = only(server, "paint", spots=[{"number": 4}, {"number": 4, "label": 0}], exact=True)["pictures"]
    latents = model.latents(seed=0, pick=[4, 4])
    wanted = model.pictures(latents, torch.tensor([1, 0])).permute(0, 2, 3, 1).numpy()
    assert [(pixels(text) == picture).all() for text, picture in zip(found, wanted, strict=True)] == [True, True]
    assert "0 to 2" in only(server, "paint", spots=[{"label": 3}])["error"]


def test_the_directions_are_those_of_the_exported_page(server):
    ways = np.array(only(server, "ways")["ways"])
    np.testing.assert_allclose(ways @ ways.T, np.eye(8), atol=1e-3)


def test_a_photo_is_found_with_news_of_how_far_it_is(server, tmp_path, monkeypatch):
    monkeypatch.setattr("steadygan.export.serving._STEPS", 12)
    own = only(server, "paint", spots=[{"seed": 9}], exact=True)["pictures"][0]
    (tmp_path / "a.jpg").write_bytes(b64decode(own))  # a PNG by another name
    *news, found = asked(server, "photo", file=str(tmp_path / "a.jpg"))
    assert [one["done"] for one in news] == list(range(1, 13))
    assert (pixels(found["photo"]) == pixels(own)).all()
    again = only(server, "paint", spots=[{"latent": found["latent"]}], exact=True)["pictures"][0]
    assert again == found["picture"]
    apart = np.sqrt(((pixels(again) - pixels(own)) ** 2).mean())
    assert found["distance"] == pytest.approx(apart, abs=0.01)


HOSTILE = {
    "nothing": b"",
    "text": b"hello",
    "half a PNG": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x02\x00\x00\x00",
    "a script": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_photo_is_one_line_that_names_no_path(server, tmp_path, name):
    (tmp_path / "photo.jpg").write_bytes(HOSTILE[name])
    line = only(server, "photo", file=str(tmp_path / "photo.jpg"))["error"]
    assert "the photo" in line
    assert str(tmp_path) not in line
    assert "Error" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"do": "paint", "spots": []}, "spots"),
        ({"do": "paint", "spots": [{"seed": 10**40}]}, "seed"),
        ({"do": "paint", "spots": [{"number": -1}]}, "number"),
        ({"do": "paint", "spots": [{"truncation": "NaN"}]}, "truncation"),
        ({"do": "paint", "spots": [{"latent": "AAAA"}]}, "8 numbers"),
        ({"do": "paint", "spots": [{"latent": coded([np.nan] * 8)}]}, "8 numbers"),
        ({"do": "paint", "spots": [{"label": 1}]}, ""),
        ({"do": "paint", "which": "../../etc", "spots": [{}]}, "no checkpoint"),
        ({"do": "steal"}, "do"),
    ],
)
def test_what_cannot_be_answered_is_answered_in_one_line(server, request_, said):
    found = only(server, **request_)
    if said:
        assert said in found["error"]
        assert "\n" not in found["error"]
    else:  # a generator without classes has no use for one
        assert found["pictures"]


def test_lines_of_no_json_end_nothing(run):
    said: list[str] = []
    paint = json.dumps({"id": 2, "do": "paint", "spots": [{}]})
    serve(run.path, ["no json\n", "[]\n", "[" * 100_000 + "\n", paint + "\n"], said.append)
    answers = [json.loads(line) for line in said]
    assert [answer["id"] for answer in answers] == [None, None, None, 2]
    assert all("error" in answer for answer in answers[:3])
    assert "pictures" in answers[3]
