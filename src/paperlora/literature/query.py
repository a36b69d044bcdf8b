"""arXiv's query syntax on records that are here already."""

from __future__ import annotations

from paperlora.records import Paper


def matches(query: str, paper: Paper) -> bool:
    """The paper fits an arXiv query.

    Raises:
        SourceRefused: the query is malformed.
    """
    raise NotImplementedError  # follows within the hour
