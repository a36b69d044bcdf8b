"""Reads LaTeX as somebody who reads the printed paper would: commands to text, floats and notes apart."""

from __future__ import annotations

from collections.abc import Mapping

from paperlora.literature import latex_names as names
from paperlora.literature.flow import Flow, spell
from paperlora.literature.latex_commands import SPECIAL
from paperlora.literature.latex_macros import Macros
from paperlora.literature.latex_references import Bibliography, Numbers, bibliography_items
from paperlora.literature.latex_tokens import PARAGRAPH, Spent, Tokens
from paperlora.literature.limits import UnreadableError
from paperlora.literature.math_text import SYMBOLS, tex_to_text

DEEPEST = 40
"""Notes in captions in tables …"""
_PROTECTED = {
    *names.HEADINGS, *names.RUN_IN, *names.CITES, *names.REFERENCES, "title", "author", "caption", "item", "begin", "end", "label", "maketitle",
    "input", "include", "footnote", "thanks", "bibliography", "appendix", "and",
}  # fmt: skip
"""Structure: what a paper redefines here concerns its looks."""


class Paper:
    """What is known of one paper, shared by all writers."""

    def __init__(self, files: Mapping[str, str], bibliography: str) -> None:
        self.files = files
        self.bibliography = bibliography
        self.macros = Macros()
        self.numbers = Numbers()
        self.flow = Flow()
        self.spent = Spent()
        self.in_body = False
        self.ended = False
        self._labels: Bibliography | None = None

    @property
    def labels(self) -> Bibliography:
        """Of the works cited; an inline bibliography at the paper's end counts too."""
        if self._labels is None:
            inline = [
                text for text in self.files.values() if "\\begin{thebibliography}" in text and "\\bibitem" in text
            ]
            text = self.bibliography or max(inline, key=len, default="")
            self._labels = Bibliography(text, lambda raw: spell(Writer(self, raw, inner=True).run()))
        return self._labels


class Writer:
    """Turns the tokens of one text into paragraphs; an inner one returns them as a line.

    Args:
        paper: what is shared.
        text: LaTeX.
        name: of the file.
        inner: for an argument: nothing is written to the document but what is left out of it.
        cells: inside a table: ``&`` and ``\\\\`` part cells and rows.
        counter: of the float that it is in.
        depth: of writers in writers.
        framed: on a coloured ground, where white letters are seen.
    """

    def __init__(
        self, paper: Paper, text: str, name: str = "", *, inner: bool = False, cells: bool = False, counter: str = "", depth: int = 0,
        framed: bool = False,
    ) -> None:  # fmt: skip
        if depth > DEEPEST:
            raise UnreadableError("too_deep", "its arguments are nested without end")
        self.paper, self.tokens = paper, Tokens("", paper.spent)
        self.tokens.push(text, name)
        self.inner, self.cells, self.counter, self.depth = inner, cells, counter, depth
        self.words: list[str] = []
        self._unseen: list[str] = []
        self.groups = [(False, framed)]
        """Hidden, framed: of each open group."""
        self.lists: list[int | None] = []

    def run(self) -> str:
        """Read all; the text of an inner writer."""
        while not self.paper.ended and (token := self.tokens.next()):
            self._token(token)
        self._reveal()
        if not self.inner:
            self.flush()
        return "".join(self.words)

    def _token(self, token: str) -> None:
        if token[0] == "\\" and len(token) > 1:
            self._command(token[1:])
        elif token == PARAGRAPH:
            self.flush()
        elif token == "{":
            self.groups.append(self.groups[-1])
        elif token == "}":
            self.close()
        elif token == "$":
            self._dollar()
        elif token == "&":
            self.emit(" | " if self.cells else " ")
        else:
            self.emit(" " if token == "~" else _typed(token))

    def emit(self, text: str) -> None:
        """Add to the paragraph, or to what is hidden."""
        (self._unseen if self.groups[-1][0] else self.words).append(text)

    def flush(self) -> None:
        """A paragraph ends."""
        if self.inner:
            self.emit(" ")
            return
        text, self.words = "".join(self.words), []
        if self.paper.in_body:
            self.paper.flow.paragraph(text)

    def close(self) -> None:
        """A group ends."""
        hidden = self.groups[-1][0]
        if len(self.groups) > 1:
            self.groups.pop()
        if hidden and not self.groups[-1][0]:
            self._reveal()

    def _reveal(self) -> None:
        self.paper.flow.leave("hidden", "".join(self._unseen))
        self._unseen = []

    def rendered(self, text: str, *, cells: bool = False, counter: str = "", framed: bool = False) -> str:
        """An argument as text; see the class for the options."""
        framed = framed or self.groups[-1][1]
        return Writer(
            self.paper, text, inner=True, cells=cells, counter=counter, depth=self.depth + 1, framed=framed
        ).run()

    def line(self) -> str:
        """The next argument as text."""
        return spell(self.rendered(self.tokens.argument()))

    def formula(self, tex: str) -> str:
        """A formula as text, the paper's macros replaced."""
        return tex_to_text(self.paper.macros.expand(tex, Tokens("", self.paper.spent)))

    def _command(self, name: str) -> None:
        macros = self.paper.macros
        if name in macros and name not in _PROTECTED:
            macros.call(name, self.tokens)
        elif special := SPECIAL.get(name):
            special(self, name)
        elif macros.define(name, self.tokens) or self._condition(name):
            return
        elif name in names.DROPPED:
            self.drop(names.DROPPED[name])
        elif name in names.WORDS:
            self._word(names.WORDS[name])
        elif name in names.ACCENTS:
            self._accent(names.ACCENTS[name])
        elif name.endswith("*") and len(name) > 1:
            self._command(name[:-1])
        elif name in SYMBOLS:
            self.emit(SYMBOLS[name])

    def _word(self, text: str) -> None:
        if text == PARAGRAPH:
            self.flush()
        else:
            self.emit(text)

    def drop(self, arguments: int) -> None:
        """Skip so many arguments and the options around them."""
        while self.tokens.option() is not None:
            continue
        for _ in range(arguments):
            self.tokens.argument()
            while arguments > 1 and self.tokens.option() is not None:
                continue

    def _accent(self, mark: str) -> None:
        base = self.tokens.argument().strip()
        letter = {"\\i": "i", "\\j": "j"}.get(base, base)
        self.emit(letter[:1] + mark + letter[1:] if letter[:1].isalpha() else self.rendered(letter))

    def _condition(self, name: str) -> bool:
        """``\\if… \\else … \\fi``; a condition that can't be known here is false."""
        conditions = self.paper.macros.conditions
        for word, value in (("true", True), ("false", False)):
            if name.removesuffix(word) in conditions and name.endswith(word) and name != word:
                conditions[name.removesuffix(word)] = value
                return True
        if name == "else":
            self._skip(stop_at_else=False)
        elif name == "ifthenelse":
            self.tokens.argument()
            self.tokens.push(self.tokens.argument())
        elif name.startswith("if") and name not in ("iff", "ifmmode*"):
            if not conditions.get(name[2:], False):
                self._skip(stop_at_else=True)
        else:
            return name == "fi"
        return True

    def _skip(self, *, stop_at_else: bool) -> None:
        depth = 0
        while token := self.tokens.next():
            if token.startswith("\\if") and token not in ("\\iff", "\\ifthenelse"):
                depth += 1
            elif token == "\\fi":
                depth -= 1
                if depth < 0:
                    return
            elif token == "\\else" and not depth and stop_at_else:
                return

    def _dollar(self) -> None:
        tex = self.tokens.until("$")
        if tex:
            self.emit(self.formula(tex))
        else:
            self.display(self.tokens.until("$"))
            following = self.tokens.next()
            self.tokens.back(following if following != "$" else "")

    def display(self, tex: str, number: str = "") -> None:
        """Leave out a formula that stands apart."""
        self.flush()
        self.paper.flow.leave("formula", f"{self.formula(tex)} {number}".strip())

    def leave_references(self, text: str) -> None:
        """Leave out the works of a bibliography."""
        self.flush()
        for item in bibliography_items(text):
            self.paper.flow.leave("references", self.rendered(item))

    def leave_lines(self, kind: str, text: str) -> None:
        """Leave out rows of a table or lines of an algorithm."""
        lines = (spell(line) for line in text.split("\n"))
        self.paper.flow.leave(kind, "\n".join(line for line in lines if line.strip(" |")), lines=True)


def _typed(text: str) -> str:
    """Quotation marks and dashes as TeX sets them."""
    if "-" in text or "'" in text or "`" in text:
        text = text.replace("---", "—").replace("--", "–").replace("``", "“").replace("''", "”")
        text = text.replace("`", "‘").replace("'", "’")
    return text
