"""Words and numbers in the person's language, from the catalogue files of each language (``texts/en.toml``, ``en_*.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES: Mapping[str, str] = {"en": "English", "es": "Español"}
DEFAULT_LANGUAGE = "en"


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All texts of a language, by key ("estimate.title"). Raises ValueError for a key that stands in two files."""
    found: dict[str, str] = {}
    for file in sorted(resources.files("ct_dashboard").joinpath("texts").iterdir(), key=lambda file: file.name):
        if file.name != f"{language}.toml" and not (file.name.startswith(f"{language}_") and file.name.endswith(".toml")):
            continue
        for section, texts in tomllib.loads(file.read_text("utf-8")).items():
            for key, text in texts.items():
                if f"{section}.{key}" in found:
                    raise ValueError(f"the text {section}.{key} stands twice in the catalogue of {language}")
                found[f"{section}.{key}"] = text
    return found


@dataclass(frozen=True)
class Text:
    """One language: its texts and how it writes numbers and times."""

    language: str = DEFAULT_LANGUAGE

    def __call__(self, key: str, /, **values: Any) -> str:
        """The text of ``key`` with ``values`` filled in. Raises KeyError if the catalogue has no such key."""
        return catalogue(self.language)[key].format(**values)

    def or_none(self, key: str, /, **values: Any) -> str | None:
        """The same, or None if the catalogue has no such key."""
        return self(key, **values) if key in catalogue(self.language) else None

    @property
    def separators(self) -> str:
        """Of decimals and of thousands, as plotly takes them."""
        return ".," if self.language == "en" else ",."

    def number(self, value: float | None, digits: int = 0) -> str:
        """1234.5 as "1,234.5" or "1.234,5"; a dash for None."""
        if value is None:
            return "–"
        text = f"{value:,.{digits}f}".replace("-", "−")
        return text if self.language == "en" else text.translate(str.maketrans(",.", ".,"))

    def significant(self, value: float | None) -> str:
        """A number whose size is not known beforehand, with about four significant digits."""
        if value is None:
            return "–"
        size = abs(value)
        return self.number(value, 0 if size >= 1000 or value == int(value) else 1 if size >= 100 else 3)

    def money(self, value: float | None) -> str:
        """Dollars, to the nearest hundred from 10,000 on, for no model knows more."""
        if value is None:
            return "–"
        rounded = round(value, -2) if abs(value) >= 10_000 else round(value)
        return f"${self.number(rounded)}" if self.language == "en" else f"US$ {self.number(rounded)}"

    def signed_money(self, value: float) -> str:
        """An amount that is added or taken away: "+$12,300", "−$800"."""
        return ("−" if value < 0 else "+") + self.money(abs(value))

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A signed share: -0.042 as "−4.2%", in Spanish "−4,2 %"."""
        if share is None:
            return "–"
        value = share * 100
        sign = "−" if round(value, digits) < 0 else "+" if round(value, digits) > 0 else ""
        return f"{sign}{self.share(abs(share), digits)}"

    def share(self, share: float | None, digits: int = 0) -> str:
        """A share without a sign: 0.907 as "91%", in Spanish "91 %"."""
        if share is None:
            return "–"
        return f"{self.number(share * 100, digits)}{'%' if self.language == 'en' else ' %'}"

    def short_money(self, value: float) -> str:
        """Dollars for the ticks of an axis: "$250k", "$1.5M"."""
        for size, unit in ((1_000_000, "M"), (1000, "k")):
            if abs(value) >= size:
                return f"${self.number(value / size, 0 if value % size == 0 else 1)}{unit}"
        return f"${self.number(value)}"

    def time(self, moment: datetime | None) -> str:
        """Day and minute in UTC."""
        return "–" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")

    def age(self, since: datetime, now: datetime | None = None) -> str:
        """How long ago, in the largest fitting unit."""
        seconds = max(0.0, ((now or datetime.now(UTC)) - since).total_seconds())
        for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
            if seconds >= length:
                count = int(seconds // length)
                return self(f"age.{unit}" if count != 1 else f"age.one_{unit}", count=count)
        return self("age.now")
