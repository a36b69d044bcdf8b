"""A hostile file costs one reject with its own reason, inside its limits; the rest of the batch is unharmed."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pymupdf
import pytest

from paperlora.errors import DocumentUnreadable
from paperlora.literature import latex_archive
from paperlora.literature.limits import UnreadableError
from paperlora.literature.reader import KINDS, PdfReader, ReadRequest
from paperlora.records import Document
from paperlora.settings import ReadingSettings

SECONDS = 2.5
SETTINGS = ReadingSettings(timeout_seconds=SECONDS, memory_megabytes=700, max_pages=200, max_megabytes=8)
WORDS = "A sentence that is here so that the file counts as something to read. " * 5


def pdf(pages: int = 1) -> bytes:
    document = pymupdf.open()
    for _ in range(pages):
        document.new_page().insert_textbox(pymupdf.Rect(60, 60, 500, 700), WORDS, fontsize=11)
    return bytes(document.tobytes(deflate=True))


def pdf_with(content: bytes) -> bytes:
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((10, 10), "x", fontname="helv")
    document.update_stream(page.get_contents()[0], content)
    return bytes(document.tobytes(deflate=True))


def raw_pdf(*objects: bytes) -> bytes:
    """Numbered objects as they are, the first one the catalog."""
    data, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, item in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    data = bytes(data)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return data + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        size,
        table,
        size,
        len(data),
    )


def operator_bomb() -> bytes:
    return pdf_with(b"q 0 0 m 9 9 l S Q\n" * 4_000_000)


def text_bomb() -> bytes:
    return pdf_with(b"BT /helv 1 Tf (" + b"bomb " * 3_000_000 + b") Tj ET")


def page_tree_loop() -> bytes:
    return raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 2/Kids[2 0 R 2 0 R]>>")


def page_tree_bomb() -> bytes:
    levels = [b"<</Type/Pages/Count 1000000000/Kids[%s]>>" % (b"%d 0 R " % (n + 3) * 30) for n in range(12)]
    return raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", *levels, b"<</Type/Page/MediaBox[0 0 9 9]>>")


def form_loop() -> bytes:
    form = b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</A 5 0 R>>>>/Length 12>>stream\n/A Do /A Do \nendstream"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</XObject<</A 5 0 R>>>>>>"
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        page,
        b"<</Length 6>>stream\n/A Do \nendstream",
        form,
    )


def many_pages() -> bytes:
    kids = b" ".join(b"%d 0 R" % (n + 3) for n in range(10_000))
    pages = [b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"] * 10_000
    return raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 10000/Kids[%s]>>" % kids, *pages)


def encrypted() -> bytes:
    document = pymupdf.open(stream=pdf(), filetype="pdf")
    return bytes(document.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret", owner_pw="secret"))


def cut_off() -> bytes:
    data = pdf(6)
    return data[: len(data) * 6 // 10]


def scan() -> bytes:
    document = pymupdf.open()
    picture = pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 60, 80), False)
    picture.clear_with(128)
    for _ in range(3):
        page = document.new_page()
        page.insert_image(page.rect, pixmap=picture)
    return bytes(document.tobytes())


def tar(*members: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def latex(text: str) -> bytes:
    return ("\\documentclass{article}\\begin{document}" + WORDS + text + "\\end{document}").encode()


def link(target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo("main.tex")
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def claims(size: int) -> bytes:
    """An archive whose header promises more than there is."""
    info = tarfile.TarInfo("main.tex")
    info.size = size
    return gzip.compress(info.tobuf() + b"\\documentclass{article}")


def macro_bomb() -> bytes:
    letters = "abcdefghijklm"
    definitions = [f"\\def\\x{a}{{" + f"\\x{b}" * 10 + "}" for a, b in pairwise(letters)]
    return latex("".join(definitions) + "\\xa")


def entity_bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol" * 10}">' for n in range(12))
    return f'<?xml version="1.0"?><!DOCTYPE html [{entities}]><html><body><p>&e11;</p></body></html>'.encode()


HOSTILE: dict[str, tuple[str, Callable[[], bytes], set[str]]] = {
    "operator bomb": ("a.pdf", operator_bomb, {"timeout", "memory"}),
    "text bomb": ("b.pdf", text_bomb, {"timeout", "memory", "no_text"}),
    "page tree that is its own child": ("c.pdf", page_tree_loop, {"pdf_broken"}),
    "page tree of a billion pages": ("d.pdf", page_tree_bomb, {"too_large", "pdf_broken", "timeout"}),
    "form that draws itself": ("e.pdf", form_loop, {"no_text", "pdf_broken"}),
    "ten thousand pages": ("f.pdf", many_pages, {"too_large"}),
    "encrypted": ("g.pdf", encrypted, {"pdf_encrypted"}),
    "cut off": ("h.pdf", cut_off, {"pdf_broken"}),
    "scan": ("i.pdf", scan, {"scanned"}),
    "page that says it is a PDF": ("j.pdf", lambda: b"<html><body>%PDF-</body></html>" + b" " * 2000, {"not_a_pdf", "pdf_broken"}),
    "picture that says it is a PDF": ("k.pdf", lambda: b"\x89PNG\r\n\x1a\n" + bytes(500), {"not_a_pdf"}),
    "nothing at all": ("l.pdf", lambda: b"", {"not_a_pdf"}),
    "larger than allowed": ("m.pdf", lambda: b"%PDF-1.7" + bytes(9_000_000), {"too_large"}),
    "page nested without end": ("n.html", lambda: b"<html><body>" + b"<div>" * 300_000, {"too_deep"}),
    "entities of entities": ("o.html", entity_bomb, {"no_text", "not_html"}),
    "thousands of articles in articles": ("p.html", lambda: b"<article>" * 200 + b"<p>x" * 900_000, {"timeout", "memory", "no_text", "too_deep", "too_large"}),
    "nothing but zeros": ("q.html", lambda: bytes(5000), {"not_html"}),
    "zeros, packed": ("r.gz", lambda: gzip.compress(bytes(30_000_000)), {"not_latex"}),
    "archive that unpacks to gigabytes": ("s.tar.gz", lambda: tar(("main.tex", b"\\documentclass{a}"), ("z.png", bytes(210_000_000))), {"unsafe_archive", "timeout"}),
    "member that claims eight gigabytes": ("t.tar.gz", lambda: claims(8 << 30), {"unsafe_archive"}),
    "member outside the archive": ("u.tar.gz", lambda: tar(("../../evil.tex", latex(""))), {"unsafe_archive"}),
    "member with an absolute path": ("v.tar.gz", lambda: tar(("/etc/evil.tex", latex(""))), {"unsafe_archive"}),
    "link to a file of the machine": ("w.tar.gz", lambda: tar((link("/etc/passwd"), b"")), {"not_latex"}),
    "file that includes itself": ("x.tar.gz", lambda: tar(("main.tex", latex("\\input{main}"))), {"too_deep"}),
    "two files that include each other": ("y.tar.gz", lambda: tar(("a.tex", latex("\\input{b}")), ("b.tex", b"x \\input{a} y")), {"too_deep"}),
    "macro that calls itself": ("z.tex", lambda: latex("\\def\\a{\\a\\a}\\a"), {"too_deep", "too_large"}),
    "macros of macros": ("A.tex", macro_bomb, {"too_deep", "too_large", "timeout"}),
    "notes in notes": ("B.tex", lambda: latex("\\footnote{" * 5000 + "}" * 5000), {"too_deep", "timeout"}),
    "packed PDF in place of a source": ("C.gz", lambda: gzip.compress(pdf()), {"not_latex"}),
    "cut off archive": ("D.tar.gz", lambda: tar(("main.tex", latex("")), ("b.tex", os.urandom(9000)))[:-5000], {"file_broken"}),
    "empty subtitles": ("E.vtt", lambda: b"WEBVTT\n\n" * 1000, {"no_text"}),
    "bytes as a guide": ("F.txt", lambda: bytes(range(256)) * 9, {"not_text"}),
    "brackets without end": ("G.md", lambda: (b"[" * 200_000) + WORDS.encode(), {"timeout", "memory", "too_deep", ""}),
}  # fmt: skip
"""What it is → file name, its bytes, the reasons that fit ("" where it may be read as well)."""


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Document | DocumentUnreadable]:
    """Every hostile file in one batch, a good one after each."""
    folder = tmp_path_factory.mktemp("hostile")
    requests: list[ReadRequest] = []
    (folder / "good.pdf").write_bytes(pdf())
    for name, write, _ in HOSTILE.values():
        (folder / name).write_bytes(write())
        requests += [ReadRequest(folder / name, kind=KINDS[Path(name).suffix]), ReadRequest(folder / "good.pdf")]
    with PdfReader(SETTINGS, workers=2) as reader:
        answers = list(reader.read_many(requests))
    named = dict(zip(HOSTILE, answers[::2], strict=True))
    return {**named, **{f"good {n}": answer for n, answer in enumerate(answers[1::2])}}


@pytest.mark.parametrize("what", list(HOSTILE))
def test_reason(what: str, batch: dict[str, Document | DocumentUnreadable]) -> None:
    answer = batch[what]
    assert (answer.reason if isinstance(answer, DocumentUnreadable) else "") in HOSTILE[what][2], answer


def test_rest_of_the_batch_is_unharmed(batch: dict[str, Document | DocumentUnreadable]) -> None:
    good = [answer for what, answer in batch.items() if what.startswith("good ")]
    assert len(good) == len(HOSTILE)
    assert all(isinstance(answer, Document) and answer == good[0] for answer in good)


def test_archive_is_unpacked_no_further_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tar(("main.tex", latex("")), ("z.png", bytes(20_000_000)))
    assert "main.tex" in latex_archive.open_source(bomb, "x.tar.gz").files
    monkeypatch.setattr(latex_archive, "MOST_UNPACKED", 10_000_000)
    with pytest.raises(UnreadableError) as caught:
        latex_archive.open_source(bomb, "x.tar.gz")
    assert caught.value.reason == "unsafe_archive"


def names() -> Iterator[tuple[str, Callable[[Path], None]]]:
    yield "link to a device", lambda path: path.symlink_to("/dev/zero")
    yield "link to itself", lambda path: path.symlink_to(path)
    yield "link to nothing", lambda path: path.symlink_to(path.parent / "gone")
    yield "pipe", lambda path: os.mkfifo(path)
    yield "folder", lambda path: path.mkdir()


@pytest.mark.parametrize("make", [make for _, make in names()], ids=[name for name, _ in names()])
def test_what_is_no_file_is_rejected_at_once(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "paper.pdf")
    with PdfReader(SETTINGS, workers=1) as reader, pytest.raises(DocumentUnreadable) as caught:
        reader.read(tmp_path / "paper.pdf")
    assert caught.value.reason == "file_broken"


def test_odd_file_names(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("two\nlines.pdf", 'quote".pdf', "ünï.pdf", "-rf.pdf", "$(id).pdf")]
    for path in paths:
        path.write_bytes(pdf())
    with PdfReader(SETTINGS, workers=1) as reader:
        assert all(reader.read(path).pages == 1 for path in paths)
