"""What must not stand in the source, and the few places that may, each with its reason."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "steadygan"
FILES = sorted(SOURCE.rglob("*.py"))

Rule = Callable[[ast.AST], bool]

EXECUTES_WHAT_IT_LOADS = {"pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}


def imports(node: ast.AST, packages: set[str]) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    return any(name.split(".")[0] in packages for name in names)


def calls(node: ast.AST, names: set[str]) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) in names


def keyword(node: ast.AST, name: str, value: bool) -> bool:
    """A call with this keyword set to this constant."""
    return isinstance(node, ast.keyword) and node.arg == name and getattr(node.value, "value", None) is value


def torch_load(node: ast.AST) -> bool:
    return calls(node, {"load"}) and ast.unparse(node.func) == "torch.load"  # type: ignore[attr-defined]


RULES: dict[str, Rule] = {
    "pickle": lambda node: imports(node, EXECUTES_WHAT_IT_LOADS),
    "weights_only=False": lambda node: keyword(node, "weights_only", False),
    "allow_pickle=True": lambda node: keyword(node, "allow_pickle", True),
    "torch.load": torch_load,
    "bare except": lambda node: isinstance(node, ast.ExceptHandler) and node.type is None,
    "import_module": lambda node: calls(node, {"import_module", "__import__"}),
    "eval": lambda node: calls(node, {"eval", "exec"}) and isinstance(node.func, ast.Name),
    "torchvision": lambda node: imports(node, {"torchvision"}),
}

ALLOWED = {
    ("__init__.py", "import_module"): "public names are loaded when first used, from a table that stands there",
    ("data/__init__.py", "import_module"): "as the package itself: a process that reads pictures starts faster",
    ("features/weights.py", "torch.load"): "published weights are files of torch; only tensors are read from them",
    ("data/pool.py", "pickle"): "between processes of our own, over a pipe; no file is read with it",
}

READS_THE_DEVICE = {"item", "cpu", "tolist", "numpy"}
MAY_READ_THE_DEVICE = {
    "listeners.py": "once per tick, to write the means down",
    "run.py": "once, for the picture of what the discriminator sees",
    "soap.py": "on Metal alone, which may lack the decompositions, once in some turns",
    "speed.py": "the timing of one layer, before training",
    "snapshot.py": "drawing the labels of pictures, from a table in the memory of the host",
    "sampling.py": "pictures, once per tick",
    "state.py": "what a checkpoint holds",
    "trial.py": "trial steps before training",
    "turns.py": "moderated and balanced turns decide by how the last step went",
}

# What each rule must find; a new rule without an example fails.
EXAMPLES = {
    "pickle": "from pickle import loads",
    "weights_only=False": "torch.load(path, weights_only=False)",
    "allow_pickle=True": "np.load(path, allow_pickle=True)",
    "torch.load": "torch.load(path)",
    "bare except": "try: x\nexcept: x",
    "import_module": "importlib.import_module(name)",
    "eval": "eval(text)",
    "torchvision": "import torchvision.transforms",
}


def found(rule: str, code: str) -> list[int]:
    """Lines of the code that break the rule."""
    return [line for broken, line in all_found(code) if broken == rule]


@cache
def all_found(code: str) -> list[tuple[str, int]]:
    """Each rule that is broken and the line: the source is read once for all rules."""
    nodes = ast.walk(ast.parse(code))
    return [(rule, getattr(node, "lineno", 0)) for node in nodes for rule, breaks in RULES.items() if breaks(node)]


def named(file: Path) -> str:
    return file.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("rule", RULES)
def test_the_source_is_free_of(rule: str) -> None:
    broken = {named(file): lines for file in FILES if (lines := found(rule, file.read_text(encoding="utf-8")))}
    allowed = {file for file, allowance in ALLOWED if allowance == rule}
    assert set(broken) - allowed == set(), broken


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_finds_what_it_forbids(rule: str) -> None:
    assert found(rule, EXAMPLES[rule])
    assert not found(rule, "import json\nx = model.eval()\ny = getattr(x, 'name', None)\n")


@pytest.mark.parametrize(("file", "rule"), ALLOWED)
def test_every_allowance_is_still_needed(file: str, rule: str) -> None:
    assert found(rule, (SOURCE / file).read_text(encoding="utf-8")), "remove it from ALLOWED"


def test_no_file_is_a_drawer_for_all_sorts() -> None:
    drawers = {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"}
    assert [named(file) for file in FILES if file.name in drawers] == []


def device_reads(code: str) -> list[int]:
    """Lines that make the processor wait for the device: .item(), .cpu(), .tolist(), .numpy()."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READS_THE_DEVICE
    ]


def test_training_reads_the_device_only_where_a_reason_is_given() -> None:
    files = sorted((SOURCE / "training").rglob("*.py"))
    reads = {file.name: lines for file in files if (lines := device_reads(file.read_text(encoding="utf-8")))}
    assert set(reads) - set(MAY_READ_THE_DEVICE) == set(), reads
    assert set(MAY_READ_THE_DEVICE) - set(reads) == set(), "these need no allowance any more"


def test_a_device_read_is_seen_and_a_dictionary_is_not() -> None:
    assert device_reads("x = loss.item()") == [1]
    assert device_reads("for name in table.items(): pass") == []
