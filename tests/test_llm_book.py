"""The client's book as processes and machines share it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from waiting import being_made

from paperlora.llm.book import Book, Call, Hold, Limits, OpenBatch
from paperlora.llm.usage import Usage

pytest_plugins = ["postgres"]


def test_new_book_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    with being_made(tmp_path / "llm.sqlite"):
        book = Book(f"sqlite:///{tmp_path / 'llm.sqlite'}")
    book.keep("key", "m", "answer")
    assert book.answers(["key"]) == {"key": "answer"}
    book.close()


@pytest.mark.slow
def test_machines_share_one_budget_and_pay_no_question_twice(postgres_url: str) -> None:
    books = [Book(postgres_url) for _ in range(4)]
    books[0].open_run("night")
    limits, granted = Limits(None, 1000), [0] * len(books)

    def spend(place: int) -> None:
        book = books[place]
        for number in range(60):
            hold = Hold(f"{place}-{number}", "night", 0.0, 50, time.time() + 60)
            if book.hold(hold, limits):
                granted[place] += 1
                book.note(Call("night", "2031-01-01", "distill", "p", "m", Usage(20, 10), 0.5), hold)

    threads = [threading.Thread(target=spend, args=(place,)) for place in range(len(books))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = books[0].spent("night")
    assert spent == (sum(granted) * 0.5, sum(granted) * 30)
    assert 950 < spent[1] <= 1000
    (line,) = books[1].calls("night")
    assert (line["requests"], line["input_tokens"]) == (sum(granted), 20 * sum(granted))
    books[2].keep("key", "m", '{"a": 1}')
    books[3].keep("key", "m", '{"a": 2}')
    assert books[0].answers(["key", "none"]) == {"key": '{"a": 1}'}
    books[0].write_batch("e", OpenBatch("mark", "", ("k",)))
    books[1].write_batch("e", OpenBatch("mark", "remote", ("k",)))
    assert books[2].open_batches("e") == (OpenBatch("mark", "remote", ("k",)),)
    books[0].learn("e", {"level": 1}, time.time() + 60)
    books[1].learn("e", {"level": 2}, time.time() + 60)
    assert books[2].learnt("e")[0] == {"level": 2}
    for book in books:
        book.close()
