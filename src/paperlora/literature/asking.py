"""A question to a source, and its answer as a value."""

from __future__ import annotations

import json as json_text
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from paperlora.errors import SourceAnswerInvalid
from paperlora.literature.polite import Answer, Polite

T = TypeVar("T")


def ask(
    polite: Polite,
    url: str,
    parameters: Mapping[str, str],
    read: Callable[[bytes], T],
    headers: Mapping[str, str] | None = None,
    json: Any = None,
) -> T:
    """What ``read`` makes of the answer; it is asked for again where ``read`` finds that it can't be one.

    Args:
        read: raises SourceAnswerInvalid for a body that is no answer.
        json: sent by POST; None for GET.

    Raises:
        SourceError: after the last attempt.
    """
    taken: list[T] = []

    def check(answer: Answer) -> None:
        taken[:] = [read(answer.body)]

    if json is None:
        polite.get(url, parameters, headers=headers, check=check)
    else:
        polite.post(url, json, parameters, headers=headers, check=check)
    return taken[0]


def json_body(content: bytes, source: str) -> Any:
    """The value of a JSON answer.

    Raises:
        SourceAnswerInvalid: no whole JSON.
    """
    try:
        return json_text.loads(content)
    except ValueError as error:
        raise SourceAnswerInvalid(f"{source} sends no whole JSON: {error}.") from error


def xml_root(content: bytes, source: str) -> Any:
    """The root of an XML answer. Entities and external references are refused: no answer needs them, bombs do.

    Raises:
        SourceAnswerInvalid: no whole XML, or one with entities of its own.
    """
    try:
        return fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException) as error:
        raise SourceAnswerInvalid(f"{source} sends no whole feed: {error}.") from error
