"""Formulas as a line of legible text: ``10^{-4}`` → ``10^-4``, ``\\frac{a}{b}`` → ``a/b``; from TeX and from MathML."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pylatexenc.latex2text import get_default_latex_context_db

RELATIONS = set("=<>≤≥≈∼≃≅≡≠∈∉⊂⊆⊃⊇→←↔⇒⇐⇔↦∝≪≫⊢⊨≜≺≻⟶⟵|:")
BINARY = set("+−±∓×·÷∗⋅∘⊕⊗⊙∪∩∧∨-")
FUNCTIONS = {
    "log", "ln", "exp", "sin", "cos", "tan", "max", "min", "argmax", "argmin", "sup", "inf", "lim", "det", "dim",
    "ker", "tr", "Pr", "gcd", "deg", "hom", "arg", "sinh", "cosh", "tanh", "limsup", "liminf",
}  # fmt: skip
_STYLES = {
    "text", "textrm", "textbf", "textit", "textsf", "texttt", "textnormal", "textsc", "emph", "mathrm", "mathbf",
    "mathit", "mathsf", "mathtt", "mathcal", "mathbb", "mathfrak", "mathscr", "boldsymbol", "bm", "operatorname",
    "operatorname*", "mbox", "hbox", "ensuremath", "mathop", "mathbin", "mathrel", "mathord", "pmb", "mathds", "bf",
    "rm", "it", "cal", "boxed", "underline", "overline", "underbrace", "overbrace", "widehat", "widetilde",
    "substack", "smash", "phantom", "overrightarrow", "mathring",
}  # fmt: skip
_SILENT = {
    "left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr", "Biggl",
    "Biggr", "middle", "limits", "nolimits", "displaystyle", "textstyle", "scriptstyle", "scriptscriptstyle",
    "nonumber", "notag", ",", "!", ":", "/", "hline", "centering", "protect", "relax", "mathstrut", "strut",
}  # fmt: skip
_DROPPED = {
    "label", "tag", "tag*", "vspace", "vspace*", "hspace", "hspace*", "color", "phantom", "vphantom", "hphantom",
    "cite", "ref",
}  # fmt: skip
_ACCENTS = {
    "hat": "\u0302", "tilde": "\u0303", "bar": "\u0304", "vec": "\u20d7", "dot": "\u0307", "ddot": "\u0308",
    "acute": "\u0301", "check": "\u030c", "breve": "\u0306", "grave": "\u0300",
}  # fmt: skip
_OWN = {
    "|": "‖", "Vert": "‖", "lVert": "‖", "rVert": "‖", "lvert": "|", "rvert": "|", "vert": "|", "mid": "|", "{": "{",
    "}": "}", "lbrace": "{", "rbrace": "}", "%": "%", "$": "$", "&": "&", "#": "#", "_": "_", " ": " ", ";": " ",
    ">": " ", "quad": " ", "qquad": " ", "\\": "; ", "cdot": "·", "ldots": "…", "dots": "…", "cdots": "⋯",
    "dotsc": "…", "to": "→", "gets": "←", "le": "≤", "ge": "≥", "ne": "≠", "lt": "<", "gt": ">", "sim": "∼",
    "ast": "∗", "top": "⊤", "colon": ":", "coloneqq": ":=", "prime": "′", "backslash": "\\", "ell": "ℓ",
    "triangleq": "≜", "langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
}  # fmt: skip
APART = "\u2009"
"""Behind a function's name: a space where a letter or a number follows."""
_TOKEN = re.compile(r"\\(?:[A-Za-z]+\*?|.)|\d+(?:\.\d+)?|[{}^_&~']|\s+|.", re.S)
_SIMPLE = re.compile(r"[\w.,'′*∗⊤∞]+|[-−+±]?[\w.]+|.", re.S)
_DEEPEST = 60


def _known_symbols() -> dict[str, str]:
    database = get_default_latex_context_db()
    specs = (spec for category in database.categories() for spec in database.d[category]["macros"].values())
    return {
        s.macroname: s.simplify_repl for s in specs if isinstance(s.simplify_repl, str) and "%" not in s.simplify_repl
    }


SYMBOLS = {**_known_symbols(), **_OWN}
"""Macros without argument as characters."""


@lru_cache(maxsize=8192)
def tex_to_text(tex: str) -> str:
    """A formula in TeX as one line; what is unknown keeps its name."""
    return _tidy(_Tex(tex).sequence())


def mathml_to_text(element: Any) -> str:
    """A ``math`` element as one line.

    Args:
        element: of lxml; its presentation is read, its ``alttext`` (TeX) where there is none.
    """
    annotation = next((e for e in element.iter("annotation") if "tex" in e.get("encoding", "")), None)
    if any(e.tag in _MATHML for e in element.iter()):
        return _tidy("".join(_mathml(child, 0) for child in element))
    source = element.get("alttext") or (annotation.text if annotation is not None else None)
    return tex_to_text(source) if source else _tidy(" ".join(element.itertext()))


def _tidy(text: str) -> str:
    text = text.removesuffix(APART)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"([(\[{⟨]) | ([)\]}⟩,;])", r"\1\2", text)
    return re.sub(r"(?:; ?)+$|^(?:; ?)+", "", text.strip()).strip()


def _operator(symbol: str) -> str:
    return f" {symbol} " if symbol in RELATIONS or symbol in BINARY else symbol


def _script(mark: str, text: str) -> str:
    text = re.sub(r"\s+", "", text) if len(text) < 12 else text.strip()
    text = text.replace("−", "-")
    return "" if not text else f"{mark}{text}" if _SIMPLE.fullmatch(text) else f"{mark}({text})"


def _part(text: str) -> str:
    """A numerator, denominator or radicand, in brackets where it needs them."""
    text = _tidy(text)
    return text if _SIMPLE.fullmatch(text) or re.fullmatch(r"[^\s(]*\([^()]*\)", text) else f"({text})"


def _joined(out: str, piece: str) -> str:
    """Two pieces of a row: a sign is no operator, a function's name stands apart from its argument, a comma has its space."""
    if (
        piece.startswith(" ")
        and piece.strip() in BINARY
        and (not out.strip() or out.rstrip()[-1:] in "([{=<>,;≤≥≈∈→^_/|")
    ):
        return out + piece.strip()
    if not piece:
        return out
    if out.endswith(APART):
        out = out[:-1] + (" " if piece[:1].isalnum() else "")
    elif piece[:1].isalnum() and re.search(r"[\^_](?:[^\s()]+|\([^()]*\))$", out[-60:]):
        return f"{out} {piece}"
    return out + piece


class _Tex:
    """Reads tokens of a formula from left to right."""

    def __init__(self, tex: str) -> None:
        self._tokens = _TOKEN.findall(tex)
        self._at = 0
        self._depth = 0

    def sequence(self, end: str = "") -> str:
        """Up to a closing token, or all."""
        out = ""
        self._depth += 1
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token == end:
                break
            out = _joined(out, self._one(token))
        self._depth -= 1
        return out

    def _one(self, token: str) -> str:
        if token == "{":
            inner = self.sequence("}") if self._depth < _DEEPEST else ""
            return "," if inner == ", " else inner
        if token in "^_" and len(token) == 1:
            return _script(token, self._argument())
        if token.startswith("\\"):
            return self._macro(token[1:])
        if token in "&~" or token.isspace():
            return "" if token.isspace() else " "
        if token == ",":
            return ", "
        return _operator("−" if token == "-" else token) if token not in "}|:" else token.replace("}", "")

    def _argument(self) -> str:
        while self._at < len(self._tokens) and self._tokens[self._at].isspace():
            self._at += 1
        if self._at >= len(self._tokens) or self._depth >= _DEEPEST:
            return ""
        token = self._tokens[self._at]
        if token != "{" and token[0].isdigit():  # x^12 raises the 1 alone
            self._tokens[self._at] = token[1:]
            self._at += len(token) == 1
            return token[0]
        self._at += 1
        return self._one(token)

    def _option(self) -> str:
        if self._at < len(self._tokens) and self._tokens[self._at] == "[":
            self._at += 1
            return self.sequence("]")
        return ""

    def _raw(self) -> str:
        """An argument of words, its spaces kept."""
        if self._at >= len(self._tokens) or self._tokens[self._at] != "{":
            return self._argument()
        depth, start = 0, self._at + 1
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            depth += (token == "{") - (token == "}")
            self._at += 1
            if not depth:
                break
        words = "".join(self._tokens[start : self._at - 1])
        if not re.search(r"[\\^_{}$]", words):
            return words
        inner = tex_to_text(words.replace("$", "").replace(" ", r"\ "))
        return " " * words.startswith(" ") + inner + " " * words.endswith(" ")

    def _macro(self, name: str) -> str:
        special = _SPECIAL.get(name)
        if special:
            return special(self)
        if name in _SILENT:
            if name in ("left", "right") and self._tokens[self._at : self._at + 1] == ["."]:
                self._at += 1
            return ""
        if name in _DROPPED:
            self._argument()
            return ""
        if name in ("text", "textrm", "mbox", "textnormal", "hbox", "textit", "textbf"):
            return self._raw()
        if name in _STYLES:
            return self._argument()
        if name in _ACCENTS:
            inner = self._argument()
            return inner + _ACCENTS[name] if len(inner) == 1 else inner
        if name.endswith("*") and len(name) > 1:
            return self._macro(name[:-1]) + "∗"
        if name in FUNCTIONS:
            return name + APART
        symbol = SYMBOLS.get(name, name)
        return _operator(symbol) if name not in ("mid", "vert") else "|" if name == "vert" else " | "


def _fraction(tex: _Tex) -> str:
    return f"{_part(tex._argument())}/{_part(tex._argument())}"


def _root(tex: _Tex) -> str:
    order = tex._option()
    return f"{order}√{_part(tex._argument())}"


def _stacked(mark: str) -> Callable[[_Tex], str]:
    def write(tex: _Tex) -> str:
        small, large = tex._argument(), tex._argument()
        return large + _script(mark, small)

    return write


def _environment(tex: _Tex) -> str:
    name = tex._raw()
    if name.rstrip("*") in ("array", "tabular", "alignedat"):
        tex._option()
        tex._raw()
    return " "


def _end(tex: _Tex) -> str:
    tex._raw()
    return " "


def _coloured(tex: _Tex) -> str:
    tex._raw()
    return tex._argument()


_SPECIAL: dict[str, Callable[[_Tex], str]] = {
    "frac": _fraction, "dfrac": _fraction, "tfrac": _fraction, "nicefrac": _fraction, "sfrac": _fraction, "sqrt": _root,
    "binom": lambda tex: f"binom({tex._argument()}, {tex._argument()})", "overset": _stacked("^"),
    "stackrel": _stacked("^"),
    "underset": _stacked("_"), "begin": _environment, "end": _end, "textcolor": _coloured, "colorbox": _coloured,
}  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- MathML


def _children(element: Any, depth: int) -> list[str]:
    return [_mathml(child, depth + 1) for child in element if isinstance(child.tag, str)]


def _row(element: Any, depth: int) -> str:
    out = ""
    for piece in _children(element, depth):
        out = _joined(out, piece)
    return out


def _leaf(element: Any, depth: int) -> str:
    text = "".join(element.itertext())
    words = " ".join(
        text.replace("\u2061", "").replace("\u2062", "").replace("\u2063", ",").replace("\u2064", "").split()
    )
    if element.tag == "mtext":
        return re.sub(r"\s+", " ", text)
    if element.tag != "mo":
        return words + APART if words in FUNCTIONS else words
    if element.get("fence") == "true" or element.get("stretchy") == "false":
        return words
    return ", " if words == "," else f" {words} " if words in ("|", ":") else _operator(words)


def _pieces(count: int, shape: Callable[..., str]) -> Callable[[Any, int], str]:
    def write(element: Any, depth: int) -> str:
        parts = _children(element, depth)
        return shape(*parts) if len(parts) == count else " ".join(parts)

    return write


def _over(base: str, mark: str) -> str:
    accents = {"^": "\u0302", "~": "\u0303", "¯": "\u0304", "→": "\u20d7", "˙": "\u0307", "¨": "\u0308", "ˇ": "\u030c"}
    sign = mark.strip()
    if sign in accents or sign in "‾—⏞":
        return base + accents.get(sign, "") if len(base) == 1 else base
    return base + _script("^", mark)


def _rows(element: Any, depth: int) -> str:
    return "; ".join(" ".join(_children(row, depth + 1)) for row in element)


_MATHML: dict[str, Callable[[Any, int], str]] = {
    "mrow": _row, "mstyle": _row, "mpadded": _row, "semantics": lambda e, d: _mathml(e[0], d + 1) if len(e) else "",
    "mtd": _row, "menclose": _row, "mi": _leaf, "mn": _leaf, "mo": _leaf, "mtext": _leaf, "ms": _leaf,
    "mspace": lambda e, d: " ", "mphantom": lambda e, d: "", "annotation": lambda e, d: "",
    "annotation-xml": lambda e, d: "",
    "mfrac": _pieces(2, lambda a, b: f"{_part(a)}/{_part(b)}"), "msqrt": lambda e, d: f"√{_part(_row(e, d))}",
    "mroot": _pieces(2, lambda a, b: f"{b}√{_part(a)}"), "msup": _pieces(2, lambda a, b: a + _script("^", b)),
    "msub": _pieces(2, lambda a, b: a + _script("_", b)),
    "msubsup": _pieces(3, lambda a, b, c: a + _script("_", b) + _script("^", c)), "mover": _pieces(2, _over),
    "munder": _pieces(2, lambda a, b: a + _script("_", b)),
    "munderover": _pieces(3, lambda a, b, c: a + _script("_", b) + _script("^", c)), "mtable": _rows,
}  # fmt: skip


def _mathml(element: Any, depth: int) -> str:
    if not isinstance(element.tag, str) or depth > _DEEPEST:
        return ""
    write = _MATHML.get(element.tag, _row)
    return write(element, depth)
