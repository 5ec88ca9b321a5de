"""Make the secrets that are missing in this cluster: ``python generate.py secrets.json``.

The file maps each secret to its keys, and each key to a text in which ``{name}`` stands for a generated password. All
passwords are kept in the secret ``passwords``, so a secret that somebody removed comes back with the same ones. What exists is
never changed; a password that a newer release needs is added. Needs Python's standard library and a service account that may
create secrets, get these, and patch ``passwords``.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PASSWORDS = "passwords"
PLACE = re.compile(r"\{([a-z_]+)\}")


class Cluster:
    """The API server, as the pod's own service account. ``address`` is its URL, ``namespace`` the pod's own."""

    def __init__(self, address: str, namespace: str, account: Path = ACCOUNT) -> None:
        self.namespace = namespace
        self._address = address
        self._token = (account / "token").read_text()
        self._tls = ssl.create_default_context(cafile=str(account / "ca.crt")) if address.startswith("https:") else None

    def get(self, namespace: str, name: str) -> dict[str, str] | None:
        """The decoded keys of a secret; None if there is none. Raises urllib.error.HTTPError for any other refusal."""
        try:
            found = self._ask("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return {key: base64.b64decode(value).decode() for key, value in found.get("data", {}).items()}

    def create(self, namespace: str, name: str, data: Mapping[str, str]) -> bool:
        """Make a secret; False if it exists by now. Raises urllib.error.HTTPError for any other refusal."""
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "continuous-training"}},
            "stringData": dict(data),
        }
        try:
            self._ask("POST", f"/api/v1/namespaces/{namespace}/secrets", body)
        except urllib.error.HTTPError as error:
            if error.code == 409:
                return False
            raise
        return True

    def add(self, namespace: str, name: str, data: Mapping[str, str]) -> None:
        """Add keys to a secret. Raises urllib.error.HTTPError for any refusal."""
        self._ask("PATCH", f"/api/v1/namespaces/{namespace}/secrets/{name}", {"stringData": dict(data)})

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(  # noqa: S310 - the address is the API server's
            self._address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": content},
        )
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self._tls is not None:
            handlers.append(urllib.request.HTTPSHandler(context=self._tls))
        with urllib.request.build_opener(*handlers).open(request, timeout=30) as answer:
            return json.load(answer)


def password(name: str) -> str:
    """A new password: 24 random bytes; a Fernet key, 32 bytes in its own encoding, for the name ``fernet``."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode() if name == "fernet" else secrets.token_urlsafe(24)


def fill(template: str, passwords: Mapping[str, str]) -> str:
    """The template with its passwords. Raises KeyError for one that does not exist."""
    return PLACE.sub(lambda place: passwords[place[1]], template)


def generate(cluster: Cluster, table: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Make what is missing; the names of what was made."""
    wanted = sorted({place[1] for keys in table.values() for text in keys.values() for place in PLACE.finditer(text)})
    made = []
    if cluster.create(cluster.namespace, PASSWORDS, {name: password(name) for name in wanted}):
        made.append(PASSWORDS)
    kept = cluster.get(cluster.namespace, PASSWORDS) or {}
    if new := {name: password(name) for name in wanted if name not in kept}:
        cluster.add(cluster.namespace, PASSWORDS, new)
        made.extend(f"{PASSWORDS}/{name}" for name in new)
        kept |= new
    for address, keys in table.items():
        namespace, _, name = address.rpartition("/")
        namespace = namespace or cluster.namespace
        if cluster.get(namespace, name) is None and cluster.create(
            namespace, name, {key: fill(text, kept) for key, text in keys.items()}
        ):
            made.append(address)
    return made


def main() -> None:
    """Read the table, make what is missing and say so, by name only."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    cluster = Cluster(f"https://{f'[{host}]' if ':' in host else host}:{port}", os.environ["POD_NAMESPACE"])
    made = generate(cluster, json.loads(Path(sys.argv[1]).read_text()))
    print(f"made {', '.join(made)}" if made else "every secret is there already")


if __name__ == "__main__":
    main()
