"""Questions to a real Prometheus, and what an alert's expression looks at before it compares."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
SETS = frozenset({"and", "or", "unless"})


class PrometheusClient:
    """The HTTP API of one Prometheus below ``url``."""

    def __init__(self, url: str, timeout: float = 30) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str, **parameters: str) -> Any:
        """``data`` of an answer. Raises OSError (HTTPError among them) if there is none or it says no."""
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with self._opener.open(address, timeout=self._timeout) as answer:
            return json.load(answer)["data"]

    def now(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has at this moment, each with ``metric`` and ``value``."""
        data = self.get("query", query=expression)
        return [{"metric": {}, "value": data["result"]}] if data["resultType"] == "scalar" else data["result"]

    def value(self, expression: str) -> float:
        """The value of an expression that has one series. Raises ValueError for another number of them."""
        [series] = self.now(expression)
        return float(series["value"][1])

    def operands(self, expression: str) -> list[str]:
        """What an alert compares and combines, each an expression that has data while nothing is the matter."""
        return list(dict.fromkeys(_operands(self.get("parse_query", query=expression))))

    def targets(self, **labels: str) -> dict[str, list[str]]:
        """What is wrong with each target that has the labels, by job; an empty text for one that is up."""
        found: dict[str, list[str]] = {}
        for target in self.get("targets", state="active")["activeTargets"]:
            if not labels.items() <= target["labels"].items():
                continue
            wrong = "" if target["health"] == "up" else target["lastError"] or target["health"]
            found.setdefault(target["labels"]["job"], []).append(wrong)
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with what became of its last evaluation."""
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]


def _operands(node: Any) -> Iterator[str]:
    kind = node["type"]
    if kind == "parenExpr":
        yield from _operands(node["expr"])
    elif kind == "binaryExpr" and (node["op"] in SETS or (node["op"] in COMPARISONS and not node["bool"])):
        yield from _operands(node["lhs"])
        yield from _operands(node["rhs"])
    elif not _is_constant(node):
        yield text_of(node)


def _is_constant(node: Any) -> bool:
    """Numbers, arithmetic on numbers, and ``vector()`` of them."""
    kind = node["type"]
    if kind in {"numberLiteral", "stringLiteral"}:
        return True
    if kind == "binaryExpr":
        return _is_constant(node["lhs"]) and _is_constant(node["rhs"])
    if kind in {"parenExpr", "unaryExpr"}:
        return _is_constant(node["expr"])
    return kind == "call" and node["func"]["name"] == "vector" and _is_constant(node["args"][0])


def text_of(node: Any) -> str:
    """The expression of a node as Prometheus' ``parse_query`` gives it. Raises KeyError for a kind that no rule here uses."""
    return _PRINTERS[node["type"]](node)


def _aggregation(node: Any) -> str:
    grouping = f" {'without' if node['without'] else 'by'} ({', '.join(node['grouping'])}) " if node["grouping"] else ""
    parameter = f"{text_of(node['param'])}, " if node["param"] else ""
    return f"{node['op']}{grouping}({parameter}{text_of(node['expr'])})"


def _binary(node: Any) -> str:
    matching = node["matching"] or {"on": False, "labels": []}
    on = ""
    if matching["on"] or matching["labels"]:
        on = f" {'on' if matching['on'] else 'ignoring'} ({', '.join(matching['labels'])})"
    return f"{text_of(node['lhs'])} {node['op']}{' bool' if node['bool'] else ''}{on} {text_of(node['rhs'])}"


def _selector(node: Any) -> str:
    matchers = ", ".join(f"{m['name']}{m['type']}{json.dumps(m['value'])}" for m in node["matchers"] if m["name"] != "__name__")
    span = f"[{_duration(node['range'])}]" if node["type"] == "matrixSelector" else ""
    return f"{node['name']}{f'{{{matchers}}}' if matchers else ''}{span}"


def _subquery(node: Any) -> str:
    return f"{text_of(node['expr'])}[{_duration(node['range'])}:{_duration(node['step']) if node['step'] else ''}]"


def _duration(milliseconds: int) -> str:
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


_PRINTERS: dict[str, Callable[[Any], str]] = {
    "numberLiteral": lambda node: str(node["val"]),
    "parenExpr": lambda node: f"({text_of(node['expr'])})",
    "call": lambda node: f"{node['func']['name']}({', '.join(map(text_of, node['args']))})",
    "aggregation": _aggregation,
    "binaryExpr": _binary,
    "vectorSelector": _selector,
    "matrixSelector": _selector,
    "subquery": _subquery,
}
