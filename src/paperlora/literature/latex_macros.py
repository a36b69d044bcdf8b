"""What a paper defines for itself: macros, environments, conditions, colours."""

from __future__ import annotations

import re
from typing import NamedTuple

from paperlora.literature.latex_tokens import Tokens

DEFINING = {
    "newcommand", "renewcommand", "providecommand", "DeclareRobustCommand", "newcommand*", "renewcommand*",
    "providecommand*", "DeclareRobustCommand*",
}  # fmt: skip
DOCUMENT_COMMANDS = {"NewDocumentCommand", "RenewDocumentCommand", "ProvideDocumentCommand", "DeclareDocumentCommand"}
PLAIN_DEFINING = {"def", "gdef", "edef", "xdef"}
OPERATORS = {"DeclareMathOperator", "DeclareMathOperator*"}
_SLOT = re.compile(r"#(\d)")
_NAME = re.compile(r"\\([A-Za-z@]+\*?|.)")
_LIGHT_NUMBERS = {"rgb": 0.78, "gray": 0.78, "RGB": 200.0}
"""From where on every number of a colour model means a colour that vanishes on white paper."""


class Macro(NamedTuple):
    """``\\newcommand{\\name}[arguments][default]{body}``."""

    arguments: int
    default: str | None
    body: str
    optional: tuple[int, ...] = ()
    """Places of further optional arguments (xparse)."""


def _apart(before: str, values: list[str], place: int) -> str:
    """An argument, kept apart from a command's name right before it: ``\\bf#1``."""
    value = values[place] if place < len(values) else ""
    return " " + value if value[:1].isalpha() and re.search(r"\\[A-Za-z@]+$", before[-30:]) else value


class Macros:
    """The definitions that have been read so far."""

    def __init__(self) -> None:
        self._macros: dict[str, Macro] = {}
        self._environments: dict[str, tuple[Macro, str]] = {}
        self.theorems: dict[str, str] = {}
        self.conditions: dict[str, bool] = {"true": True, "false": False}
        self._light = {"white"}

    def define(self, name: str, tokens: Tokens) -> bool:
        """Read a definition that begins with the macro ``name``; False where it begins none."""
        if name in DEFINING:
            self._newcommand(tokens)
        elif name in PLAIN_DEFINING:
            self._def(tokens)
        elif name in DOCUMENT_COMMANDS:
            self._document_command(tokens)
        elif name in OPERATORS:
            target, body = tokens.argument().lstrip("\\"), tokens.argument()
            self._macros[target] = Macro(0, None, f"\\operatorname{{{body}}}")
        elif name in ("newenvironment", "renewenvironment", "newenvironment*"):
            self._newenvironment(tokens)
        elif name in ("newtheorem", "newtheorem*"):
            self._newtheorem(tokens)
        elif name == "let":
            self._let(tokens)
        elif name == "newif":
            self.conditions[tokens.argument().lstrip("\\").removeprefix("if")] = False
        elif name == "definecolor":
            self._definecolor(tokens)
        else:
            return False
        return True

    def __contains__(self, name: str) -> bool:
        return name in self._macros

    def call(self, name: str, tokens: Tokens) -> None:
        """Put a macro's body, its arguments filled in, before what is read next."""
        tokens.push(self._filled(self._macros[name], tokens), f"\\{name}")

    def begin(self, name: str, tokens: Tokens) -> bool:
        """The same for an environment that the paper defined; False where it did not."""
        if name not in self._environments:
            return False
        tokens.push(self._filled(self._environments[name][0], tokens), f"\\begin{{{name}}}")
        return True

    def end(self, name: str, tokens: Tokens) -> bool:
        """The text at its end."""
        if name not in self._environments:
            return False
        tokens.push(self._environments[name][1], f"\\end{{{name}}}")
        return True

    def expand(self, text: str, tokens: Tokens, depth: int = 0) -> str:
        """A formula with the paper's own macros replaced.

        Args:
            text: of the formula.
            tokens: a reader of nothing else, which counts what is spent.
            depth: not used by callers.
        """
        if not any(name in self._macros for name in _NAME.findall(text)):
            return text
        tokens.push(text)
        parts: list[str] = []
        while token := tokens.raw():
            name = token[1:].rstrip()
            if token[0] == "\\" and name in self._macros:
                self.call(name, tokens)
            else:
                parts.append(token)
        return "".join(parts)

    def is_light(self, colour: str) -> bool:
        """Invisible on white paper: white by name, or defined as nearly white."""
        base, _, share = colour.partition("!")
        return base in self._light or (share.split("!")[0].isdigit() and int(share.split("!")[0]) <= 10)

    def _filled(self, macro: Macro, tokens: Tokens) -> str:
        values: list[str] = []
        for place in range(macro.arguments):
            if (place == 0 and macro.default is not None) or place in macro.optional:
                given = tokens.option()
                values.append((macro.default or "") if given is None else given)
            else:
                values.append(tokens.argument())
        return _SLOT.sub(lambda m: _apart(macro.body[: m.start()], values, int(m[1]) - 1), macro.body)

    def _newcommand(self, tokens: Tokens) -> None:
        name = tokens.argument().strip().lstrip("\\")
        count, default = tokens.option(), tokens.option()
        arguments = int(count) if count and count.strip().isdigit() else 0
        body = tokens.argument()
        if name and body.strip() != f"\\{name}":
            self._macros[name] = Macro(min(arguments, 9), default if arguments else None, body)

    def _def(self, tokens: Tokens) -> None:
        name = tokens.argument().lstrip("\\")
        parameters = tokens.before_group()
        body = tokens.argument()
        self._macros[name] = Macro(len(_SLOT.findall(parameters)), None, body)

    def _document_command(self, tokens: Tokens) -> None:
        name, shape, body = tokens.argument().strip().lstrip("\\"), tokens.argument(), tokens.argument()
        letters = [c for c in re.sub(r"\{[^{}]*\}", "", shape) if c in "mooOsr"]
        optional = tuple(n for n, letter in enumerate(letters) if letter in "oO")
        self._macros[name] = Macro(min(len(letters), 9), None, body, optional)

    def _newenvironment(self, tokens: Tokens) -> None:
        name = tokens.argument()
        count, default = tokens.option(), tokens.option()
        arguments = int(count) if count and count.strip().isdigit() else 0
        opening, closing = tokens.argument(), tokens.argument()
        if f"\\begin{{{name}}}" not in opening:
            self._environments[name] = (Macro(min(arguments, 9), default if arguments else None, opening), closing)

    def _newtheorem(self, tokens: Tokens) -> None:
        name = tokens.argument()
        tokens.option()
        self.theorems[name] = tokens.argument()
        tokens.option()

    def _let(self, tokens: Tokens) -> None:
        name, target = tokens.argument().lstrip("\\"), tokens.spaces()
        if target == "=":
            target = tokens.spaces()
        if target.startswith("\\") and target[1:] in self._macros:
            self._macros[name] = self._macros[target[1:]]
        elif target.startswith("\\") and target != f"\\{name}":
            self._macros[name] = Macro(0, None, target)

    def _definecolor(self, tokens: Tokens) -> None:
        name, model, value = tokens.argument(), tokens.argument(), tokens.argument()
        if model == "HTML":
            numbers = [int(value[n : n + 2], 16) for n in (0, 2, 4)] if re.fullmatch(r"[0-9A-Fa-f]{6}", value) else [0]
            light = min(numbers) >= 200
        else:
            parts = value.split(",")
            known = model in _LIGHT_NUMBERS and all(re.fullmatch(r"\s*\d*\.?\d+\s*", part) for part in parts)
            light = known and all(float(part) >= _LIGHT_NUMBERS[model] for part in parts)
        (self._light.add if light else self._light.discard)(name)
