"""The bytes of one PDF as a document's plain fields, or the reason why not."""

from __future__ import annotations

from typing import Any

from paperlora.literature.limits import Limits, UnreadableError
from paperlora.literature.pdf_engine import pymupdf
from paperlora.literature.pdf_layout import read_layout

END_MARK_WITHIN = 8192
"""Bytes before a file's end in which ``%%EOF`` must stand."""
CHARACTERS_A_PAGE = 40
"""Fewer characters of body text a page on average: there is nothing to read."""
OCR_DPI = 200
LOOKED_AT = 8
"""Pages that tell whether a file without text is a scan."""
PICTURE_SHARE = 0.6
"""A picture that covers more of a page is a scan of it."""
OUT_OF_MEMORY = ("alloc", "memory", "Cannot allocate")


def read(data: bytes, limits: Limits, name: str) -> dict[str, Any]:
    """The layout of one PDF.

    Args:
        data: the file's bytes.
        limits: of pages.
        name: of the file, not needed here.

    Raises:
        UnreadableError: with its reason.
    """
    if b"%PDF-" not in data[:1024]:
        raise UnreadableError("not_a_pdf", f"it begins with {data[:16]!r}")
    try:
        document = pymupdf.open(stream=data, filetype="pdf")
    except Exception as error:  # PyMuPDF raises half a dozen unrelated types for a broken file
        raise UnreadableError("pdf_broken", str(error)) from error
    _check(document, data, limits)
    layout = _layout(document, limits)
    found = _sparse(layout)
    if found and _is_scan(document):
        if not limits.ocr_language:
            raise UnreadableError("scanned", f"{found}, which are pictures")
        layout = _layout(_recognised(document, limits.ocr_language), limits)
        found = _sparse(layout)
    if found:
        raise UnreadableError("no_text", found)
    return layout


def _layout(document: Any, limits: Limits) -> dict[str, Any]:
    try:
        return read_layout(document, limits.pages)
    except (MemoryError, UnreadableError):
        raise
    except Exception as error:  # as above
        raise UnreadableError(_reason(str(error)), f"{type(error).__name__}: {error}") from error


def _sparse(layout: dict[str, Any]) -> str:
    """In words how little text there is; empty where it is enough."""
    characters = sum(len(section["text"]) for section in layout["sections"])
    enough = characters >= CHARACTERS_A_PAGE * layout["pages"]
    return "" if enough else f"{characters} characters of text on {layout['pages']} pages"


def _recognised(document: Any, language: str) -> Any:
    """The pages as pictures with their text, recognised, in invisible ink; MuPDF brings Tesseract along, not its data."""
    pages = pymupdf.open()
    for page in document:
        picture = page.get_pixmap(dpi=OCR_DPI)  # in colour: in grey ones Tesseract finds nothing
        try:
            data = picture.pdfocr_tobytes(language=language)
        except Exception as error:  # as above
            raise UnreadableError("scanned", f"no character recognition in {language}: {error}") from error
        with pymupdf.open("pdf", data) as one:
            pages.insert_pdf(one)
    return pages


def _is_scan(document: Any) -> bool:
    """Most of the first pages are filled by a picture."""
    pages = [document[number] for number in range(min(document.page_count, LOOKED_AT))]
    return 2 * sum(any(_fills(info["bbox"], page) for info in page.get_image_info()) for page in pages) > len(pages)


def _fills(box: tuple[float, float, float, float], page: Any) -> bool:
    seen = pymupdf.Rect(box) & page.rect
    return bool(abs(seen.width * seen.height) > PICTURE_SHARE * page.rect.width * page.rect.height)


def _check(document: Any, data: bytes, limits: Limits) -> None:
    if document.needs_pass:
        raise UnreadableError("pdf_encrypted", "it needs a password")
    if not document.is_pdf:
        raise UnreadableError("not_a_pdf", "its content is of another kind")
    try:
        pages = document.page_count
    except RuntimeError as error:
        raise UnreadableError("pdf_broken", str(error)) from error
    if pages == 0:
        raise UnreadableError("pdf_broken", "it has no page")
    if pages > limits.pages:
        raise UnreadableError("too_large", f"{pages} pages, more than {limits.pages}")
    if document.is_repaired and b"%%EOF" not in data[-END_MARK_WITHIN:]:
        raise UnreadableError("pdf_broken", f"it is cut off: {pages} pages could be saved")


def _reason(message: str) -> str:
    return "memory" if any(word in message for word in OUT_OF_MEMORY) else "pdf_broken"
