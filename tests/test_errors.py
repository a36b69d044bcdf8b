"""Errors travel between processes whole, and each says what to do."""

from __future__ import annotations

import pickle

import pytest

from paperlora import errors
from paperlora.errors import DocumentUnreadable, LlmAnswerInvalid, PaperLoraError, SourceUnavailable

TREE = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, PaperLoraError)]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_survives_pickling_and_names_a_remedy(kind: type[PaperLoraError]) -> None:
    error = pickle.loads(pickle.dumps(kind("It broke.", "Mend it.")))
    assert type(error) is kind
    assert (error.message, error.remedy, str(error)) == ("It broke.", "Mend it.", "It broke. Mend it.")
    assert kind("It broke.").remedy


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_stands_in_the_drawn_tree(kind: type[PaperLoraError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")


def test_attributes_survive() -> None:
    assert pickle.loads(pickle.dumps(SourceUnavailable("x", retry_after=7.0))).retry_after == 7.0
    assert pickle.loads(pickle.dumps(DocumentUnreadable("x", reason="no_text"))).reason == "no_text"
    assert pickle.loads(pickle.dumps(LlmAnswerInvalid("x", reason="llm_empty"))).reason == "llm_empty"


def test_only_transient_errors_are_tried_again() -> None:
    assert {kind.__name__ for kind in TREE if kind.transient} == {
        "SourceUnavailable", "SourceResting", "AddressNotAllowed", "SourceAnswerInvalid", "LlmUnavailable",
    }  # fmt: skip
