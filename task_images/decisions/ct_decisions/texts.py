"""The words of the reasons, in English and Spanish, with the numbers as each language writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ct_decisions.rules import RULES
from ct_decisions.texts_en import WORDS as ENGLISH_WORDS
from ct_decisions.texts_es import WORDS as SPANISH_WORDS

Number = Callable[[Any], str]

NEED_SUBJECT = ("error_ratio", "log_bias", "unsound_answers", "superiority", "rmse", "relative_error", "baseline", "bias",
                "prd", "prb", "slices", "error_new_homes", "error_real_prices")  # fmt: skip
"""Evidence whose words begin with a verb."""

CHANGES = ("superiority", "rmse", "relative_error", "baseline", "new_batch", "rest", "slices", "error_new_homes",
           "error_real_prices")  # fmt: skip
"""Evidence that is a relative change: below zero is better."""

MOST_DECIMALS = 4

_HEADLINES: Mapping[str, Sequence[str]] = dict(RULES)


def _decimals(share: float) -> int:
    return 0 if share >= 99.95 or share == round(share) else 1 if share >= 1 else 2


@dataclass(frozen=True)
class Texts:
    """One language."""

    words: Mapping[str, Any]
    decimal: str
    thousands: str
    percent_sign: str
    headline_signals: Mapping[str, Sequence[str]] = field(default_factory=lambda: _HEADLINES)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.words[name]
        except KeyError:
            raise AttributeError(name) from None

    def number(self, value: Any, digits: int) -> str:
        """A number with a fixed count of decimals."""
        if value is None:
            return "?"
        text = f"{float(value):,.{digits}f}"
        return text.replace(",", " ").replace(".", self.decimal).replace(" ", self.thousands)

    def whole(self, value: Any) -> str:
        """A count."""
        return self.number(value, 0)

    def percent(self, value: Any) -> str:
        """A share as percent; one decimal below 10, none above."""
        if value is None:
            return "?"
        share = abs(float(value)) * 100
        return self.number(share, _decimals(share)) + self.percent_sign

    def percent_beside(self, value: float, limit: float) -> str:
        """A share as percent, with as many decimals as tell it from a limit that it misses by little."""
        share, other = abs(float(value)) * 100, abs(float(limit)) * 100
        digits = _decimals(share)
        while share != other and round(share, digits) == round(other, digits) and digits < MOST_DECIMALS:
            digits += 1
        return self.number(share, digits) + self.percent_sign

    @staticmethod
    def with_sign(number: Number) -> Number:
        """The same way of writing, with the value's sign."""
        return lambda value: ("−" if float(value) < 0 else "+") + number(value)

    def times(self, value: Any) -> str:
        """A ratio."""
        return self.number(value, 2)

    def signed_number(self, value: Any) -> str:
        """A number with two decimals and, below zero, its sign."""
        return "?" if value is None else ("−" if float(value) < 0 else "") + self.number(abs(float(value)), 2)

    def small(self, value: Any) -> str:
        """A number of any size with two digits that count."""
        return "?" if value is None else f"{float(value):.2g}".replace(".", self.decimal)

    def duration(self, seconds: float | None) -> str:
        """A length of time in the largest unit that it fills twice; None is a time without a limit."""
        if seconds is None:
            return str(self.words["any_time"])
        unit, length = next(((unit, n) for unit, n in (("h", 3600), ("min", 60)) if seconds >= 2 * n), ("s", 1))
        return self.number(seconds / length, 0 if seconds % length == 0 else 1) + f" {unit}"

    def _with_unit(self, digits: int, unit: str) -> Number:
        return lambda value: f"{self.number(value, digits)} {unit}"

    @property
    def _technical(self) -> Mapping[str, Number]:
        """The same for what is measured of the artefact."""
        counts = ("lineage", "identifiers", "signature", "libraries", "loading", "requests", "approval")
        return {
            **dict.fromkeys(counts, self.whole), "load_seconds": self._with_unit(1, "s"),
            "artifact_size": self._with_unit(1, "MB"), "latency": self._with_unit(1, "ms"),
            "memory": self._with_unit(0, "MB"), "serving_latency": self._with_unit(0, "ms"),
            "parity": self.small, "repeatability": self.small,
            "prd": self.times, "prb": self.times, "too_good": self.times,
        }  # fmt: skip

    @property
    def numbers(self) -> Mapping[str, Number]:
        """How each piece of evidence is written, where it is no percentage."""
        return {"error_ratio": self.times, "domain_auc": self.times, "psi": self.times, "wasserstein": self.times,
                "leakage": self.whole, "sound_answers": self.whole, "new_rows": self.whole,
                "log_bias": self._log_percent, "bias": self._log_percent, **self._technical}  # fmt: skip

    def _log_percent(self, value: Any) -> str:
        """A difference of logarithms as a relative difference in percent."""
        from math import expm1

        return self.percent(expm1(float(value))) if value is not None else "?"

    def limit(self, name: str, limit: float, value: float | None) -> str:
        """A limit as it stands beside a value: one of a bias in the value's direction, as percent like the value."""
        if name in ("log_bias", "bias"):
            return self._log_percent(-limit if (value or 0) < 0 else limit)
        return self.numbers.get(name, self.percent)(limit)

    @staticmethod
    def signed(name: str) -> bool:
        """Whether the evidence is a change that has a direction."""
        return name in (*CHANGES, "log_bias", "bias")

    def listing(self, parts: Sequence[str]) -> str:
        """``a``, ``a and b``, ``a, b and c``."""
        if len(parts) <= 1:
            return "".join(parts)
        return f"{', '.join(parts[:-1])} {self.words['and']} {parts[-1]}"


ENGLISH = Texts(ENGLISH_WORDS, decimal=".", thousands=",", percent_sign="%")
SPANISH = Texts(SPANISH_WORDS, decimal=",", thousands=".", percent_sign=" %")
