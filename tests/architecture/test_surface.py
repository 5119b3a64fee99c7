"""What others rely on: the public names, the modules, the versions and the packages it needs."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
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
    "trackio": "the tests play its part, by its own signatures",
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


def starred(file: Path) -> list[str]:
    """Homes whose public names a file takes as a whole."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    found = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
    return [str(node.module).removeprefix("steadygan.") for node in found]


def test_every_public_name_stands_in_one_home() -> None:
    assert sorted(steadygan.__all__) == sorted(set(steadygan.__all__))


def test_type_checkers_and_editors_know_the_same_names() -> None:
    assert sorted(starred(SOURCE / "__init__.py")) == sorted(steadygan._HOMES)
    assert sorted(starred(SOURCE / "objectives" / "__init__.py")) == sorted(
        home for home in steadygan._HOMES if home.startswith("objectives.")
    )


@pytest.mark.parametrize("home", steadygan._HOMES)
def test_a_home_names_what_is_public_word_for_word(home: str) -> None:
    file = SOURCE / home.replace(".", "/")
    code = (file / "__init__.py" if file.is_dir() else file.with_suffix(".py")).read_text(encoding="utf-8")
    [names] = [
        n.value for n in ast.parse(code).body if isinstance(n, ast.Assign) and ast.unparse(n.targets) == "__all__"
    ]
    assert ast.literal_eval(names) == importlib.import_module(f"steadygan.{home}").__all__


def test_names_that_need_no_torch_load_none() -> None:
    names = "sg.ConfigError, sg.Cosine, sg.Part, sg.Run, sg.compare, sg.prepare"
    code = f"import sys, steadygan as sg; {names}; from steadygan import data; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"


def test_every_public_name_can_be_imported() -> None:
    assert [name for name in steadygan.__all__ if getattr(steadygan, name, None) is None] == []


def test_dir_shows_the_public_names_before_they_are_loaded() -> None:
    assert set(steadygan.__all__) <= set(dir(steadygan))


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = steadygan.no_such_name


def test_every_module_can_be_imported() -> None:
    for module in MODULES:
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
