"""The update reads like the algorithm box of Goodfellow et al. (2014): short, and no branch about a technique."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

GAME = Path(__file__).resolve().parents[2] / "src" / "steadygan" / "training" / "game.py"
LINES = 30
BRANCHES = ast.If | ast.IfExp | ast.Match | ast.Try


def step(name: str) -> ast.FunctionDef:
    """A method of the class Game."""
    tree = ast.parse(GAME.read_text(encoding="utf-8"))
    [game] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Game"]
    [found] = [node for node in game.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return found


def branches(function: ast.AST) -> list[str]:
    """Statements that choose between ways, and comparisons with None."""
    return [ast.unparse(node) for node in ast.walk(function) if isinstance(node, BRANCHES) or compares_identity(node)]


def compares_identity(node: ast.AST) -> bool:
    return isinstance(node, ast.Compare) and any(isinstance(operator, ast.Is | ast.IsNot) for operator in node.ops)


@pytest.mark.parametrize("name", ["d_step", "g_step"])
def test_a_step_has_at_most_thirty_lines(name: str) -> None:
    function = step(name)
    assert (function.end_lineno or 0) - function.lineno + 1 <= LINES


@pytest.mark.parametrize("name", ["d_step", "g_step"])
def test_a_step_has_no_branch(name: str) -> None:
    assert branches(step(name)) == []


@pytest.mark.parametrize(
    "code",
    ["if self.smooth: x = 1", "x = 1 if self.smooth else 0", "x = penalty is not None", "match kind:\n    case 1: x"],
)
def test_a_branch_would_be_seen(code: str) -> None:
    assert branches(ast.parse(code))
