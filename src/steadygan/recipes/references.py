"""One source, and the ways to cite it."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from steadygan.part import Value

_ID = re.compile(r"arXiv:\d{4}\.\d{4,5}|doi:10\.\d+/[-\w./]*\w|isbn:\d{13}|seed:[a-z]+(?:-[a-z]+)*")


class Paper(Value):
    """What is needed to cite one source; the year is that of `venue`, an empty field is not known.

    `id` is arXiv:NUMBER, doi:NAME, isbn:NUMBER, an address, or seed:NAME for the articles the project began with.
    """

    id: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    title: str = ""
    venue: str = ""
    url: str = ""
    form: Literal["inproceedings", "article", "book", "misc"] = "misc"

    def short(self) -> str:
        """As in running text: Kingma and Ba (2015), Radford et al. (2016); the title where no author is known."""
        if not self.authors:
            return f'"{self.title}"' if self.title else self.id
        names = [_family(author) for author in self.authors]
        who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
        return f"{who} ({self.year})" if self.year else who

    def reference(self) -> str:
        """As in a list of references, one line."""
        *others, last = self.authors or ("",)
        who = f"{', '.join(others)} and {last}" if others else last
        dated = f"{who} ({self.year})" if self.year and who else who
        parts = (dated, self.title, self.venue)
        sentences = " ".join(part.rstrip(".") + ("" if part.endswith("?") else ".") for part in parts if part)
        return f"{sentences} {self.url}".strip() if self.title else f"{self.id} {self.url}".strip()

    def key(self) -> str:
        """Its key in BibTeX: kingma2015adam."""
        if not self.authors:
            return re.sub(r"\W+", "_", self.id)
        words = [re.sub(r"\W", "", _plain(word)).lower() for word in self.title.split()]
        first = next(word for word in words if word not in {"a", "an", "on", "the"})
        return f"{_plain(_family(self.authors[0])).lower().replace(' ', '')}{self.year or ''}{first}"

    def bibtex(self) -> str:
        """One BibTeX entry, in UTF-8."""
        home = {"inproceedings": "booktitle", "article": "journal", "book": "publisher"}.get(self.form, "note")
        fields = {
            "author": " and ".join(self.authors),
            "title": f"{{{self.title or self.id}}}",
            home: self.venue,
            "year": str(self.year or ""),
            "url": self.url,
        }
        lines = [f"  {name} = {{{value}}},\n" for name, value in fields.items() if value]
        return f"@{self.form}{{{self.key()},\n{''.join(lines)}}}\n"


def ids_in(text: str) -> list[str]:
    """The ids named in a text, in order, each once; addresses are not taken for sources."""
    return list(dict.fromkeys(_ID.findall(text)))


def address_of(name: str) -> str:
    """Where an id leads; nothing for a book or one of the first articles."""
    scheme, _, rest = name.partition(":")
    homes = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/", "https": "https:"}
    return homes[scheme] + rest if scheme in homes else ""


def _family(author: str) -> str:
    """The family name with its particles: Harm de Vries -> de Vries."""
    found = re.search(r"(?:\b[a-z]+ )*\S+$", author)
    return found[0] if found else author


def _plain(text: str) -> str:
    """Without accents, for keys; ø and ı have no accent to be taken away."""
    letters = unicodedata.normalize("NFKD", text.translate({ord("ø"): "o", ord("ı"): "i"}))
    return letters.encode("ascii", "ignore").decode("ascii")
