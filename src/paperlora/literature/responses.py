"""One cache of responses in the store: what was asked (without any secret), and what came."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from pydantic import SecretStr

from paperlora.errors import StoreError
from paperlora.records import digest
from paperlora.settings import SECRETS, Settings
from paperlora.store import Store, read_manifest, write_json

KIND = "responses"
BODY, HEAD = "body", "answer.json"
KEPT_HEADERS = ("content-type", "date", "etag", "last-modified")


class Asked(NamedTuple):
    """A request, without its headers."""

    method: str
    url: str
    params: dict[str, str]
    json: Any
    """Body; None for none."""


class Answer(NamedTuple):
    """What a source answered."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters; a kept answer has the few that describe its body."""
    body: bytes
    url: str
    """Where it came from after redirects, without secrets."""
    cached: bool
    """It was not asked for this time."""


class Responses:
    """Good answers by what was asked: method, address, parameters and body, in which no secret takes part.

    Args:
        secrets: values that neither a key nor a kept answer may hold.
    """

    def __init__(self, store: Store, secrets: Sequence[str]) -> None:
        self._store, self._secrets = store, tuple(secrets)

    def find(self, asked: Asked, kept_for: float) -> Answer | None:
        """The kept answer, unless it is older than so many seconds or damaged."""
        key = self._key(asked)
        try:
            if not self._store.has(KIND, key) or self._age(key) > kept_for:
                return None
            folder = self._store.folder(KIND, key)
            head = json.loads((folder / HEAD).read_text(encoding="utf-8"))
            body = (folder / BODY).read_bytes()
        except (StoreError, OSError, ValueError):  # altered, or just being replaced: it is asked for again
            return None
        return Answer(head["status"], head["headers"], body, head["url"], cached=True)

    def keep(self, asked: Asked, answer: Answer) -> None:
        """Keep a good answer in place of an older one; one that holds a secret is not kept."""
        if any(secret.encode() in answer.body for secret in self._secrets):
            return
        key = self._key(asked)
        self._store.remove(KIND, key)
        headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
        with self._store.writing(KIND, key) as draft:
            (draft.path / BODY).write_bytes(answer.body)
            write_json(draft.path / HEAD, {"status": answer.status, "headers": headers, "url": answer.url})
            draft.counts = {"bytes": len(answer.body)}

    def _age(self, key: str) -> float:
        created = read_manifest(self._store.uri(KIND, key)).created
        return (datetime.now(UTC) - created).total_seconds()

    def _key(self, asked: Asked) -> str:
        plain = json.dumps([asked.method, asked.url, sorted(asked.params.items()), asked.json], sort_keys=True)
        for secret in self._secrets:
            for written in (json.dumps(secret)[1:-1], quote(secret, safe="")):
                plain = plain.replace(written, "")
        return digest(plain)[:32]


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every secret that is set."""
    found = []
    for name in SECRETS:
        value: Any = settings
        for part in name.split("."):
            value = getattr(value, part)
        if isinstance(value, SecretStr) and value.get_secret_value():
            found.append(value.get_secret_value())
    return tuple(found)
