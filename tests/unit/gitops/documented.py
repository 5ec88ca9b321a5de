"""The commands in the documentation, and what is in the way of running them."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONTROL = {";", "&&", "||", "|", "&", "(", ")", "|&"}
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`((?:make|kubectl|continuous-training|python3?|helm|kind|airflow) [^`\n]+)`(?!`)")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def files() -> list[str]:
    """The repository's files, ignored ones left out; of a copy without git, all but those of environments and tools."""
    if (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return [name for name in found if (ROOT / name).is_file()]
    left_out = {".envs", ".tools", ".state", "__pycache__"}
    walked = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return sorted(str(path) for path in walked if not left_out & set(path.parts))


@dataclass(frozen=True)
class Command:
    """One simple command: where it stands, its words without assignments, and whether it is a line to copy."""

    page: str
    words: tuple[str, ...]
    fenced: bool

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def _logical_lines(text: str) -> Iterator[str]:
    """Lines with their continuations: after a backslash, and within quotes."""
    kept = ""
    for line in text.splitlines():
        kept = f"{kept}\n{line}" if kept else line
        if kept.endswith("\\"):
            kept = kept[:-1]
            continue
        try:
            shlex.split(kept, comments=True)
        except ValueError:  # a quote is open
            continue
        yield kept
        kept = ""
    assert not kept, f"a quote is never closed: {kept}"


def split(line: str) -> Iterator[tuple[str, ...]]:
    """The simple commands of a line. `[--x]` stands for something that may be left out, `a|b` for one of both."""
    line = re.sub(r"\[(--[^\]]*)\]", r"\1", line)
    line = re.sub(r"(?<=\w)\|\w+", "", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for token in [*lexer, ";"]:
        if token not in CONTROL:
            words.append(token)
            continue
        while words and (ASSIGNMENT.match(words[0]) or words[0] in {"$", "!"}):
            words = words[1:]
        if words[:1] == ["xargs"]:
            words = words[3:] if words[1] == "-n" else words[1:]
        if words:
            yield tuple(words)
        words = []


def commands() -> list[Command]:
    """Every command of every page: those in blocks for a shell, and those within a sentence."""
    found = []
    for page in PAGES:
        text, name = page.read_text(encoding="utf-8"), str(page.relative_to(ROOT))
        for block in FENCE.findall(text):
            found += [Command(name, words, True) for line in _logical_lines(block) for words in split(line)]
        for code in INLINE.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)):
            try:
                found += [Command(name, words, False) for words in split(code)]
            except ValueError:
                continue
    return found


def scripted() -> list[Command]:
    """Every command of the workflows' steps and of the script that brings the environment `kind` up."""
    texts = {"tests/kind/up": (ROOT / "tests/kind/up").read_text(encoding="utf-8")}
    for path in sorted((ROOT / ".github/workflows").glob("*.yml")):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        texts[path.name] = "\n".join(step.get("run", "") for job in jobs for step in job["steps"])
    found = []
    for name, text in texts.items():
        for line in _logical_lines(text):
            for words in split(line.replace("$(", "( ")):
                own = list(words)
                while own and own[0] in {"if", "then", "until", "else", "do", "{", "!", "wait_for"}:
                    own = own[3:] if own[0] == "wait_for" else own[1:]
                if own:
                    found.append(Command(name, tuple(own), True))
    return found


def flags(words: tuple[str, ...]) -> set[str]:
    """The long options, without their values, up to `--`."""
    own = words[: words.index("--")] if "--" in words else words
    return {word.partition("=")[0] for word in own if word.startswith("--") and len(word) > 2}


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
