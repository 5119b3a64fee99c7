from __future__ import annotations

import json

import pytest
import torch

import steadygan as sg
from steadygan.cli.main import main
from steadygan.studies import bench_device


def test_the_peak_is_two_operations_for_each_number_of_a_product(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(bench_device.time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(bench_device, "_MATRIX", 100)
    assert bench_device.matrix_peak_gflops(torch.device("cpu"), "float32") == pytest.approx(2 * 100**3 / 1e9)


def test_the_device_is_described_as_a_run_would_choose_it(monkeypatch, capsys):
    monkeypatch.setattr(bench_device, "_MATRIX", 64)
    with pytest.raises(SystemExit) as left:
        main(["bench", "device", "--device", "cpu"])
    assert not left.value.code
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["device"] == "cpu"
    assert found["machine"]["precision"] in found["matrix_peak_gflops"]
    assert min(found["matrix_peak_gflops"].values()) > 0
    assert found["memory_gib"] > 0.5


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(sg.ConfigError, match="no cuda"):
        bench_device.bench_device("cuda")
