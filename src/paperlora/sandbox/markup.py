"""The sandbox's formulas, which are written for its PDFs, as TeX and MathML."""

from __future__ import annotations

import html
import re

_TAGS = {"<i>": "", "</i>": "", "<sub>": "_{", "</sub>": "}", "<super>": "^{", "</super>": "}"}
_SYMBOLS = {
    "Σ": r"\sum", "λ": r"\lambda", "π": r"\pi", "σ": r"\sigma", "β": r"\beta", "η": r"\eta", "τ": r"\tau", "κ": r"\kappa",
    "ρ": r"\rho", "Δ": r"\Delta", "∝": r"\propto", "−": "-", "½": r"\tfrac{1}{2}", "||": r"\|", "*": r"^{*}",
}  # fmt: skip
_WORDS = re.compile(r"[A-Za-z]{2,}")
_PIECE = re.compile(r"<(?P<script>sub|super)>(?P<inner>.*?)</(?P=script)>|<i>(?P<name>.*?)</i>|(?P<text>[^<\s]+)")


def tex_of(markup: str) -> str:
    """A formula in reportlab's markup as TeX."""
    text = html.unescape(markup)
    for tag, tex in _TAGS.items():
        text = text.replace(tag, tex)
    text = _WORDS.sub(lambda match: rf"\mathrm{{{match[0]}}}", text)
    for symbol, tex in _SYMBOLS.items():
        text = text.replace(symbol, f"{tex} " if re.fullmatch(r"\\[A-Za-z]+", tex) else tex)
    return " ".join(text.split())


def mathml_of(markup: str) -> str:
    """A formula as the MathML that LaTeXML puts on arXiv's pages: presentation, and the TeX beside it."""
    tex = html.escape(tex_of(markup))
    return (
        f'<math alttext="{tex}" class="ltx_Math" display="block"><semantics><mrow>{_row(html.unescape(markup))}</mrow>'
        f'<annotation encoding="application/x-tex">{tex}</annotation></semantics></math>'
    )


def _row(text: str) -> str:
    atoms: list[str] = []
    for match in _PIECE.finditer(text):
        if match["script"] and atoms:
            tag = "msub" if match["script"] == "sub" else "msup"
            atoms[-1] = f"<{tag}>{atoms[-1]}<mrow>{_row(match['inner'])}</mrow></{tag}>"
        elif match["name"]:
            atoms.append(f"<mi>{html.escape(match['name'])}</mi>")
        elif match["text"]:
            atoms.extend(_atom(piece) for piece in re.findall(r"[\w.]+|[^\w.]", match["text"]))
    return "".join(atoms)


def _atom(text: str) -> str:
    tag = "mn" if re.fullmatch(r"[\d.]+", text) else "mi" if text.isalpha() else "mo"
    return f"<{tag}>{html.escape(text)}</{tag}>"
