"""PyMuPDF without its page model, which drags in onnxruntime and numpy (0.2 s a process) and is not used here."""

import sys

sys.modules.setdefault("pymupdf.layout", None)  # type: ignore[arg-type]

import pymupdf  # noqa: E402

__all__ = ["pymupdf"]
