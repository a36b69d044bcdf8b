"""LaTeX's environments: floats, tables, formulas and listings apart, lists and theorems as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from paperlora.literature import latex_names as names
from paperlora.literature.flow import spell

if TYPE_CHECKING:
    from paperlora.literature.latex_writer import Writer

_LABEL = re.compile(r"\\label\s*\{([^{}]*)\}")


def begin(writer: Writer, _: str) -> None:
    """``\\begin{name}``: what is no body text is read to its end, the rest opens."""
    name = writer.tokens.argument().strip()
    writer.groups.append(writer.groups[-1])
    if not writer.paper.macros.begin(name, writer.tokens) and not _apart(writer, name):
        _open(writer, name)


def _apart(writer: Writer, name: str) -> bool:
    """Read an environment that holds no body text; it is at its end then."""
    if name in names.FORMULAS:
        _numbered_formula(writer, name)
    elif name in names.FLOATS:
        _float(writer, name)
    elif name in names.TABLES:
        _table(writer, name)
    elif name in names.LISTINGS or name in names.PICTURES or name == "comment":
        kind = "listing" if name in names.LISTINGS else "figure"
        text = writer.tokens.verbatim(f"\\end{{{name}}}")
        writer.paper.flow.leave(kind, "" if name == "comment" else text, lines=True)
    elif name in names.ALGORITHMS:
        writer.leave_lines("listing", writer.rendered(writer.tokens.until_end(name), cells=True))
    elif name == "thebibliography":
        writer.leave_references(writer.tokens.verbatim("\\end{thebibliography}"))
    else:
        return False
    writer.groups.pop()
    return True


def _open(writer: Writer, name: str) -> None:
    flow = writer.paper.flow
    writer.flush()
    if name == "document":
        writer.paper.in_body = True
    elif name in ("abstract", "Abstract", "abstract*"):
        flow.heading("Abstract")
    elif name in names.LISTS:
        writer.tokens.option()
        writer.lists.append(1 if "enum" in name else None)
    elif name in names.THEOREMS or name in writer.paper.macros.theorems:
        option = writer.tokens.option()
        head = writer.paper.macros.theorems.get(name) or names.THEOREMS[name]
        writer.emit(spell(writer.rendered(head)) + (f" ({spell(writer.rendered(option))}). " if option else ". "))
    elif name in ("appendices", "appendix"):
        writer.paper.numbers.appendix()
    else:
        writer.drop(names.ENVIRONMENT_ARGUMENTS.get(name, 0))
        if name in names.FRAMED:
            writer.groups[-1] = (writer.groups[-1][0], True)


def end(writer: Writer, _: str) -> None:
    """``\\end{name}`` of what has opened."""
    name = writer.tokens.argument().strip()
    if name == "document":
        writer.paper.ended = not writer.inner
    elif not writer.paper.macros.end(name, writer.tokens):
        writer.flush()
    if name in names.LISTS and writer.lists:
        writer.lists.pop()
    writer.close()


def _numbered_formula(writer: Writer, name: str) -> None:
    tex = writer.tokens.until_end(name)
    numbers, kept = writer.paper.numbers, writer.paper.numbers.current
    number = ""
    if not name.endswith("*") and name not in ("displaymath", "math"):
        rows = tex.count("\\\\") + 1 if name[:5] in ("align", "gathe", "eqnar") else 1
        for _ in range(max(rows - tex.count("\\nonumber") - tex.count("\\notag"), 1)):
            number = numbers.next("equation")
        for label in _LABEL.findall(tex):
            numbers.label(label)
    if name == "math":
        writer.emit(writer.formula(tex))
    else:
        writer.display(tex, f"({number})" if number else "")
    numbers.current = kept


def _float(writer: Writer, name: str) -> None:
    counter, kept = names.FLOATS[name], writer.paper.numbers.current
    if not writer.inner:
        _flush_before_float(writer)
    writer.drop(names.ENVIRONMENT_ARGUMENTS.get(name, 0))
    text = writer.rendered(writer.tokens.until_end(name), counter=counter, cells=counter in ("algorithm", "listing"))
    writer.leave_lines({"figure": "figure", "table": "table"}.get(counter, "listing"), text)
    writer.paper.numbers.current = kept


def _flush_before_float(writer: Writer) -> None:
    """A float in mid-paragraph doesn't part it."""
    if not "".join(writer.words).strip():
        writer.words = []


def _table(writer: Writer, name: str) -> None:
    writer.tokens.option()
    for _ in range(names.TABLE_ARGUMENTS.get(name, 1)):
        writer.tokens.argument()
        writer.tokens.option()
    writer.leave_lines(
        "table", writer.rendered(writer.tokens.until_end(name), cells=True, counter=writer.counter or "table")
    )
