"""`steadygan --help` answers at once: torch stays unloaded until a command needs it."""

from __future__ import annotations

import subprocess
import sys

PARSER = {"annotated_doc", "click", "colorama", "rich", "shellingham", "typer", "typing_extensions"}

LOADED = """
import contextlib, io, sys
from steadygan.cli.main import main
with contextlib.redirect_stdout(io.StringIO()) as shown:
    try:
        main(["--help"])
    except SystemExit as end:
        assert not end.code, end.code
assert "train" in shown.getvalue()
{extra}
print("torch" in sys.modules)
"""


def torch_is_loaded(extra: str = "") -> str:
    code = LOADED.format(extra=extra)
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_help_loads_no_torch() -> None:
    assert torch_is_loaded() == "False"


def test_help_that_loaded_torch_would_be_noticed() -> None:
    assert torch_is_loaded("import steadygan.ops.images") == "True"


def test_help_loads_little_else() -> None:
    """Help comes at once because it loads the parser and nothing of what the work needs."""
    code = LOADED.format(extra="print(*sys.modules)")
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    modules = shown.splitlines()[-2].split()
    bare = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], check=True, capture_output=True)
    packages = {name.partition(".")[0] for name in set(modules) - set(bare.stdout.decode().split())}
    assert packages - set(sys.stdlib_module_names) <= PARSER | {"steadygan"}
    assert len(modules) < 400, "about 150 of them"
