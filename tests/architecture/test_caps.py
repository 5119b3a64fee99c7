"""Nothing grows beyond what can be read at one sitting."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "steadygan"
FILES = sorted(SOURCE.rglob("*.py"))

FILE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 8
ARMS = 3

MANY_PARAMETERS_ALLOWED = {"cli": "an option of a command is a parameter of its function"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def too_long(code: str) -> list[str]:
    lines = code.count("\n")
    return [f"{lines} lines, more than {FILE_LINES}"] if lines > FILE_LINES else []


def long_functions(tree: ast.AST) -> list[str]:
    return [
        f"line {node.lineno}: {node.name} has {lines} lines, more than {FUNCTION_LINES}"
        for node in ast.walk(tree)
        if isinstance(node, Function) and (lines := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    ]


def many_parameters(tree: ast.AST) -> list[str]:
    return [
        f"line {node.lineno}: {node.name} has {len(names)} parameters, more than {PARAMETERS}"
        for node in ast.walk(tree)
        if isinstance(node, Function) and len(names := parameters(node)) > PARAMETERS
    ]


def parameters(node: Function) -> list[str]:
    found = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return [name for name in found if name not in ("self", "cls")]


def towers(tree: ast.AST) -> list[str]:
    """Chains of if and elif with more than ARMS conditions."""
    return [
        f"line {node.lineno}: {arms} arms, more than {ARMS}; a table or a method of each kind says it better"
        for node, arms in chains(tree)
        if arms > ARMS
    ]


def chains(tree: ast.AST) -> Iterator[tuple[ast.stmt, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If):
            arms, rest = 1, node.orelse
            while len(rest) == 1 and isinstance(rest[0], ast.If):
                arms, rest = arms + 1, rest[0].orelse
            yield node, arms


def beyond(file: Path) -> list[str]:
    code = file.read_text(encoding="utf-8")
    tree = ast.parse(code)
    room = file.relative_to(SOURCE).parts[0]
    wide = [] if room in MANY_PARAMETERS_ALLOWED else many_parameters(tree)
    return too_long(code) + long_functions(tree) + wide + towers(tree)


def test_every_file_keeps_the_caps() -> None:
    assert {str(file.relative_to(SOURCE)): found for file in FILES if (found := beyond(file))} == {}


def test_a_file_of_401_lines_is_seen() -> None:
    assert not too_long("x = 1\n" * 400)
    assert too_long("x = 1\n" * 401)


def test_a_function_of_61_lines_is_seen() -> None:
    assert not long_functions(ast.parse("def f():\n" + "    x = 1\n" * 59))
    assert long_functions(ast.parse("def f():\n" + "    x = 1\n" * 60))
    assert long_functions(ast.parse("class A:\n    async def f(self):\n" + "        x = 1\n" * 60))


def test_a_function_of_nine_parameters_is_seen() -> None:
    assert not many_parameters(ast.parse("def f(self, a, b, c, d, /, e, f, *g, h=1, i=2, **k): ..."))
    assert many_parameters(ast.parse("def f(a, b, c, d, /, e, f, *, g, h, i): ..."))


@pytest.mark.parametrize(
    "code",
    [
        "if a: x\nelif b: x\nelif c: x\nelif d: x",
        "if a: x\nelse:\n    if b: x\n    else:\n        if c: x\n        elif d: x",
    ],
)
def test_a_tower_of_four_arms_is_seen(code: str) -> None:
    assert towers(ast.parse(code))


def test_three_conditions_and_a_default_are_no_tower() -> None:
    assert not towers(ast.parse("if a: x\nelif b: x\nelif c: x\nelse: x\nif d: x"))
