"""What every page of ours is made of: one HTML file that needs nothing beside it and reaches out for nothing."""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def document(
    room: str, styles: Sequence[str], scripts: Sequence[str], more: str = "", body: str = "page.html", **given: Any
) -> str:
    """`body` of a room's assets, filled with what is `given`; every text is shown as it is, and none is run.

    Styles and scripts are names of assets, `room/name` for those of another room. What may run or style is named by its
    digest in the page's own Content Security Policy (level 2), which also forbids to load anything; `more` are
    directives that a page needs besides.
    """
    styles, scripts = ([_asset(room, name) for name in names] for names in (styles, scripts))
    policy = f"default-src 'none'; img-src data:; style-src {_digests(styles)}; script-src {_digests(scripts)}; "
    policy += f"{more}base-uri 'none'; form-action 'none'"
    return templates(room).get_template(body).render(styles=styles, scripts=scripts, policy=policy, **given)


def as_json(value: Any) -> str:
    """JSON that any browser reads: no HTML ends or begins in it, every encoding can write it, not finite is null."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), separators=(",", ":"))
    return text.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"})


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def sentence(text: str) -> str:
    """With a capital letter where it begins with a word, not with a setting or a command."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+('s)?([ ,;:]|$)", text) else text


def _digests(texts: Sequence[str]) -> str:
    digests = (b64encode(sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


@lru_cache
def _asset(room: str, name: str) -> str:
    *other, file = name.split("/")
    return files(f"steadygan.{(other or [room])[0]}").joinpath("assets", file).read_text(encoding="utf-8")


@lru_cache
def templates(room: str) -> Environment:
    """The templates among the assets of a room; all that is put into one shows as it is."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(lambda name: _asset(room, name)),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = "{:,}".format
    environment.filters["sentence"] = sentence
    environment.filters["short"] = "{:.4g}".format
    return environment
