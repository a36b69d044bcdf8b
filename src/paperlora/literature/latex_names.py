"""What the usual commands and environments of LaTeX mean for somebody who reads."""

from __future__ import annotations

FORMULAS = {
    "equation", "equation*", "align", "align*", "gather", "gather*", "multline", "multline*", "eqnarray",
    "eqnarray*", "displaymath",
    "flalign", "flalign*", "alignat", "alignat*", "math", "dmath", "dmath*", "IEEEeqnarray", "IEEEeqnarray*",
    "empheq", "subequations",
}  # fmt: skip
FLOATS = {
    "figure": "figure", "figure*": "figure", "wrapfigure": "figure", "SCfigure": "figure", "teaserfigure": "figure",
    "floatingfigure": "figure",
    "sidewaysfigure": "figure", "table": "table", "table*": "table", "wraptable": "table", "sidewaystable": "table",
    "SCtable": "table",
    "sidewaystable*": "table", "sidewaysfigure*": "figure", "algorithm": "algorithm", "algorithm*": "algorithm",
    "algorithm2e": "algorithm",
    "listing": "listing", "listing*": "listing", "marginfigure": "figure", "margintable": "table",
}  # fmt: skip
"""Environment → the counter of its caption."""
TABLES = {
    "tabular",
    "tabular*",
    "tabularx",
    "tabulary",
    "longtable",
    "supertabular",
    "tblr",
    "longtblr",
    "xltabular",
    "NiceTabular",
    "array",
}
TABLE_ARGUMENTS = {"tabular*": 2, "tabularx": 2, "tabulary": 2, "xltabular": 2}
"""Arguments after which the cells begin; 1 for the others."""
LISTINGS = {
    "verbatim",
    "verbatim*",
    "lstlisting",
    "minted",
    "Verbatim",
    "BVerbatim",
    "LVerbatim",
    "alltt",
    "spverbatim",
    "tcblisting",
    "pygments",
}
PICTURES = {
    "tikzpicture",
    "pgfpicture",
    "picture",
    "pspicture",
    "forest",
    "tikzcd",
    "axis",
    "filecontents",
    "filecontents*",
    "overpic",
}
ALGORITHMS = {"algorithmic", "algorithmicx", "pseudocode", "codebox"}
LISTS = {
    "itemize", "enumerate", "description", "compactitem", "compactenum", "inparaenum", "itemize*", "enumerate*",
    "asparaenum", "tightlist", "list", "trivlist",
}  # fmt: skip
FRAMED = {"tcolorbox", "mdframed", "shaded", "framed", "colorbox", "promptbox", "shadebox"}
"""Their ground may be coloured: white letters on it are seen."""
THEOREMS = {
    "theorem": "Theorem", "lemma": "Lemma", "definition": "Definition", "corollary": "Corollary",
    "proposition": "Proposition", "remark": "Remark",
    "example": "Example", "proof": "Proof", "assumption": "Assumption", "claim": "Claim", "conjecture": "Conjecture",
    "hypothesis": "Hypothesis",
}  # fmt: skip
ENVIRONMENT_ARGUMENTS = {
    "minipage": 1, "multicols": 1, "adjustbox": 1, "adjustwidth": 2, "spacing": 1, "thebibliography": 1, "list": 2,
    "CJK": 2, "CJK*": 2, "wrapfigure": 2, "wraptable": 2, "subfigure": 1, "subtable": 1, "turn": 1, "rotate": 1,
    "resizebox": 2,
}  # fmt: skip
"""Arguments to drop after ``\\begin{name}``."""

HEADINGS = {"part": 0, "chapter": 0, "section": 1, "subsection": 2, "subsubsection": 3}
RUN_IN = {"paragraph", "subparagraph", "minisec", "subsubsubsection"}
CITES = {
    "cite", "citep", "citet", "citealp", "citealt", "parencite", "textcite", "autocite", "citeauthor", "citeyear",
    "citeyearpar", "footcite", "citenum", "shortcite", "newcite", "smartcite", "Citet", "Citep", "supercite",
    "fullcite", "onlinecite",
}  # fmt: skip
CITES_IN_TEXT = {"citet", "textcite", "newcite", "Citet", "citealt"}
REFERENCES = {
    "ref",
    "eqref",
    "autoref",
    "cref",
    "Cref",
    "pageref",
    "vref",
    "nameref",
    "hyperref",
    "subref",
    "labelcref",
    "fref",
    "Fref",
}
DROPPED = {
    "label": 1, "vspace": 1, "hspace": 1, "vspace*": 1, "hspace*": 1, "includegraphics": 1, "bibliographystyle": 1,
    "usepackage": 1, "RequirePackage": 1,
    "documentclass": 1, "documentstyle": 1, "pagestyle": 1, "thispagestyle": 1, "setlength": 2, "addtolength": 2,
    "setcounter": 2, "addtocounter": 2,
    "hypersetup": 1, "graphicspath": 1, "index": 1, "glsresetall": 0, "pdfinfo": 1, "lstset": 1, "definecolor": 3,
    "colorlet": 2, "arrayrulecolor": 1,
    "rowcolor": 1, "cellcolor": 1, "columncolor": 1, "rule": 2, "phantom": 1, "hphantom": 1, "vphantom": 1,
    "input@path": 1, "captionsetup": 1,
    "addcontentsline": 3, "markboth": 2, "markright": 1, "numberwithin": 2, "theoremstyle": 1, "newcounter": 1,
    "newlength": 1, "stepcounter": 1,
    "refstepcounter": 1, "settowidth": 2, "geometry": 1, "linespread": 1, "fontsize": 2, "selectlanguage": 1,
    "bibliographyunit": 1, "usetikzlibrary": 1,
    "titlespacing": 4, "titlespacing*": 4, "titleformat": 5, "urlstyle": 1, "cmidrule": 1, "cline": 1,
    "arraystretch": 0, "bstctlcite": 1, "nocite": 1,
    "pgfplotsset": 1, "tikzset": 1, "sisetup": 1, "color": 1, "pagecolor": 1, "raisebox": 1, "looseness": 0,
    "hyphenation": 1, "crefname": 3, "Crefname": 3,
    "newacronym": 3, "providecommand*": 0, "special": 1, "fontfamily": 1, "icmltitlerunning": 1, "titlerunning": 1,
    "authorrunning": 1, "tocauthor": 1,
    "settopmatter": 1, "setcopyright": 1, "acmConference": 3, "acmYear": 1, "acmDOI": 1, "acmISBN": 1,
    "acmJournal": 1, "ccsdesc": 1, "received": 1,
    "AtBeginDocument": 1, "newtcolorbox": 2, "newtcblisting": 2, "tcbset": 1, "tcbuselibrary": 1,
    "lstdefinestyle": 2, "newfloat": 3, "floatname": 2,
    "addbibresource": 1, "ExecuteBibliographyOptions": 1, "allowdisplaybreaks": 0, "enlargethispage": 1,
    "textheight": 0, "DeclareUnicodeCharacter": 2,
    "newcolumntype": 2, "multirowsetup": 0, "makecell": 0, "vskip": 0, "hskip": 0, "protect": 0, "resizebox": 2,
    "scalebox": 1, "adjustbox": 1,
    "parbox": 1, "makebox": 0, "rotatebox": 1, "hyperlink": 1, "hypertarget": 1, "href": 1, "colorbox": 1,
    "fcolorbox": 2, "setlist": 1, "midrule": 0,
    "address": 0, "foreignlanguage": 1, "pdfbookmark": 2, "mbox": 0, "SetKwInOut": 2, "DontPrintSemicolon": 0,
    "eqnarray": 0, "citestyle": 1,
    "setcitestyle": 1, "bibpunct": 6, "newsavebox": 1, "PassOptionsToPackage": 2, "iclrfinalcopy": 0, "endinput": 0,
}  # fmt: skip
"""Command → how many of its arguments say nothing to a reader; the others follow as text."""
FRONT = {
    "author", "date", "affiliation", "affil", "institute", "email", "address", "icmlauthor", "icmlaffiliation",
    "icmlcorrespondingauthor",
    "keywords", "icmlkeywords", "thanks", "institution", "orcid", "correspondingauthor", "author*", "authornote",
    "IEEEspecialpapernotice",
}  # fmt: skip
FRONT_ARGUMENTS = {"icmlauthor": 2, "icmlaffiliation": 2, "icmlcorrespondingauthor": 2}
FOOTNOTES = {"footnote", "footnotetext", "tablefootnote", "endnote", "thanksnote", "marginpar", "sidenote", "todo"}
WORDS = {
    "LaTeX": "LaTeX", "TeX": "TeX", "BibTeX": "BibTeX", "ldots": "…", "dots": "…", "textellipsis": "…", "&": "&",
    "%": "%", "$": "$", "#": "#", "_": "_",
    "{": "{", "}": "}", " ": " ", "\\": " ", "newline": " ", "quad": " ", "qquad": " ", "enspace": " ", ";": " ",
    "~": "~", "textasciitilde": "~",
    "textbackslash": "\\", "textbar": "|", "textless": "<", "textgreater": ">", "textunderscore": "_",
    "textendash": "–", "textemdash": "—",
    "textquotesingle": "'", "textquotedblleft": "“", "textquotedblright": "”", "slash": "/", "par": "\n\n", "S": "§",
    "P": "¶", "copyright": "©",
    "textdegree": "°", "texttrademark": "™", "textregistered": "®", "pounds": "£", "euro": "€", "i": "i", "j": "j",
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ",
    "OE": "Œ", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "aa": "å", "AA": "Å", "checkmark": "✓", "bullet": "•",
    "textbullet": "•", "textperiodcentered": "·",
    "eg": "e.g.", "ie": "i.e.", "etal": "et al.", "etc": "etc.", "cf": "cf.", "wrt": "w.r.t.", "dag": "†",
    "ddag": "‡", "textasteriskcentered": "*",
    "item": "\n\n", "hfill": " ", "linebreak": " ", "break": " ", "today": "", "and": ", ", "And": ", ", "AND": ", ",
    "cr": " ", "tabularnewline": "\\\\",
}  # fmt: skip
ACCENTS = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", ".": "\u0307",
    "c": "\u0327", "v": "\u030c", "u": "\u0306",
    "H": "\u030b", "k": "\u0328", "r": "\u030a", "d": "\u0323", "b": "\u0331",
}  # fmt: skip
REFERENCE_NAMES = {
    "section": "Section", "appendix": "Appendix", "figure": "Figure", "table": "Table", "equation": "Equation",
    "algorithm": "Algorithm", "listing": "Listing", "theorem": "Theorem",
}  # fmt: skip
