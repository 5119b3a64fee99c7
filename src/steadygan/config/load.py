"""From files and `--set a.b=c` to a checked configuration, or to one message naming every mistake."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from steadygan.errors import ConfigError, reason

M = TypeVar("M", bound=BaseModel)
Tree = dict[str, Any]

_LONGEST = 200  # of what was given, as a message repeats it
_TAGS = {"number"}  # of unions with members that are no models; no names of settings


def read_toml(path: Path) -> Tree:
    """Settings from a TOML file; ConfigError names the file, and the line where the syntax is wrong."""
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"cannot read the recipe file {path}: it is no ordinary file; choose another path")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ConfigError(f"cannot read the recipe file {path}: {reason(problem)}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} is not valid TOML: {problem}") from problem


def parse_assignment(text: str) -> Tree:
    """`a.b.c=value` as a nested dict; the value is JSON or TOML (a number, true, a list, a table), else the text."""
    path, equals, value = text.partition("=")
    names = [name.strip() for name in path.split(".")]
    if not equals or not all(names):
        raise ConfigError(f"--set {text}: write it as --set name.of.setting=value")
    return nested(names, _value(value.strip()))


def nested(names: Sequence[str], value: Any) -> Tree:
    """A value where these names, one or more, lead to it."""
    for name in reversed(names):
        value = {name: value}
    tree: Tree = value
    return tree


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def merge(base: Mapping[str, Any], *others: Mapping[str, Any]) -> Tree:
    """Nested dicts laid over each other, later ones win; a part of another `kind` replaces the earlier part whole."""
    result = dict(base)
    for other in others:
        for name, value in other.items():
            old = result.get(name)
            if isinstance(old, Mapping) and isinstance(value, Mapping):
                same = value.get("kind", old.get("kind")) == old.get("kind")
                result[name] = merge(old, value) if same else value
            else:
                result[name] = value
    return result


def resolve(model: type[M], *layers: Mapping[str, Any]) -> M:
    """Check the merged layers against `model`; ConfigError lists every problem, one line each."""
    try:
        return model.model_validate(merge({}, *layers))
    except ValidationError as problem:
        raise ConfigError(*explain(model, problem).split("\n")) from problem


def explain(model: type[BaseModel], problem: ValidationError) -> str:
    """What pydantic found wrong, in the user's words, one line each."""
    sentences = (_sentence(model, error) for error in problem.errors())
    return "\n".join(dict.fromkeys(" ".join(sentence.splitlines()) for sentence in sentences))


def explain_any(problem: ValidationError) -> str:
    """As `explain`, of whatever model refused, which is named."""
    kinds = [BaseModel]
    for kind in kinds:
        kinds += kind.__subclasses__()
    model = next((kind for kind in kinds if kind.__name__ == problem.title), BaseModel)
    return "\n".join(f"{problem.title}: {line}" for line in explain(model, problem).splitlines())


def _sentence(model: type[BaseModel], error: ErrorDetails) -> str:
    """One pydantic error in the user's words: the dotted path, what is wrong, and the nearest valid name."""
    path, owners = _place(model, error["loc"])
    given = _repeated(error["input"])
    match error["type"]:
        case "extra_forbidden":
            names = [name for owner in owners for name in owner.model_fields]
            return f"{path}: no such setting{nearest(str(error['loc'][-1]), names)}"
        case "union_tag_invalid" if error["ctx"]["tag"] != "None":
            tag, kinds = error["ctx"]["tag"], error["ctx"]["expected_tags"].replace("'", "").split(", ")
            return f"{path}.kind: '{tag}' is not one of {', '.join(kinds)}{nearest(str(tag), kinds)}"
        case "union_tag_invalid" | "union_tag_not_found" | "model_type" | "model_attributes_type":
            return f"{path}: name the part, as in {path}.kind=NAME, got {given}"
        case "literal_error":
            return f"{path}: {given} is not one of {error['ctx']['expected']}"
        case "value_error":
            return f"{path}: {error['ctx']['error']}" if path else str(error["ctx"]["error"])
        case _:
            return f"{path}: {error['msg'][0].lower()}{error['msg'][1:]}, got {given}"


def _repeated(value: object) -> str:
    """How a message repeats what was given."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _place(model: type[BaseModel], location: tuple[str | int, ...]) -> tuple[str, list[type[BaseModel]]]:
    """The dotted path a user would write, and the models that own its last name.

    pydantic puts the `kind` of a chosen part into the location; that is no name of a setting and is left out.
    """
    path, owners, inside = "", [model], [model]
    for part in location:
        chosen = [m for m in inside if "kind" in m.model_fields and m.model_fields["kind"].default == part]
        if isinstance(part, int):
            path += f"[{part}]"
        elif chosen:
            inside = chosen
        elif part in _TAGS:
            continue
        else:
            path += f".{part}"
            owners = inside
            inside = [n for m in inside if part in m.model_fields for n in _models(m.model_fields[part].annotation)]
    return path.lstrip("."), owners


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The end of a sentence that refuses a name: which of the candidates was meant, if one is near."""
    close = difflib.get_close_matches(name, list(candidates), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models named in an annotation, however deep in unions, tuples and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and get_origin(annotation) is None:
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
