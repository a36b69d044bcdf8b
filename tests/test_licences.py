"""What may be published: the licences that arXiv, OpenAlex and Semantic Scholar really name."""

from __future__ import annotations

import pytest

from paperlora.licences import licence_id, publishing, shared_licence


@pytest.mark.parametrize(("licence", "name", "allowed"), [
    ("http://creativecommons.org/licenses/by/4.0/", "cc-by-4.0", True),
    ("https://creativecommons.org/licenses/by-sa/4.0/", "cc-by-sa-4.0", True),
    ("http://creativecommons.org/licenses/by-nc-sa/3.0/", "cc-by-nc-sa-3.0", True),
    ("http://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0", True),
    ("cc-by", "cc-by-4.0", True),
    ("CC BY-NC 4.0", "cc-by-nc-4.0", True),
    ("mit", "mit", True),
    ("http://creativecommons.org/licenses/by-nc-nd/4.0/", "cc-by-nc-nd-4.0", False),
    ("http://creativecommons.org/licenses/by-nd/4.0/", "cc-by-nd-4.0", False),
    ("http://arxiv.org/licenses/nonexclusive-distrib/1.0/", "other", False),
    ("publisher-specific-oa", "other", False),
    ("", "unknown", False),
    (None, "unknown", False),
])  # fmt: skip
def test_only_a_licence_that_allows_adaptations_lets_rows_pass(licence: str | None, name: str, allowed: bool) -> None:
    permission = publishing(licence)
    assert (licence_id(licence), permission.licence, permission.allowed) == (name, name, allowed)
    assert permission.reason


def test_conditions_are_named() -> None:
    assert "non-commercially" in publishing("cc-by-nc-sa").reason and "same licence" in publishing("cc-by-nc-sa").reason
    assert "adaptations" in publishing("cc-by-nd").reason


def test_different_licences_together_have_no_single_name() -> None:
    assert shared_licence(["cc-by", "http://creativecommons.org/licenses/by/4.0/"]) == "cc-by-4.0"
    assert shared_licence(["cc-by", "cc0"]) == "other"
