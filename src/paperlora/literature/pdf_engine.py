"""PyMuPDF without its page model, which drags in onnxruntime and numpy (0.2 s a process) and is not used here."""

import sys

for _unused in ("pymupdf.layout", "pymupdf4llm"):
    sys.modules.setdefault(_unused, None)  # type: ignore[arg-type]

import pymupdf  # noqa: E402

# Heights of lines as the fonts' glyphs have them. The page model sets this on import: without the line below, the
# layout would depend on what else a process has imported.
pymupdf.TOOLS.unset_quad_corrections(True)
pymupdf.TOOLS.mupdf_display_errors(False)
pymupdf.TOOLS.mupdf_display_warnings(False)

__all__ = ["pymupdf"]
