"""Two processes on the CPU play one game: the same code path, the same weights on both."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

import steadygan as sg
from readers import read_tensorboard
from steadygan.cli.main import main
from tiny import TINY, fingerprint, set_options

pytestmark = pytest.mark.distributed


def _line(script: list[str], processes: int = 2) -> list[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]  # with its own port
    return [sys.executable, *launcher, *script]


def _launch(script: list[str], processes: int = 2) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_line(script, processes), capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_both_processes_hold_the_same_weights_after_penalties_features_and_batch_norm(tmp_path, pictures):
    script = tmp_path / "both.py"
    script.write_text(
        textwrap.dedent(f"""
        import atexit, hashlib, pathlib
        import torch
        import steadygan as sg
        from steadygan.recipes import configure
        from steadygan.training import run

        make_session = run.make_session

        def keep(*arguments):
            global session
            session = make_session(*arguments)
            return session

        run.make_session = keep

        @atexit.register  # comes after what training registers: a group that outlives Python aborts now and then
        def ended():
            pathlib.Path({str(tmp_path)!r}, f"alone-{{session.runtime.rank}}").write_text(
                str(not torch.distributed.is_initialized())
            )

        settings = {TINY!r} | dict(size=16, budget=dict(steps=6), batch=8)
        settings["runtime"] = settings["runtime"] | dict(precision="bfloat16")
        settings["turns"] = dict(kind="fixed", discriminator=2, generator=1)
        settings["ema"] = dict(half_life_images=0)
        settings["penalties"] = [dict(kind="r1", gamma=1.0, every=2), dict(kind="r2", gamma=1.0)]
        settings["generator_terms"] = [dict(kind="feature_matching", weight=0.1)]
        settings["log"] = settings["log"] | dict(to=["tensorboard"])
        run.train(configure({str(pictures)!r}, "dcgan", settings=settings), pathlib.Path({str(tmp_path / "run")!r}))
        digest = hashlib.sha256()
        for network in session.networks().values():
            for parameter in network.parameters():
                digest.update(parameter.detach().contiguous().numpy().tobytes())
        assert session.runtime.world == 2
        networks = session.networks()
        for follower, leader in zip(networks["average"].parameters(), networks["generator"].parameters()):
            assert torch.equal(follower, leader), "the average lost the generator"
        pathlib.Path({str(tmp_path)!r}, f"digest-{{session.runtime.rank}}").write_text(digest.hexdigest())
        """)
    )
    done = _launch([str(script)])
    assert done.returncode == 0, done.stderr[-3000:]
    digests = [(tmp_path / f"digest-{rank}").read_text() for rank in (0, 1)]
    assert digests[0] == digests[1]
    assert [(tmp_path / f"alone-{rank}").read_text() for rank in (0, 1)] == ["True", "True"]
    run = sg.Run(tmp_path / "run")
    assert run.log()[-1].images == 6 * 2 * 8
    assert len(list((run.path / "tensorboard").iterdir())) == 1  # by the first process alone
    told = read_tensorboard(run.path).numbers["loss/generator"]
    assert [images for images, _ in told] == [tick.images for tick in run.log()]
    assert run.info().device.processes == 2
    assert sg.load(run.path).sample(2).shape == (2, 3, 16, 16)


@pytest.mark.slow
def test_the_command_line_trains_and_resumes_under_torchrun(tmp_path, pictures):
    options = [*set_options(TINY), "--size", "16"]
    out = tmp_path / "run"
    as_long = ["--set", "budget.schedule_images=64"]
    done = _launch(["-m", "steadygan", "train", str(pictures), "-o", str(out), "--steps", "4", *options, *as_long])
    assert done.returncode == 0, done.stderr[-3000:]
    done = _launch(["-m", "steadygan", "resume", str(out), "--steps", "8"])
    assert done.returncode == 0, done.stderr[-3000:]
    assert sg.Run(out).log()[-1].step == 8
    whole = tmp_path / "whole"
    done = _launch(["-m", "steadygan", "train", str(pictures), "-o", str(whole), "--steps", "8", *options])
    assert done.returncode == 0, done.stderr[-3000:]
    prints = [fingerprint(sg.Run(run).files.checkpoint(64)) for run in (out, whole)]
    assert prints[0] == prints[1]


@pytest.mark.slow
def test_processes_start_from_one_run_and_keep_the_same_layers(tmp_path, pictures):
    options = ["--steps", "2", *set_options({**TINY, "penalties": ["r1"]}), "--size", "16"]
    train = ["-m", "steadygan", "train", str(pictures), *options, "-o"]
    done = _launch([*train, str(tmp_path / "source"), "--recipe", "dcgan"])
    assert done.returncode == 0, done.stderr[-3000:]
    start = ["--from", str(tmp_path / "source"), "--set", "freeze.discriminator=1"]
    done = _launch([*train, str(tmp_path / "run"), *start])
    assert done.returncode == 0, done.stderr[-3000:]
    ends = [sg.Run(tmp_path / name).checkpoint("latest").folder for name in ("source", "run")]
    before, now = (load_file(folder / "discriminator.safetensors") for folder in ends)
    same = [name for name in now if torch.equal(before[name], now[name])]
    assert same == [name for name in now if name.startswith("layers.0.")]


@pytest.mark.slow
def test_processes_that_measure_different_speeds_still_agree_when_to_meet(tmp_path, pictures):
    left_open = {name: value for name, value in TINY.items() if name not in ("log", "samples", "checkpoint", "runtime")}
    options = [*set_options(left_open), "--size", "16", "--device", "cpu", "--minutes", "0.05"]
    done = _launch(["-m", "steadygan", "train", str(pictures), "-o", str(tmp_path / "run"), *options])
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("grid") == 1
    assert sg.Run(tmp_path / "run").log()[-1].seconds >= 3


@pytest.mark.slow
def test_processes_of_one_run_are_one_writer_and_share_the_folder_that_the_first_one_claimed(
    tmp_path, pictures, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    line = ["-m", "steadygan", "train", str(pictures), "--recipe", "dcgan", "--steps", "4", *set_options(TINY)]
    for _ in range(2):
        done = _launch([*line, "--size", "16"])
        assert done.returncode == 0, done.stderr[-3000:]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["dcgan-squares-01", "dcgan-squares-02"]


GAME = TINY | {
    "loss": "relativistic",
    "penalties": ["r1"],
    "networks": {"kind": "r3gan", "width": 8, "latent_dim": 8},
    "optimizer": {"generator": "sgd", "discriminator": "sgd"},
}
"""Nothing in it is random but latents, or goes by the batch as a whole; plain descent does not enlarge rounding."""


def _weights(run: Path, images: int) -> torch.Tensor:
    folder = sg.Run(run).files.checkpoint(images)
    tensors = [load_file(folder / f"{part}.safetensors") for part in ("average", "discriminator", "generator")]
    return torch.cat([value.double().flatten() for part in tensors for value in part.values()])


@pytest.mark.slow
def test_two_and_four_processes_play_the_game_of_one(tmp_path, pictures):
    words = ["-m", "steadygan", "train", str(pictures), "--recipe", "dcgan", "--size", "16", *set_options(GAME)]
    for count, seed in ((1, 0), (2, 0), (4, 0), (1, 1)):
        out = ["-o", str(tmp_path / f"{count}-{seed}"), "--steps", "6", "--seed", str(seed)]
        done = _launch([*words, *out], count)
        assert done.returncode == 0, done.stderr[-3000:]
    one, two, four, other = (_weights(tmp_path / name, 48) for name in ("1-0", "2-0", "4-0", "1-1"))
    # sums in another order: some last bits of float32
    torch.testing.assert_close(two, one, rtol=0, atol=2e-6)
    torch.testing.assert_close(four, one, rtol=0, atol=2e-6)
    assert (one - other).abs().max() > 1e-2
    for start, after in ((2, 4), (4, 1)):  # a run goes on with another number of processes
        out = tmp_path / f"{start}-to-{after}"
        assert _launch([*words, "-o", str(out), "--steps", "3"], start).returncode == 0
        done = _launch(["-m", "steadygan", "resume", str(out), "--steps", "6"], after)
        assert done.returncode == 0, done.stderr[-3000:]
        torch.testing.assert_close(_weights(out, 48), one, rtol=0, atol=2e-6)


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others_and_the_run_goes_on_from_its_checkpoint(tmp_path, pictures):
    out = tmp_path / "run"
    words = ["-m", "steadygan", "train", str(pictures), "-o", str(out), "--steps", "100000", *set_options(TINY)]
    process = subprocess.Popen(_line([*words, "--size", "16"]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not sg.Run(out).files.latest.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    ranks = psutil.Process(process.pid).children()
    assert len(ranks) == 2
    ranks[1].kill()
    assert process.wait() != 0
    assert not any(rank.is_running() for rank in ranks)
    steps = sg.Run(out).checkpoint("latest").images // 8
    done = _launch(["-m", "steadygan", "resume", str(out), "--steps", str(steps + 8)])
    assert done.returncode == 0, done.stderr[-3000:]
    assert sg.Run(out).log()[-1].step == steps + 8


def test_a_batch_that_cannot_be_shared_is_refused_in_one_line(tmp_path, pictures, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    for batch, words in (("9", "batch: 9 cannot be shared by 2 processes"), ("1", "batch: ")):
        with pytest.raises(SystemExit) as left:
            main(["train", str(pictures), "-o", str(tmp_path / "r"), "--batch", batch])
        assert left.value.code == 2
        assert words in capsys.readouterr().err
