"""Prompts are files: ``prompts/<name>.md``, with variables in double braces.

A variable that is missing and one that the prompt does not use are both errors, so that a prompt and the code that
fills it can't drift apart unseen.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import paperlora
from paperlora.errors import SettingsError
from paperlora.records import digest

_VARIABLE = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")
_PLACES = (Path(paperlora.__file__).parents[2] / "prompts", Path(paperlora.__file__).parent / "prompts")


class Prompt:
    """The text of one prompt. Equal texts have equal hashes; the hash is part of every cache key."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    @cached_property
    def hash(self) -> str:
        """First 16 hex digits of the text's digest."""
        return digest(self.text)[:16]

    @cached_property
    def variables(self) -> frozenset[str]:
        """Names that :meth:`render` must be given, all of them and no other."""
        return frozenset(_VARIABLE.findall(self.text))

    def render(self, **values: str) -> str:
        """The text with every variable filled in; braces inside a value are left alone.

        Raises:
            SettingsError: a variable is missing, or the prompt does not use one of the values.
        """
        missing, unused = self.variables - values.keys(), values.keys() - self.variables
        if missing or unused:
            said = [f"misses {', '.join(sorted(missing))}"] * bool(missing) + [
                f"does not use {', '.join(sorted(unused))}"
            ] * bool(unused)
            raise SettingsError(
                f"The prompt {self.name} {' and '.join(said)}.",
                f"Correct prompts/{self.name}.md or the code that fills it.",
            )
        return _VARIABLE.sub(lambda match: values[match[1]], self.text)


class Pair(NamedTuple):
    """What a chat model is told once and what it is asked."""

    system: Prompt
    user: Prompt

    @property
    def hash(self) -> str:
        """Of both texts."""
        return digest(self.system.text, self.user.text)[:16]


def load(name: str, folder: Path | None = None) -> Prompt:
    """Read a prompt.

    Args:
        folder: where to look; by default the repository's ``prompts/``.

    Raises:
        SettingsError: there is none of this name, or it is empty.
    """
    for place in (folder,) if folder else _PLACES:
        path = place / f"{name}.md"
        if path.is_file():
            text = path.read_text(encoding="utf-8").strip()
            if not text:
                raise SettingsError(f"{path} is empty.", "Write the prompt, or restore the file.")
            return Prompt(name, text)
    raise SettingsError(f"There is no prompt {name}.", f"Put it at {(folder or _PLACES[0]) / (name + '.md')}.")


def load_pair(name: str, folder: Path | None = None) -> Pair:
    """Read ``<name>_system`` and ``<name>``."""
    return Pair(load(f"{name}_system", folder), load(name, folder))
