"""Tokens of LaTeX, read from a stack of texts: files that are included, macros that are expanded."""

from __future__ import annotations

import re
from collections import Counter

from paperlora.literature.limits import UnreadableError

MOST_TOKENS = 4_000_000
MOST_PUSHED = 40_000_000
"""Characters of all macros expanded in one paper."""
MOST_CALLS = 100_000
"""Macros expanded in one paper."""
MOST_INCLUSIONS = 30
"""Of one file."""
DEEPEST = 150
"""Texts on the stack: files including files, macros calling macros."""
TOKEN = re.compile(
    r"\\(?:[A-Za-z@]+\*?(?:[ \t]*\n(?![ \t]*\n)[ \t]*|[ \t]+)?|\r?\n|.|$)|%[^\n]*(?:\n[ \t]*(?!\s*\n)|(?=\n)|$)|\s*\n[ \t]*\n\s*|\s+|[{}$&~^_#\[\]]|[^\\%{}$&~^_#\[\]\s]+",
    re.S,
)
PARAGRAPH = "\n\n"


class Tokens:
    """Reads from the topmost text, then from the one below."""

    def __init__(self, text: str, spent: Spent) -> None:
        self._texts: list[str] = [text]
        self._places: list[int] = [0]
        self._names: list[str] = [""]
        self._spent = spent

    def push(self, text: str, name: str = "") -> None:
        """Read this text next.

        Args:
            text: what is read.
            name: of the file or macro that it comes from.
        """
        if len(self._texts) >= DEEPEST:
            raise UnreadableError("too_deep", f"{name or 'a macro'} calls itself without end")
        self._spent.push(len(text))
        while self._texts and self._places[-1] >= len(self._texts[-1]):
            self._pop()
        self._texts.append(text)
        self._places.append(0)
        self._names.append(name)

    def _pop(self) -> None:
        self._texts.pop()
        self._places.pop()
        self._names.pop()

    def next(self) -> str:
        """The next token, comments skipped, white space as one space, an empty line as :data:`PARAGRAPH`; "" at the end.

        White space behind a command's name belongs to the name and goes.
        """
        token = self.raw()
        return token[:-1] if token[-1:] == " " and len(token) > 2 and token[0] == "\\" else token

    def raw(self) -> str:
        """The same with one space kept behind a command's name: for what is put together again."""
        while self._texts:
            match = TOKEN.match(self._texts[-1], self._places[-1])
            if match is None:
                self._pop()
                continue
            self._places[-1] = match.end()
            self._spent.token()
            token = match[0]
            if token[0] == "%":
                continue
            if token[0].isspace():
                return PARAGRAPH if token.count("\n") > 1 else " "
            return token.rstrip() + " " if token[-1].isspace() and len(token) > 2 else token
        return ""

    def back(self, token: str) -> None:
        """Read this token again."""
        if token:
            # Behind a command's name stands a space, so that it doesn't grow together with what follows.
            word = token[0] == "\\" and token[-1].isalpha()
            self._texts.append("\n\n " if token == PARAGRAPH else token + " " * word)
            self._places.append(0)
            self._names.append("")

    def spaces(self) -> str:
        """The next token that is no space."""
        token = self.next()
        while token in (" ", PARAGRAPH):
            token = self.next()
        return token

    def argument(self) -> str:
        """An argument without its braces: a group, or one token."""
        token = self.spaces()
        if token == "{":
            return self._balanced("{", "}")
        if token in ("}", ""):
            self.back(token)
            return ""
        if token[0] not in "\\" and len(token) > 1:
            self.back(token[1:])
        return token if token[0] == "\\" else token[:1]

    def option(self) -> str | None:
        """An optional argument; None where there is none."""
        token = self.next()
        skipped = ""
        while token == " ":
            skipped, token = token, self.next()
        if token == "[":
            return self._balanced("[", "]")
        self.back(token)
        self.back(skipped)
        return None

    def _balanced(self, opening: str, closing: str) -> str:
        parts: list[str] = []
        depth = braces = 0
        while token := self.raw():
            if token == closing and not depth and not braces:
                return "".join(parts)
            if opening == "[":
                braces += (token == "{") - (token == "}")
            if not braces or opening == "{":
                depth += (token == opening) - (token == closing)
            parts.append(token)
        return "".join(parts)

    def until_end(self, name: str) -> str:
        """What stands before the ``\\end{name}`` that belongs here, as tokens joined."""
        parts: list[str] = []
        depth = 0
        while token := self.raw():
            if token.rstrip() in ("\\begin", "\\end"):
                token = token.rstrip()
                inner = self.argument()
                if inner == name and token == "\\end" and not depth:
                    break
                depth += (inner == name) * (1 if token == "\\begin" else -1)
                token += "{" + inner + "}"
            parts.append(token)
        return "".join(parts)

    def until(self, *closing: str) -> str:
        """What stands before one of these tokens, or before the paragraph's end; braces hide them."""
        parts: list[str] = []
        depth = 0
        while token := self.raw():
            if token == PARAGRAPH:
                self.back(token)  # the closing token was forgotten
                break
            if token in closing and depth <= 0:
                break
            depth += (token == "{") - (token == "}")
            parts.append(token)
        return "".join(parts)

    def before_group(self) -> str:
        """What stands before the next ``{``."""
        parts: list[str] = []
        while (token := self.raw()) and token != "{":
            parts.append(token)
        self.back(token)
        return "".join(parts)

    def verbatim(self, end: str) -> str:
        """The characters before ``end`` as they stand, comments and all."""
        while self._texts and self._places[-1] >= len(self._texts[-1]):
            self._pop()
        if not self._texts:
            return ""
        text, start = self._texts[-1], self._places[-1]
        stop = text.find(end, start)
        stop = len(text) if stop < 0 else stop
        self._places[-1] = stop + len(end)
        return text[start:stop]

    def address(self) -> str:
        """A group in which ``%``, ``#`` and ``_`` are characters like any other."""
        if self.spaces() != "{":
            return ""
        text = self.verbatim("}")
        while text.count("{") > text.count("}"):
            text += "}" + self.verbatim("}")
        return text

    def delimited(self) -> str:
        """``|…|`` after ``\\verb``."""
        while self._texts and self._places[-1] >= len(self._texts[-1]):
            self._pop()
        if not self._texts:
            return ""
        mark = self._texts[-1][self._places[-1]]
        self._places[-1] += 1
        return self.verbatim(mark)


class Spent:
    """What reading one paper has cost; shared by all its token readers."""

    def __init__(self) -> None:
        self._tokens = 0
        self._pushed = 0
        self._calls = 0
        self._included: Counter[str] = Counter()

    def include(self, name: str) -> None:
        """One more inclusion of a file; raises UnreadableError ``too_deep``."""
        self._included[name] += 1
        if self._included[name] > MOST_INCLUSIONS:
            raise UnreadableError("too_deep", f"{name} includes itself without end")

    def token(self) -> None:
        """One more; raises UnreadableError ``too_large``."""
        self._tokens += 1
        if self._tokens > MOST_TOKENS:
            raise UnreadableError("too_large", f"more than {MOST_TOKENS} words and commands after expansion")

    def push(self, characters: int) -> None:
        """So many characters of a macro or file; raises UnreadableError ``too_large``."""
        self._pushed += characters
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise UnreadableError("too_deep", f"more than {MOST_CALLS} macros to expand")
        if self._pushed > MOST_PUSHED:
            raise UnreadableError("too_large", f"more than {MOST_PUSHED} characters after expansion")
