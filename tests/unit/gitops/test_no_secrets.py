"""Nothing secret is in git: neither a file that is made for secrets, nor a text that looks like one."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from documented import files

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
FILES = [ROOT / name for name in files()]
NAMES = re.compile(
    r"(^|/)(\.env(\..*)?|.*\.(pem|key|p12|pfx|jks|kubeconfig)|id_(rsa|ed25519)|kubeconfig|\.netrc|\.pypirc|\.htpasswd)$"
)
# Words that services give their tokens, so that they are found when they leak.
TOKENS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n|\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_\w{60,}"
    r"|\bdckr_(pat|oat)_[\w-]{20,}|\bpypi-AgE\w{50,}|\bglpat-[\w-]{20}\b|\bxox[abpr]-[\w-]{20,}|\bhf_[A-Za-z0-9]{34}\b"
    r"|\beyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}"
)
SECRET_KEY = re.compile(r"(?i)(password|passwd|secret_?key|token|api_?key|private_?key)$")


def test_no_file_is_one_for_secrets():
    assert len(FILES) > 500
    assert [str(file) for file in FILES if NAMES.search(str(file.relative_to(ROOT)))] == []


@pytest.mark.parametrize("name", [".env", "deploy/.env.production", "tls.key", "kubeconfig", "home/id_ed25519"])
def test_such_a_file_would_be_seen_and_git_leaves_the_usual_one_out(name):
    assert NAMES.search(name)
    assert {".env", ".env.*"} <= set((ROOT / ".gitignore").read_text().splitlines())


def test_no_text_looks_like_a_token():
    for file in FILES:
        if file.suffix not in {".png", ".parquet", ".gz"}:
            found = TOKENS.search(file.read_text(encoding="utf-8", errors="replace"))
            assert not found, f"{file.relative_to(ROOT)}: {found[0][:12] if found else ''}"


@pytest.mark.parametrize(
    "text", ["AKIA" + "A" * 16, "ghp_" + "a" * 36, "dckr_pat_" + "a" * 24, "-----BEGIN " + "PRIVATE KEY-----\n"]
)
def test_a_token_would_be_seen(text):
    assert TOKENS.search(text)


def leaves(value, path=()):
    """Every scalar of a YAML document with its path."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, (*path, str(key)))
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one, path)
    else:
        yield path, value


def test_no_value_of_a_chart_or_an_environment_is_a_password():
    files = [*(ROOT / "helm").glob("*/values.yaml"), *(ROOT / "argocd-apps").rglob("*.yaml")]
    looked = 0
    for file in files:
        if "templates" in file.parts or file.name == "root.yaml":
            continue
        for document in yaml.safe_load_all(file.read_text()):
            for path, value in leaves(document):
                looked += 1
                if path and SECRET_KEY.search(path[-1]):
                    assert value in ("", None), f"{file.relative_to(ROOT)}: {'.'.join(path)}"
    assert looked > 300
