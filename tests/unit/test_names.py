from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from steadygan.errors import ConfigError, DataError
from steadygan.names import exact, from_json, in_utf8, is_utf8, path_of, shown, spelled, to_json


class About(BaseModel):
    name: str
    path: Path = Path()
    number: float = 1.5


NAMES = st.binary(max_size=30).map(lambda data: data.decode("utf-8", "surrogateescape"))


@given(NAMES)
def test_any_name_is_read_back_from_json_to_the_same_bytes(name: str) -> None:
    text = to_json(About(name=name, path=Path(name)))
    text.encode("utf-8")
    again = from_json(About, text)
    assert (os.fsencode(again.name), again.path) == (os.fsencode(name), Path(name))
    assert os.fsencode(json.loads(spelled(json.dumps(name, ensure_ascii=False)))) == os.fsencode(name)


def test_a_record_with_an_ordinary_name_is_written_as_pydantic_writes_it() -> None:
    about = About(name="caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    assert to_json(about) == about.model_dump_json()
    odd = About(name="caf\udce9")
    assert to_json(odd) == r'{"name":"caf\udce9","path":".","number":1.5}'
    assert to_json(odd, exclude_defaults=True) == r'{"name":"caf\udce9"}'
    with pytest.raises(ValueError, match="name"):
        from_json(About, "{}")


@given(st.lists(NAMES, min_size=2, max_size=2, unique=True))
def test_two_names_differ_in_bytes_for_digests(names: list[str]) -> None:
    assert len({exact(name) for name in names}) == 2


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_what_is_shown_is_one_line_of_text(text: str) -> None:
    assert len(shown(text).splitlines()) <= 1
    shown(text).encode("utf-8")
    if text.isprintable():
        assert shown(text) == text


def test_a_message_is_one_line_whatever_name_is_in_it_and_a_list_of_mistakes_several() -> None:
    assert str(DataError("a\nb\udce9\x1b[31m is no image")) == r"a\nb\udce9\x1b[31m is no image"
    assert str(ConfigError("one", "two\n")) == "one\ntwo\\n"


def test_a_tilde_is_a_home_only_where_somebody_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert path_of("~/a") == Path("/somewhere/a")
    for name in ("~nobody-is-called-so", "~nobody-is-called-so/a", "a/~", "-a"):
        assert path_of(name) == Path(name)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_file_of_any_name_can_be_opened_by_one_in_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9")
    with in_utf8(path, "w+b") as named:
        assert is_utf8(named)
        named.write_bytes(b"content")
    with in_utf8(path) as named:
        assert named.read_bytes() == path.read_bytes() == b"content"
    with in_utf8(tmp_path / "plain") as named:
        assert named == tmp_path / "plain"


def test_ipython_shows_an_error_as_a_line_of_its_own_whatever_names_are_in_it():
    assert DataError("a\nb", "c")._render_traceback_() == ["\x1b[31mDataError\x1b[0m: a\\nb\nc"]
