"""Another program's log: whatever wrote it, its numbers arrive under our names, or one line says what is missing."""

from __future__ import annotations

import json
import math
import random
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from steadygan.doctor import logs
from steadygan.doctor.logs import LOSSES, read_log
from steadygan.doctor.quantities import FIELDS, recognise
from steadygan.errors import ConfigError, DataError
from steadygan.objectives import AnyLoss

D, G = [0.5, 0.25, 0.125, 1.0], [1.0, 2.0, 3.0, 4.0]


def printed(line: str) -> str:
    return "".join(line.format(i=i, n=10 * i, d=d, g=g) + "\n" for i, (d, g) in enumerate(zip(D, G, strict=True)))


def objects(*, step: str = "step", d: str = "d_loss", g: str = "g_loss") -> list[dict[str, float]]:
    return [{step: 10 * i, d: one, g: other} for i, (one, other) in enumerate(zip(D, G, strict=True))]


def lines(rows: list) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def stylegan(i: int) -> dict:
    means = {"Loss/D/loss": D[i], "Loss/G/loss": G[i], "Progress/kimg": i / 100}
    return {name: {"num": 64, "mean": mean, "std": 0.5} for name, mean in means.items()} | {"timestamp": 1.6e9 + i}


STYLES = {
    "a table": "step,d_loss,g_loss\n" + printed("{n},{d},{g}"),
    "a table of tabs": "iteration\tLoss_D\tLoss_G\n" + printed("{n}\t{d}\t{g}"),
    "a table with spaces and a comment": "# step errD errG\n" + printed("{n} {d}   {g}"),
    "a table in quotes": '"Step","run 1 - Loss/D","run 1 - Loss/D__MIN","run 1 - Loss/G"\n'
    + printed('"{n}","{d}","0","{g}"'),
    "JSON lines": lines(objects()),
    "JSON lines in groups": lines([{"step": 10 * i, "loss": {"D": D[i], "G": G[i]}} for i in range(4)]),
    "a list of objects": json.dumps(objects(step="global_step"), indent=1),
    "an object of lists": json.dumps({"iter": [0, 10, 20, 30], "disc_loss": D, "gen_loss": G}),
    "a history within more": json.dumps({"best": None, "log_history": objects()}),
    "StyleGAN's statistics": lines([stylegan(i) for i in range(4)]),
    "the tutorial of PyTorch": "Starting Training Loop...\n" + printed("[0/5][{n}/1583]\tLoss_D: {d}\tLoss_G: {g}"),
    "Keras": printed("{n} [D loss: {d}, acc.: 50.00%] [G loss: {g}]"),
    "epochs and batches": printed("[Epoch 0/200] [Batch {n}/938] [D loss: {d}] [G loss: {g}]"),
    "epochs and steps": printed("Epoch [0/200], Step [{n}/600], d_loss: {d}, g_loss: {g}, D(x): 0.71, D(G(z)): 0.30"),
    "StudioGAN": printed("[INFO] 2021-11-21 14:47:38 > Step: {n:>6} Progress: 0.1% Gen_loss: {g} Dis_loss: {d}"),
    "a bar that is drawn over": printed(" 45%|███ | {n}/1000 [00:12<00:15, d_loss={d}, g_loss={g}]").replace(
        "\n", "\r"
    ),
    "the DCGAN of TensorFlow": printed("Epoch: [ 0/25] [{n:>4}/ 300] time: 4.1, d_loss: {d}, g_loss: {g}"),
    "one of two games": printed("(epoch: 1, iters: {n}, time: 0.2) D_A: {d} G_A: {g} cycle_A: 1.2 D_B: 9.0 G_B: 9.0"),
    "BigGAN": lines(objects(step="itr", d="D_loss", g="G_loss")),
    "prose": printed("At step {n} the discriminator loss is {d} and the generator loss is {g}."),
    "dictionaries": printed("{{'step': {n}, 'd_loss': {d}, 'g_loss': {g}}}"),
    "tensors": printed("step {n} errD tensor({d}, device='cuda:0') errG tensor({g}, grad_fn=<X>)"),
}


@pytest.fixture
def write(tmp_path):
    def written(text: str | bytes, name: str = "log", encoding: str = "utf-8") -> Path:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return tmp_path / name

    return written


@pytest.mark.parametrize("style", STYLES)
def test_a_log_of_each_style_gives_the_losses_in_their_order(write, style):
    case = read_log(write(STYLES[style])).case
    assert case["loss_d"].values.tolist() == D
    assert case["loss_g"].values.tolist() == G
    assert case["loss_d"].steps.tolist() == case["loss_g"].images.tolist() == [0, 10, 20, 30]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_encodings_of_other_systems_are_read(write, encoding):
    assert read_log(write(STYLES["a table"], encoding=encoding)).case["loss_d"].values.tolist() == D


@pytest.mark.parametrize("seed", range(4))
def test_a_name_is_known_whatever_the_order_case_and_signs_of_its_words(seed):
    rng = random.Random(seed)
    sides = {"d": ["d", "D", "disc", "Discriminator", "critic", "netD"], "g": ["g", "G", "gen", "Generator", "netG"]}
    for side, loss, part in product("dg", ["loss", "Loss", "err", "error"], ["", "real", "fake"]):
        if side == "g" and part:
            continue
        words = [rng.choice(sides[side]), loss, *filter(None, [part])]
        rng.shuffle(words)
        name = rng.choice(["_", "/", " ", ".", "-"]).join(words)
        known = recognise(rng.choice(["", "train/"]) + name)
        assert known is not None, name
        assert known.field == f"loss_{side}" + (f"_{part}" if part else ""), name


@pytest.mark.parametrize(
    "name", ["val_loss", "loss", "time", "D_loss_std", "batch_size", "lr", "Loss/D__MAX", "is", ""]
)
def test_a_name_that_means_something_else_is_not_known(name):
    assert recognise(name) is None


def test_columns_may_stand_in_any_order_among_others(write):
    names = ["step", "d_loss", "g_loss", "D(x)", "lr", "note", "FID"]
    for seed in range(5):
        random.Random(seed).shuffle(names)
        row = {
            "step": "{n}",
            "d_loss": "{d}",
            "g_loss": "{g}",
            "D(x)": "2.0",
            "lr": "1e-4",
            "note": "fine",
            "FID": "{i}",
        }
        found = read_log(write(",".join(names) + "\n" + printed(",".join(row[name] for name in names))))
        assert found.case["loss_d"].values.tolist() == D
        assert found.case["scores.fid"].values.tolist() == [0, 1, 2, 3]
        assert found.read["d_real"] == "D(x)"


def test_a_column_of_another_name_is_taken_by_what_it_is_said_to_be(write):
    text = "n,a,d_loss,metrics/b\n" + printed("{n},{d},7,{g}")
    asked = {"step": "n", "loss_d": "a", "loss_g": "metrics.b", "scores.lpips": "d_loss"}
    case = read_log(write(text), asked).case
    assert (case["loss_d"].values.tolist(), case["loss_g"].values.tolist()) == (D, G)
    assert case["loss_d"].steps.tolist() == [0, 10, 20, 30]
    assert case["scores.lpips"].values.tolist() == [7, 7, 7, 7]


def test_epochs_begin_the_count_of_batches_anew_and_the_steps_go_on(write):
    rows = [f"[{e}/3][{b}/200] Loss_D: 1 Loss_G: 2\n" for e in range(3) for b in (0, 100)]
    steps = [0, 100, 200, 300, 400, 500]
    assert read_log(write("".join(rows))).case["loss_d"].steps.tolist() == steps
    table = "epoch,batch,d_loss\n" + "".join(f"{e},{b},1\n" for e in range(3) for b in range(2))
    assert read_log(write(table)).case["loss_d"].steps.tolist() == [0, 1, 2, 3, 4, 5]
    nameless = "batch,d_loss\n" + "".join(f"{b},1\n" for _ in range(4) for b in range(3))
    assert read_log(write(nameless)).case["loss_d"].steps.tolist() == list(range(12))


@pytest.mark.parametrize(("again", "kept"), [(0, [5, 6, 7]), (1, [0, 5, 6, 7]), (2, [0, 1, 5, 6, 7])])
def test_of_what_a_restart_did_again_the_newest_is_read(write, again, kept):
    rows = [f"{i},{i},1\n" for i in range(4)] + [f"{again + i},{5 + i},1\n" for i in range(3)]
    found = read_log(write("step,d_loss,g_loss\n" + "".join(rows)))
    assert found.case["loss_d"].values.tolist() == kept
    assert any("goes backwards 1 times" in remark for remark in found.remarks)


def test_a_log_that_says_no_place_is_counted_by_lines(write):
    found = read_log(write("d_loss,g_loss\n" + printed("{d},{g}")))
    assert found.case["loss_d"].steps.tolist() == [0, 1, 2, 3]
    assert any("lines are counted" in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("told", "loss", "turned"), [("0.9 0.1", "", 1), ("0.9 0.1", "wgan", 0), ("1.9 -0.5", "bce", 0)]
)
def test_verdicts_that_can_be_probabilities_are_turned_into_logits(write, told, loss, turned):
    real, fake = map(float, told.split())
    found = read_log(write("".join(f"step {i} D(x): {real} D(G(z)): {fake} / 0.2\n" for i in range(3))), loss=loss)
    logits = [math.log(p / (1 - p)) for p in (real, fake)] if turned else [real, fake]
    assert [found.case["d_real"].last, found.case["d_fake"].last] == pytest.approx(logits)
    assert any("probabilities" in remark for remark in found.remarks) == bool(turned)


def test_halves_percents_signs_and_one_accuracy_for_both_become_what_rules_read(write):
    rows = [{"D_loss_real": 0.25, "D_loss_fake": 0.5, "D accuracy": 75.0, "Loss/signs/fake": {"mean": -1.0}}] * 3
    case = read_log(write(lines(rows))).case
    assert case["loss_d"].last == 0.75
    assert case["accuracy_real"].last == 0.75
    assert case["accuracy_fake"].last == 1.0


def test_a_percentage_is_a_share_however_small(write):
    assert read_log(write("step 1 real acc: 1%\nstep 2 real acc: 0.5%\n")).case["accuracy_real"].values.tolist() == [
        0.01,
        0.005,
    ]


def test_what_pix2pix_calls_d_real_is_half_of_a_loss(write):
    case = read_log(write(printed("(epoch: 1, iters: {n}) G_GAN: 0.9 G_L1: 20 D_real: {d} D_fake: {g}"))).case
    assert case["loss_d"].values.tolist() == [one + other for one, other in zip(D, G, strict=True)]
    assert not len(case["d_real"])


def test_scores_that_stand_apart_are_read_with_their_place(write):
    rows = [{"results": {"fid50k_full": 9.0}, "snapshot_pkl": f"network-snapshot-{k:06d}.pkl"} for k in (0, 200)]
    assert read_log(write(lines(rows))).case["scores.fid"].images.tolist() == [0, 200_000]
    text = "> Step: 500 Dis_loss: 1.0\n> FID score (Step: 500, Using train moments): 45.9\n"
    fid = read_log(write(text)).case["scores.fid"]
    assert (fid.steps.tolist(), fid.values.tolist()) == ([500], [45.9])


@pytest.mark.parametrize("nan", ["nan", "NaN", "-nan(ind)", "1.#QNAN"])
def test_a_number_that_is_none_stays_one(write, nan):
    assert math.isnan(read_log(write(f"step,d_loss\n0,1\n1,{nan}\n")).case["loss_d"].last)
    assert math.isnan(read_log(write('{"d_loss": 1}\n{"d_loss": NaN}\n')).case["loss_d"].last)
    assert math.isinf(read_log(write("step 0 d_loss 1\nstep 1 d_loss: inf\n")).case["loss_d"].last)


def test_a_table_may_have_one_column(write):
    assert read_log(write("Loss_D\n0.5\n0.25\n")).case["loss_d"].values.tolist() == [0.5, 0.25]


def test_a_comma_may_be_the_decimal_point(write):
    assert read_log(write("step;d_loss\n0;0,5\n1;0,25\n")).case["loss_d"].values.tolist() == [0.5, 0.25]


@pytest.mark.parametrize("style", ["a table", "JSON lines"])
@pytest.mark.parametrize("cut", [2, 4, 6])
def test_a_last_line_that_was_cut_off_is_passed_over(write, style, cut):
    log = read_log(write(STYLES[style][:-cut] if style == "JSON lines" else STYLES[style][:-cut].rsplit(",", 1)[0]))
    assert log.case["loss_d"].values.tolist() == D[:3]
    assert "1 damaged lines were passed over" in log.remarks


def test_a_long_log_becomes_means_and_a_single_nan_in_it_is_seen(write, monkeypatch):
    monkeypatch.setattr(logs, "POINTS", 10)
    rows = "".join(f"{i},{i % 2},{'nan' if i == 55 else 1}\n" for i in range(100))
    case = read_log(write("step,d_loss,g_loss\n" + rows)).case
    assert case["loss_d"].values.tolist() == [0.5] * 10
    assert case["loss_d"].steps.tolist() == list(range(9, 100, 10))
    assert np.flatnonzero(np.isnan(case["loss_g"].values)).tolist() == [5]


REFUSED = {
    "empty": (b"", "is empty"),
    "of spaces": (b" \n\n ", "is empty"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0\0", "is no text"),
    "one line without end": (b"x" * 1_100_000, "no log"),
    "foreign": (b"time,temperature\n1,20\n2,21\n", "it has: time, temperature; say which is which"),
    "prose": (b"hello\nthis is a letter\n", "holds no number with a name"),
    "a header alone": (b"step,d_loss,g_loss\n", "holds no number with a name"),
    "JSON that was cut off": (b'[{"d_loss": 1},\n', "is cut off"),
    "a page for a browser": (b"\n<!DOCTYPE html>\n<p>loss: 3</p>", "page for a browser"),
    "the lines of StyleGAN2-ADA": (b"tick 3 kimg 12.1 time 1m sec/tick 50.2 augment 0.100\n" * 30, "how the game goes"),
    "places alone": (b"step,epoch\n1,1\n2,1\n", "no column that says how"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_log_that_says_nothing_is_refused_in_one_line_with_what_it_has(write, what):
    text, words = REFUSED[what]
    with pytest.raises(DataError, match=words) as refusal:
        read_log(write(text))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("columns", "loss", "words"),
    [
        ({"los_d": "d_loss"}, "", "there is no 'los_d'; did you mean 'loss_d'"),
        ({"loss_d": "errD"}, "", "no such column with numbers; it has: step, d_loss, g_loss"),
        ({}, "hing", "did you mean 'hinge'"),
    ],
)
def test_what_is_asked_for_and_not_there_is_refused_with_what_is(write, columns, loss, words):
    with pytest.raises(ConfigError, match=words):
        read_log(write(STYLES["a table"]), columns, loss)


def test_the_losses_that_can_be_named_are_those_there_are():
    kinds = AnyLoss.__origin__.__args__
    assert set(LOSSES) == {kind.model_fields["kind"].default for kind in kinds}
    assert {"loss_d", "d_real", "step", "signals.diversity"} <= set(FIELDS)


def test_a_log_of_probabilities_is_of_a_cross_entropy_unless_told(write):
    text = printed("[0/5][{n}/1583] Loss_D: {d} Loss_G: {g} D(x): 0.7 D(G(z)): 0.3 / 0.2")
    assert read_log(write(text)).case.loss == "non_saturating"
    assert read_log(write(text), loss="lsgan").case.loss == "least_squares"
    below_0 = printed("[0/5][{n}/1583] Loss_D: -{d} Loss_G: {g} D(x): 0.7 D(G(z)): 0.3 / 0.2")
    assert read_log(write(below_0)).case.loss == ""


def test_d_real_and_d_fake_are_halves_of_a_loss_that_they_add_up_to(write):
    apart = read_log(write("D_loss,D_real,D_fake\n" + printed("{d},0.9,0.2"))).case
    assert "loss_d_real" not in apart.series
    halves = read_log(write("D_loss,D_real,D_fake\n" + "".join(f"{d},{d / 4},{3 * d / 4}\n" for d in D))).case
    assert halves["loss_d_real"].values.tolist() == [d / 4 for d in D]


def test_what_would_let_more_be_judged_is_said(write):
    two = read_log(write("step,D_A,G_A,D_B,G_B\n" + printed("{n},{d},{g},9,9")))
    assert "D_B may be loss_d, too: ask again with --column loss_d=D_B" in two.remarks
    assert "4 lines are too few to tell how a loss goes: from 20 on it can be" in two.remarks
    long = "step,d_loss,g_loss\n" + "".join(f"{i},0.5,1\n" for i in range(30))
    assert any("--loss bce" in remark for remark in read_log(write(long)).remarks)
    assert not any("--loss" in remark for remark in read_log(write(long), loss="hinge").remarks)
