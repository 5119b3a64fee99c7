"""docs/techniques.md, recipes.md and rules.md, from the values they describe: `scripts/docs` writes them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from steadygan.config import to_toml
from steadygan.doctor.pages import mistakes_page, rules_page
from steadygan.recipes.by_setting import GROUP
from steadygan.recipes.catalogue import Group, Technique
from steadygan.recipes.choose import RECIPES, choose_recipe, describe
from steadygan.recipes.papers import PAPERS, paper
from steadygan.recipes.references import ids_in
from steadygan.recipes.techniques import GROUPS, families, techniques
from steadygan.recipes.wording import default_of
from steadygan.rundir import atomic_write

_NOTE = "<!-- Written by scripts/docs from the values themselves: change those, then run it again. -->\n"

_TECHNIQUES = """# Techniques

{note}
Every technique is a small value, chosen in a recipe, in Python or on the command line:

```sh
steadygan train photos/ --set loss=hinge --set penalties=r1
steadygan train photos/ --set 'penalties=[{{"kind": "r1", "gamma": 5}}]'
```

A name alone takes the defaults; `{{"kind": NAME, ...}}` says the settings. A list replaces the recipe's list. A number
that may be a schedule takes one in the same form. `steadygan techniques NAME` says what stands here, and
`steadygan cite RUN` which papers a run used.

| group | techniques |
|---|---|
{rows}
{groups}## Sources

{sources}
"""

_RECIPES = """# Recipes

{note}
A recipe is a function that looks at the images, the machine and the budget, and returns a complete configuration.
Below is what each changes in the defaults of `RunConfig()` for 10,000 images of 64 pixels in colour on a processor;
`steadygan recipes NAME` prints all settings, and any can be changed with `--set` or in a file of your own for
`--recipe FILE.toml`.

| recipe | what it is |
|---|---|
{rows}

{recipes}
"""


def techniques_page() -> str:
    """docs/techniques.md."""
    entries = techniques()
    named = {name for entry in entries for name in entry.papers}
    rows = [
        f"| [{group.title}](#{group.title.replace(' ', '-')}) | "
        + ", ".join(f"`{entry.name}`" for entry in _of(group, entries))
        + " |"
        for group in (*GROUPS, GROUP)
    ]
    return _TECHNIQUES.format(
        note=_NOTE,
        rows="\n".join(rows),
        groups="".join(_group(group, _of(group, entries)) for group in (*GROUPS, GROUP)),
        sources="\n".join(f"- {known.reference()}" for known in PAPERS.values() if known.id in named),
    )


def recipes_page() -> str:
    """docs/recipes.md."""
    return _RECIPES.format(
        note=_NOTE,
        rows="\n".join(f"| [`{name}`](#{name}) | {describe(name)} |" for name in RECIPES),
        recipes="\n\n".join(_recipe(name) for name in RECIPES),
    )


def changes(value: BaseModel) -> dict[str, Any]:
    """The settings of a value that are not their defaults, as a file would have them."""
    fields = type(value).model_fields
    given = {name: getattr(value, name) for name in fields if getattr(value, name) != default_of(type(value), name)}
    return {name: _written(part) for name, part in given.items()}


def _written(part: Any) -> Any:
    """A part as a file would have it; one with nothing changed is its name."""
    if isinstance(part, BaseModel):
        changed, kind = changes(part), getattr(part, "kind", None)
        return {"kind": kind, **changed} if kind and changed else kind or changed
    return [_written(item) for item in part] if isinstance(part, tuple) else part


def _recipe(name: str) -> str:
    text = inspect.getdoc(RECIPES[name]) or ""
    toml = to_toml({name: value for name, value in changes(choose_recipe(name)).items() if name != "recipe"}).strip()
    lines = [f"## {name}", "", text, ""]
    lines += [f"```toml\n{toml}\n```" if toml else "It changes nothing: the defaults are its settings."]
    if sources := ids_in(text):
        lines += ["", f"Sources: {_links(sources)}."]
    return "\n".join(lines)


def _of(group: Group, entries: list[Technique]) -> list[Technique]:
    return [entry for entry in entries if entry.group is group]


def _group(group: Group, entries: list[Technique]) -> str:
    names = " or ".join(f"`{seam}`" for seam in group.seams)
    of = [f"`{kind}`" for kind in families(group.seams[0])]
    where = f"Setting: {names}{', of the networks ' if of else ''}{', '.join(of)}."
    return "\n".join([f"## {group.title}", "", f"{group.what} {where}", "", *map(_technique, entries), ""])


def _technique(entry: Technique) -> str:
    settings = [f"`{name}` = {default} ({kinds})" for name, default, kinds in entry.settings]
    facts = {
        "Helps": entry.helps,
        "Hurts": entry.hurts,
        "Settings": "; ".join(settings),
        "Switch on": ", ".join(f"`{switch}`" for switch in entry.switches),
        "Source": _links(entry.papers),
    }
    title = f"### `{entry.name}`{' (off)' if entry.off else ''}"
    text = "\n\n".join(part for part in (title, entry.what, entry.details) if part)
    return "\n".join([text, "", *(f"- {name}: {fact}" for name, fact in facts.items() if fact), ""])


def _links(ids: list[str] | tuple[str, ...]) -> str:
    papers = [paper(name) for name in ids]
    return ", ".join(f"[{known.short()}]({known.url})" if known.url else known.short() for known in papers)


PAGES: dict[str, Callable[[], str]] = {
    "techniques.md": techniques_page,
    "recipes.md": recipes_page,
    "doctor-mistakes.md": lambda: mistakes_page(_NOTE),
    "rules.md": lambda: rules_page(_NOTE),
}


def write(folder: Path) -> None:
    """Write all pages into a folder."""
    for name, page in PAGES.items():
        atomic_write(folder / name, page())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
