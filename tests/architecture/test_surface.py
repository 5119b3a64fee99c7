"""What others rely on: the public names, the modules, the versions and the packages it needs."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest

import steadygan

PROJECT = Path(__file__).resolve().parents[2]
SOURCE = PROJECT / "src" / "steadygan"
FILES = sorted(SOURCE.rglob("*.py"))
MODULES = [".".join(f.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__") for f in FILES]
IMPORTED_AS = {
    "pillow-heif": "pillow_heif",
    "pillow": "PIL",
    "pydantic": "pydantic_core",
    "dlib-bin": "dlib",
    "huggingface-hub": "huggingface_hub",
    "torch-fidelity": "torch_fidelity",
}
WITHOUT_A_LOCK = {
    "torch-fidelity": "scripts/setup installs it alone, since it asks for torchvision",
    "torchvision": "there is no build of it for a processor that goes with the locked torch",
}


def settings() -> dict[str, object]:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def package_names(requirements: object) -> set[str]:
    """Names of packages, as pip compares them, from lines like `torch>=2.6`."""
    assert isinstance(requirements, list)
    return {re.split(r"[<>=!~;\[ ]", line)[0].lower().replace("_", "-") for line in requirements}


def locked() -> dict[str, str]:
    lines = (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def by_case_then_name(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions: the order that ruff keeps in `__all__`."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name


def test_public_names_are_sorted_and_each_stands_there_once() -> None:
    names = list(steadygan.__all__)
    assert names == sorted(set(names), key=by_case_then_name)


@pytest.mark.parametrize("name", steadygan.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(steadygan, name) is not None


def test_dir_shows_the_public_names_before_they_are_loaded() -> None:
    assert set(steadygan.__all__) <= set(dir(steadygan))


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = steadygan.no_such_name


@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported(module: str) -> None:
    if module != "steadygan.__main__":
        importlib.import_module(module)


def test_the_package_says_that_it_is_typed() -> None:
    assert (SOURCE / "py.typed").exists()


def test_the_version_is_the_same_everywhere() -> None:
    citation = (PROJECT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == steadygan.__version__
    assert steadygan.__version__ in (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_package_that_is_asked_for_is_locked_to_a_version() -> None:
    project = settings()
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    wanted = package_names(project["dependencies"]).union(*(package_names(extra) for extra in extras.values()))
    assert wanted - set(locked()) == set(WITHOUT_A_LOCK)


def test_no_locked_version_is_bound_to_one_kind_of_device() -> None:
    assert [name for name, version in locked().items() if "+" in version] == []


def test_every_package_that_is_imported_is_asked_for() -> None:
    project = settings()
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    wanted = package_names(project["dependencies"])
    wanted |= {name for extra, packages in extras.items() if extra != "dev" for name in package_names(packages)}
    wanted |= {IMPORTED_AS.get(name, name) for name in wanted}
    assert imported_packages() - wanted == set()


def imported_packages() -> set[str]:
    """Names of all packages imported anywhere in the source but the standard library."""
    found = set()
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"steadygan"}
