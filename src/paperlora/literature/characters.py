"""Characters as every reader spells them: ligatures and styled letters plain, accents on their letters."""

from __future__ import annotations

import re
import unicodedata

# Spacing accents that old TeX fonts set before (or over) the letter.
_ACCENTS = {"´": "\u0301", "`": "\u0300", "¨": "\u0308", "ˆ": "\u0302", "˜": "\u0303", "¸": "\u0327", "ˇ": "\u030c"}
_ACCENTED = re.compile(r"([´¨ˆ˜¸ˇ]) ?([A-Za-zı])")
_KEPT_COMPATIBILITY = re.compile(r"[⁰¹²³⁴-₎ªº™]")


def mend_characters(text: str) -> str:
    """Ligatures and other compatibility forms as plain letters (NFKC), accents on their letters, no control characters.

    Superscript digits stay what they are: ``10²`` must not become ``102``.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _ACCENTED.sub(lambda m: m[2].replace("ı", "i") + _ACCENTS[m[1]], text)
    if _KEPT_COMPATIBILITY.search(text):
        text = "".join(c if _KEPT_COMPATIBILITY.match(c) else unicodedata.normalize("NFKC", c) for c in text)
        text = unicodedata.normalize("NFC", text)
    else:
        text = unicodedata.normalize("NFKC", text)
    return "".join(c for c in text if c == "\u00ad" or c.isprintable() or c == " ").replace("\u200b", "")
