"""distilabel's own pipeline over a folder of texts. Runs in the peer's environment, which has nothing of ours.

Arguments: the endpoint's URL, the folder, the model.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

_PROMPT = "Create question-answer pairs from this text for LLM training. Return JSON format only.\n\nText:\n{text}"
_CHUNK = 4000


def main(url: str, folder: str, model: str) -> None:
    """Make pairs of every chunk.

    Raises:
        SystemExit: nothing came out.
    """
    from distilabel.models.llms import OpenAILLM  # type: ignore[import-not-found]
    from distilabel.pipeline import Pipeline  # type: ignore[import-not-found]
    from distilabel.steps import LoadDataFromDicts  # type: ignore[import-not-found]
    from distilabel.steps.tasks import TextGeneration  # type: ignore[import-not-found]

    rows: list[dict[str, Any]] = []
    for path in sorted(Path(folder).glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        rows += [
            {"instruction": _PROMPT.format(text=text[start : start + _CHUNK])} for start in range(0, len(text), _CHUNK)
        ]
    with Pipeline(name="pairs") as pipeline:
        load = LoadDataFromDicts(data=rows)
        llm = OpenAILLM(model=model, base_url=url, api_key="none", generation_kwargs={"max_new_tokens": 2048})
        ask = TextGeneration(llm=llm)
        load >> ask
    made = pipeline.run(use_cache=False)["default"]["train"]
    if not any(made["generation"]):
        sys.exit("it made nothing")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main(*sys.argv[1:])
