"""LaTeX's commands that do more than become a word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from paperlora.literature import latex_names as names
from paperlora.literature.flow import spell
from paperlora.literature.latex_environments import begin, end
from paperlora.literature.latex_references import Numbers

if TYPE_CHECKING:
    from paperlora.literature.latex_writer import Writer

_POWER = re.compile(r"(?:^|[^\d.])(?:10|2|e)$")
_EXPONENT = re.compile(r"[-−–+]?\d{1,3}")
_MARK = re.compile(r"[\d*∗†‡§¶,⋆]+")


def _include(writer: Writer, name: str) -> None:
    folder = writer.tokens.argument() if name in ("import", "subimport") else ""
    path = (folder + writer.tokens.argument()).strip().strip('"').removeprefix("./")
    found = next((p for p in (path, f"{path}.tex") if p in writer.paper.files), None)
    if found is None:
        writer.paper.flow.leave("margin", f"\\{name}{{{path}}}: the source holds no such file")
        return
    writer.paper.spent.include(found)
    text = writer.paper.files[found]
    body = re.search(r"\\begin\s*\{document\}(.*?)(?:\\end\s*\{document\}|\Z)", text, re.S)
    writer.tokens.push(body[1] if body else text, found)


def _heading(writer: Writer, name: str) -> None:
    starred = name.endswith("*")
    writer.tokens.option()
    text = writer.line()
    writer.flush()
    level = names.HEADINGS[name.rstrip("*")]
    number = writer.paper.numbers.section(level) if level and not starred and writer.paper.in_body else ""
    writer.paper.flow.heading(f"{number} {text}")


def _run_in(writer: Writer, _: str) -> None:
    writer.flush()
    writer.tokens.option()
    writer.emit(writer.line() + " ")


def _title(writer: Writer, _: str) -> None:
    writer.tokens.option()
    writer.paper.flow.title = writer.line() or writer.paper.flow.title


def _front(writer: Writer, name: str) -> None:
    writer.tokens.option()
    for _ in range(names.FRONT_ARGUMENTS.get(name, 1)):
        writer.paper.flow.leave("front", writer.rendered(writer.tokens.argument()))


def _note(writer: Writer, _: str) -> None:
    writer.tokens.option()
    writer.paper.flow.leave("footnote", writer.rendered(writer.tokens.argument()))


def _caption(writer: Writer, name: str) -> None:
    counter = writer.tokens.argument() if name == "captionof" else writer.counter or "figure"
    writer.tokens.option()
    number = writer.paper.numbers.next(counter) if not name.endswith("*") else ""
    writer.paper.flow.leave("caption", f"{counter.capitalize()} {number}: {writer.line()}")


def _subcaption(writer: Writer, _: str) -> None:
    writer.tokens.option()
    writer.paper.flow.leave("caption", writer.line())


def _label(writer: Writer, _: str) -> None:
    writer.paper.numbers.label(writer.tokens.argument())


def _reference(writer: Writer, name: str) -> None:
    if name == "hyperref" and writer.tokens.option() is not None:
        return
    writer.emit(Numbers.mark(name, writer.tokens.argument()))


def _cite(writer: Writer, name: str) -> None:
    first, second = writer.tokens.option(), writer.tokens.option()
    before, after = (first, second) if second is not None else ("", first)
    keys = writer.tokens.argument()
    text = writer.paper.labels.cite(
        name.rstrip("*"), keys, spell(writer.rendered(before or "")), spell(writer.rendered(after or ""))
    )
    writer.emit(text)


def _item(writer: Writer, _: str) -> None:
    option = writer.tokens.option()
    writer.flush()
    number = writer.lists[-1] if writer.lists else None
    if option is not None:
        writer.emit(spell(writer.rendered(option)) + " ")
    elif number is not None:
        writer.lists[-1] = number + 1
        writer.emit(f"{number}. ")


def _coloured(writer: Writer, _: str) -> None:
    writer.tokens.option()
    colour, text = writer.tokens.argument(), writer.tokens.argument()
    if writer.paper.macros.is_light(colour) and not writer.groups[-1][1]:
        writer.paper.flow.leave("hidden", writer.rendered(text))
    else:
        writer.tokens.push("{" + text + "}")


def _colour(writer: Writer, _: str) -> None:
    writer.tokens.option()
    hidden, framed = writer.paper.macros.is_light(writer.tokens.argument()), writer.groups[-1][1]
    writer.groups[-1] = (hidden and not framed, framed)


def _on_colour(writer: Writer, name: str) -> None:
    for _ in range(2 if name == "fcolorbox" else 1):
        writer.tokens.option()
        writer.tokens.argument()
    writer.emit(writer.rendered(writer.tokens.argument(), cells=writer.cells, framed=True))


def _size(writer: Writer, _: str) -> None:
    size = re.match(r"\d*\.?\d+", writer.tokens.argument())
    writer.tokens.argument()
    if size and float(size[0]) < 3:
        writer.groups[-1] = (True, writer.groups[-1][1])


def _raised(writer: Writer, _: str) -> None:
    text, before = writer.line(), "".join(writer.words[-3:])
    if _POWER.search(before) and _EXPONENT.fullmatch(text):
        writer.emit("^" + text.replace("−", "-").replace("–", "-"))
    elif not _MARK.fullmatch(text):
        writer.emit(text)


def _verb(writer: Writer, name: str) -> None:
    if name == "lstinline":
        writer.tokens.option()
    writer.emit(writer.tokens.delimited())


def _address(writer: Writer, _: str) -> None:
    writer.emit(writer.tokens.address().replace("\\", ""))


def _quantity(writer: Writer, name: str) -> None:
    writer.tokens.option()
    number = writer.tokens.argument()
    unit = "" if name in ("num", "ang") else " " + re.sub(r"\\(?:per)", "/", writer.tokens.argument()).replace("\\", "")
    writer.emit(writer.formula(number) + unit)


def _line_end(writer: Writer, _: str) -> None:
    token = writer.tokens.next()
    if token == "[":
        writer.tokens.back("[")
        writer.tokens.option()
    elif token != "*":
        writer.tokens.back(token)
    writer.emit("\n" if writer.cells else " ")


def _stack(writer: Writer, _: str) -> None:
    writer.tokens.option()
    writer.emit(spell(writer.rendered(writer.tokens.argument())))


def _multirow(writer: Writer, _: str) -> None:
    for _place in range(2):
        writer.tokens.option()
        writer.tokens.argument()
    writer.tokens.option()


def _spaced(writer: Writer, _: str) -> None:
    token = writer.tokens.next()
    writer.emit(" " if token[:1].isalnum() or token[:1] in ("(", "\\", "$") else "")
    writer.tokens.back(token)


def _length(writer: Writer, _: str) -> None:
    writer.tokens.spaces()


def _appendix(writer: Writer, _: str) -> None:
    writer.paper.numbers.appendix()


def _references(writer: Writer, _: str) -> None:
    writer.leave_references(writer.paper.bibliography)


def _bibliography(writer: Writer, name: str) -> None:
    writer.tokens.argument()
    _references(writer, name)


def _abstract(writer: Writer, _: str) -> None:
    token = writer.tokens.spaces()
    writer.tokens.back(token)
    if token == "{":
        writer.flush()
        writer.paper.flow.heading("Abstract")
        writer.tokens.push(writer.tokens.argument() + "\n\n")


def _specials() -> dict[str, Callable[[Writer, str], None]]:
    """Commands that do more than become a word."""
    table: dict[str, Callable[[Writer, str], None]] = {
        "begin": begin, "end": end, "item": _item, "caption": _caption, "caption*": _caption,
        "captionof": _caption, "subcaption": _subcaption, "label": _label, "title": _title,
        "icmltitle": _title, "Title": _title, "textcolor": _coloured, "color": _colour,
        "colorbox": _on_colour, "fcolorbox": _on_colour, "fontsize": _size, "textsuperscript": _raised,
        "verb": _verb, "verb*": _verb, "lstinline": _verb, "url": _address, "path": _address,
        "nolinkurl": _address, "xspace": _spaced, "\\": _line_end, "makecell": _stack, "thead": _stack,
        "shortstack": _stack, "multirow": _multirow, "vskip": _length, "hskip": _length, "kern": _length,
        "appendix": _appendix, "bibliography": _bibliography, "printbibliography": _references,
        "(": lambda w, _: w.emit(w.formula(w.tokens.until("\\)"))), "[": lambda w, _: w.display(w.tokens.until("\\]")),
        "ensuremath": lambda w, _: w.emit(w.formula(w.tokens.argument())), "multicolumn": lambda w, _: w.drop(2),
        ",": lambda w, _: w.emit(" "), "-": lambda w, _: None, "/": lambda w, _: None, "@": lambda w, _: None, "!": lambda w, _: None,
        "State": lambda w, _: w.emit("\n"), "tabularnewline": _line_end, "abstract": _abstract,
    }  # fmt: skip
    groups: tuple[tuple[Iterable[str], Callable[[Writer, str], None]], ...] = (
        (names.HEADINGS, _heading), (names.RUN_IN, _run_in), (names.CITES, _cite), (names.FRONT, _front),
        (names.REFERENCES, _reference), (names.FOOTNOTES, _note), (("SI", "num", "qty", "ang"), _quantity),
        (("input", "include", "subfile", "import", "subimport"), _include),
    )  # fmt: skip
    for known, write in groups:
        table |= dict.fromkeys(known, write) | {f"{name}*": write for name in known}
    return table


SPECIAL = _specials()
