"""The catalogue says of each technique what stands in its value, and every option it prints works."""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, get_args

import pytest
from pydantic import BaseModel

from steadygan.augment import InstanceNoise
from steadygan.cli.techniques import _title
from steadygan.config import merge, parse_assignment, resolve
from steadygan.errors import ConfigError, DataError
from steadygan.networks import DCGAN, R3GAN
from steadygan.networks.choices import Xavier
from steadygan.networks.resampling import PixelShuffle
from steadygan.objectives import R1, Hinge, LeCam
from steadygan.part import Part
from steadygan.recipes import RECIPES, choose_recipe
from steadygan.recipes.by_setting import BY_SETTING
from steadygan.recipes.catalogue import Group, Technique
from steadygan.recipes.citing import of_run
from steadygan.recipes.pages import _technique
from steadygan.recipes.papers import PAPERS, bibtex, cite, paper
from steadygan.recipes.references import Paper, ids_in
from steadygan.recipes.techniques import GROUPS, families, find, members, papers_of, techniques, uses
from steadygan.recipes.wording import range_of
from steadygan.schedule import Cosine
from steadygan.training.config import Optimizers, RunConfig, ScoreSettings
from steadygan.training.optim import SGD, Adam
from steadygan.training.replay import History
from steadygan.training.turns import Moderated

ALL = [entry for entry in techniques() if entry not in BY_SETTING]
MODELS: list[tuple[Group, type[Part]]] = [(group, model) for group in GROUPS for model in members(group.choices)]
SWITCHES = [(entry, number) for entry in ALL for number in range(len(entry.switches))]


def named(value: Any) -> str:
    return f"{value.group.title}-{value.name}" if isinstance(value, Technique) else str(value)


def plain(text: str) -> str:
    return unicodedata.normalize("NFKD", text.replace("ı", "i")).encode("ascii", "ignore").decode()


def choices_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every value with a kind that an annotation leads to, through groups of settings and through choices."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if issubclass(annotation, Part):
            yield annotation
        for field in annotation.model_fields.values():
            for part in (field.annotation, *field.metadata):
                yield from choices_in(part)
    for inner in get_args(annotation):
        yield from choices_in(inner)


def test_everything_a_configuration_can_hold_is_in_the_catalogue() -> None:
    reachable = set(choices_in(RunConfig))
    assert reachable - set(choices_in(ScoreSettings)) == {model for _, model in MODELS}  # metrics explain themselves
    assert len(MODELS) == len(ALL) > 60


class NobodysIdea(Part):
    """Nobody wrote a paper about it."""

    helps: ClassVar[str] = "It may."
    hurts: ClassVar[str] = "It may, too."
    kind: Literal["nobodys_idea"] = "nobodys_idea"


def test_a_technique_without_a_paper_is_one_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    group = GROUPS[0]._replace(choices=NobodysIdea)
    monkeypatch.setattr("steadygan.recipes.techniques.GROUPS", (group,))
    entry = find("nobodys_idea")[0]
    assert (entry.papers, entry.off) == ((), False)
    assert _title(entry) == "nobodys_idea"
    assert "### `nobodys_idea`\n" in _technique(entry)
    assert "Source" not in _technique(entry)


def test_what_is_off_is_the_absence_of_a_technique() -> None:
    absent = {"as_is", "fresh", "itself", "none"}
    assert {entry.name for entry in ALL if entry.off} == absent


def test_names_that_occur_twice_are_both_listed() -> None:
    assert [entry.group.title for entry in find("l2")] == ["penalties", "generator terms"]
    assert [entry.group.title for entry in find("none")] == ["normalisation", "minibatch"]


@pytest.mark.parametrize(("group", "model"), MODELS, ids=lambda value: getattr(value, "title", None))
def test_an_entry_is_what_stands_in_the_value(group: Any, model: type[BaseModel]) -> None:
    [entry] = [e for (g, m), e in zip(MODELS, ALL, strict=True) if g is group and m is model]
    source = " ".join((model.__doc__ or "").split())
    assert " ".join(f"{entry.what} {entry.details}".split()) == source
    assert (entry.helps, entry.hurts, entry.off) == (model.helps, model.hurts, model.off)
    assert entry.papers[:1] == ((model.paper,) if model.paper else ())
    assert {setting.name for setting in entry.settings} >= set(model.model_fields) - {"kind", "every"}


@pytest.mark.parametrize("entry", ALL, ids=named)
def test_the_first_line_is_a_short_sentence(entry: Technique) -> None:
    assert entry.what.endswith(".")
    assert len(entry.what) <= 120


@pytest.mark.parametrize("entry", ALL, ids=named)
def test_a_technique_says_when_it_helps_and_when_it_hurts_and_off_is_none(entry: Technique) -> None:
    for sentence in (entry.helps, entry.hurts):
        assert bool(sentence) == (not entry.off)
        assert sentence.endswith(".") or entry.off


@pytest.mark.parametrize("entry", ALL, ids=named)
def test_what_a_technique_names_as_its_source_is_in_the_table_and_is_the_one_its_text_means(entry: Technique) -> None:
    assert [name for name in entry.papers if name not in PAPERS] == []
    if not entry.papers or not (known := PAPERS[entry.papers[0]]).authors:
        return
    text = plain(f"{entry.what} {entry.details}")
    family = plain(known.short()).split(" et al.")[0].split(" and ")[0].split(" (")[0]
    years = {str(known.year), *(f"20{year}" for year in re.findall(r"arXiv:(\d\d)", known.id))}
    assert any(re.search(rf"{family}[^;.]*( et al\.)?[^;.]*{year}", text) for year in years), (family, years, text)


@pytest.mark.parametrize(("entry", "number"), SWITCHES, ids=named)
def test_every_option_the_catalogue_prints_switches_it_on(entry: Technique, number: int) -> None:
    option, text = shlex.split(entry.switches[number])
    assert option == "--set"
    for recipe in (RunConfig(), choose_recipe("steady")):
        value: Any = resolve(RunConfig, merge(recipe.dump(), parse_assignment(text)))
        for name in entry.group.seams[number].split("."):
            value = getattr(value, name)
        [value] = value if entry.group.several else [value]
        assert getattr(value, "kind", entry.name) == entry.name
        assert type(value) in members(entry.group.choices)


@pytest.mark.parametrize("entry", BY_SETTING, ids=named)
def test_every_option_of_a_mere_setting_changes_the_configuration(entry: Technique) -> None:
    plain = RunConfig()
    for switch in entry.switches:
        words = shlex.split(switch)
        assert words[::2] == ["--set"] * (len(words) // 2)
        assert resolve(RunConfig, merge(plain.dump(), *map(parse_assignment, words[1::2]))) != plain


def test_an_option_that_does_not_work_would_be_seen() -> None:
    with pytest.raises(ConfigError, match="is not one of"):
        resolve(RunConfig, parse_assignment("loss=hingge"))


def test_choices_inside_networks_name_the_networks_that_have_them() -> None:
    assert "dcgan" in families("networks.upsampling")
    assert "points" not in families("networks.upsampling")
    assert families("networks") == families("loss") == []


@pytest.mark.parametrize(
    ("given", "found"),
    [("wgan-gp", "wgan_gp"), ("R1", "r1"), ("spectral_norm", "spectral_norm"), ("max_width", "dcgan")],
)
def test_a_technique_is_found_by_its_name_or_else_by_a_setting_of_it(given: str, found: str) -> None:
    assert found in [entry.name for entry in find(given)]


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no technique 'hingge'; did you mean 'hinge'"):
        find("hingge")
    with pytest.raises(ConfigError, match=r"no technique 'xyzxyz'\. `steadygan techniques` lists them all"):
        find("xyzxyz")


RANGES = {
    (R1, "gamma"): "number or schedule, 0 or more",
    (R1, "every"): "whole number, 1 or more",
    (LeCam, "decay"): "number, 0 or more, less than 1",
    (Adam, "lr"): "number or schedule, more than 0",
    (Adam, "beta2"): "number or schedule, 0 to less than 1",
    (Adam, "eps"): "number, more than 0",
    (Moderated, "fooled"): "number, more than 0, at most 1",
    (History, "use"): "number, 0 to 1",
    (R3GAN, "widths"): "list, each a whole number, 1 or more, or null",
    (DCGAN, "width"): "whole number, 1 or more, or null",
    (DCGAN, "upsampling"): "transposed, nearest, bilinear or pixel_shuffle",
    (DCGAN, "generator_init"): "normal, xavier, he, orthogonal or null",
    (DCGAN, "spectral_norm"): "none, discriminator, generator or both",
    (PixelShuffle, "kernel"): "3 or 5",
}


@pytest.mark.parametrize(("model", "name"), RANGES)
def test_ranges_are_said_in_words(model: type[BaseModel], name: str) -> None:
    assert range_of(model.model_fields[name]) == RANGES[model, name]


def test_defaults_are_written_as_an_option_takes_them() -> None:
    [entry] = find("non_saturating")
    assert {setting.name: setting.default for setting in entry.settings}["real_labels"] == "[1, 1]"
    [entry] = find("dcgan")
    defaults = {setting.name: setting.default for setting in entry.settings}
    assert (defaults["width"], defaults["upsampling"], defaults["spectral_norm"]) == ("null", "transposed", "none")
    defaults = {setting.name: setting.default for setting in find("cosine")[0].settings}
    assert defaults == {"start": "required", "end": "required", "images": "null"}


def test_papers_of_a_configuration_stand_in_order_of_first_use() -> None:
    config = RunConfig(
        recipe="mine.toml",
        networks=DCGAN(upsampling=PixelShuffle(), generator_init=Xavier()),
        loss=Hinge(),
        penalties=(R1(gamma=Cosine(start=1, end=0, images=10)), R1()),
        optimizer=Optimizers(discriminator=SGD()),
    )
    first = [
        "arXiv:1511.06434",  # DCGAN
        "arXiv:1609.05158",  # pixel shuffle
        "arXiv:1412.6806",  # strided convolutions
        "arXiv:1502.03167",  # batch norm
        "arXiv:1505.00853",  # ReLU
        "https://proceedings.mlr.press/v9/glorot10a.html",
        "arXiv:1802.05957",  # hinge
        "arXiv:1801.04406",
        "arXiv:1608.03983",
        "arXiv:1406.2661",  # turns
        "arXiv:1412.6980",
        "https://github.com/soumith/ganhacks",
        "arXiv:1806.04498",
        "arXiv:1706.08500",  # the scores
        "arXiv:1801.01401",
        "arXiv:1203.1513",
    ]
    found = uses(config)
    assert papers_of(config) == list(found) == first
    assert found["arXiv:1801.04406"] == ["penalties[0]=r1", "penalties[1]=r1"]
    assert found["arXiv:1608.03983"] == ["penalties[0].gamma=cosine"]
    assert found["arXiv:1806.04498"] == ["ema"]


def test_papers_of_a_recipe_come_first_and_another_technique_adds_its_own() -> None:
    config = choose_recipe("steady")
    own = ids_in(RECIPES["steady"].__doc__ or "")
    assert len(own) >= 2
    assert papers_of(config)[: len(own)] == own
    noisy = config.model_copy(update={"show": InstanceNoise()})
    assert set(papers_of(noisy)) - set(papers_of(config)) == {"arXiv:1610.04490"}


@pytest.mark.parametrize("name", RECIPES)
def test_the_sources_of_every_recipe_are_in_the_table(name: str) -> None:
    assert [source for source in papers_of(choose_recipe(name)) if source not in PAPERS] == []


class OwnLoss:
    paper: ClassVar[str] = "arXiv:2401.00001"

    def d_loss(self, view: Any) -> Any: ...
    def g_loss(self, view: Any) -> Any: ...


class OwnPenalty:
    every = 1

    def __call__(self, view: Any) -> Any: ...


class OwnOptimizer:
    lr = 1e-3

    def build(self, parameters: Any) -> Any: ...


def test_an_object_of_the_users_own_may_name_its_paper() -> None:
    assert "arXiv:2401.00001" in papers_of(RunConfig(loss=OwnLoss()))


def test_a_run_with_objects_of_the_users_own_says_so_and_cites_the_rest(tmp_path) -> None:
    optimizer = Optimizers(generator=OwnOptimizer(), discriminator=SGD())
    config = RunConfig(loss=OwnLoss(), penalties=(OwnPenalty(), R1()), optimizer=optimizer)
    write_run(tmp_path, config.dump())
    sources = of_run(tmp_path)
    assert {place: name.rpartition(".")[2] for place, name in sources.own.items()} == {
        "loss": "OwnLoss",
        "penalties[0]": "OwnPenalty",
        "optimizer.generator": "OwnOptimizer",
    }
    assert sources.papers["arXiv:1801.04406"] == ["penalties[1]=r1"]
    assert "arXiv:1412.6980" not in sources.papers
    assert not any("loss" in purpose for purposes in sources.papers.values() for purpose in purposes)


@pytest.mark.parametrize("seam", ["networks", "loss", "show", "replay", "opponent", "turns"])
def test_an_object_of_the_users_own_is_read_back_at_every_seam(tmp_path, seam: str) -> None:
    write_run(tmp_path, {**RunConfig().dump(), seam: {"kind": "own", "type": "mine.Part", "settings": "?"}})
    assert of_run(tmp_path).own == {seam: "mine.Part"}


def test_a_folder_without_a_run_and_settings_of_another_version_are_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="is not the folder of a run"):
        of_run(tmp_path)
    write_run(tmp_path, {"loss": {"kind": "of tomorrow"}})
    with pytest.raises(ConfigError, match=r"settings this steadygan cannot use: loss\.kind: 'of tomorrow'"):
        of_run(tmp_path)


def write_run(folder: Any, config: dict[str, Any]) -> None:
    data = {"digest": "d", "spec": {"size": 8, "channels": 1}}
    (folder / "run.json").write_text(json.dumps({"config": config, "data": data, "parameters": {}}))


def test_references_are_written_out() -> None:
    first, second = cite(["arXiv:1412.6980", "arXiv:1801.04406"]).splitlines()
    assert first == (
        "Diederik P. Kingma and Jimmy Ba (2015). Adam: A Method for Stochastic Optimization. ICLR. "
        "https://arxiv.org/abs/1412.6980"
    )
    assert second == (
        "Lars Mescheder, Andreas Geiger and Sebastian Nowozin (2018). Which Training Methods for GANs do actually "
        "Converge? ICML. https://arxiv.org/abs/1801.04406"
    )
    assert cite(["seed:satellite"]) == "Fake satellite images: 39 mistakes. Web article, with TensorFlow."


def test_bibtex_is_written_out() -> None:
    assert bibtex(["arXiv:1412.6980"]) == (
        "@inproceedings{kingma2015adam,\n"
        "  author = {Diederik P. Kingma and Jimmy Ba},\n"
        "  title = {{Adam: A Method for Stochastic Optimization}},\n"
        "  booktitle = {ICLR},\n"
        "  year = {2015},\n"
        "  url = {https://arxiv.org/abs/1412.6980},\n"
        "}\n"
    )


def test_keys_differ_and_braces_match() -> None:
    text = bibtex(PAPERS)
    keys = re.findall(r"^@\w+\{([a-z0-9_-]+),$", text, flags=re.MULTILINE)
    assert len(set(keys)) == len(keys) == len(PAPERS)
    assert text.count("{") == text.count("}")
    assert {"sonderby2017amortised", "yazici2019unusual", "devries2017modulating", "huang2024gan"} <= set(keys)


def test_a_paper_the_table_lacks_is_cited_by_its_address() -> None:
    assert paper("arXiv:2401.00001").reference() == "arXiv:2401.00001 https://arxiv.org/abs/2401.00001"
    assert "{https://arxiv.org/abs/2401.00001}" in paper("arXiv:2401.00001").bibtex()


@pytest.mark.parametrize("known", PAPERS.values(), ids=lambda known: known.id)
def test_every_paper_is_complete(known: Paper) -> None:
    assert known.title
    assert known.venue
    assert len(set(known.authors)) == len(known.authors)
    if not known.id.startswith("seed:"):
        assert known.authors
        assert known.url.startswith("https://")
        assert all(" " in author and author == author.strip() for author in known.authors)
    if number := re.fullmatch(r"arXiv:(\d\d)\d\d\.\d{4,5}", known.id):
        assert 0 <= (known.year or 0) - 2000 - int(number[1]) <= 2 or known.id == "arXiv:2501.05441"


@pytest.mark.parametrize(
    ("authors", "short"),
    [
        (("Jimmy Ba",), "Ba (2015)"),
        (("Diederik P. Kingma", "Jimmy Ba"), "Kingma and Ba (2015)"),
        (("Harm de Vries", "A B", "C D"), "de Vries et al. (2015)"),
        (("Jost Tobias Springenberg", "A B", "C D"), "Springenberg et al. (2015)"),
    ],
)
def test_authors_in_running_text(authors: tuple[str, ...], short: str) -> None:
    assert Paper(id="x", authors=authors, year=2015, title="T").short() == short


def test_ids_are_found_in_a_text_and_the_full_stop_is_none_of_theirs() -> None:
    text = "arXiv:1312.6120, arXiv:2501.05441. doi:10.23915/distill.00003. isbn:9780262035613; seed:ten-lessons."
    assert ids_in(f"{text} arXiv:1312.6120") == [
        "arXiv:1312.6120",
        "arXiv:2501.05441",
        "doi:10.23915/distill.00003",
        "isbn:9780262035613",
        "seed:ten-lessons",
    ]
