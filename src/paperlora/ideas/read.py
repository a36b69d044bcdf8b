"""Document → ideas: one of two readers proposes, the same gates decide, and a second reading holds them to the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

from paperlora.errors import BudgetExhausted, LlmAnswerInvalid, LlmError, LlmUnavailable, SettingsError
from paperlora.ideas import checking, extractive, llm_reader
from paperlora.ideas.asking import Spent
from paperlora.ideas.coverage import SectionCoverage, coverage
from paperlora.ideas.drafts import Drafts
from paperlora.ideas.gates import Passed, arrange, avoided_ideas, ground
from paperlora.ideas.llm_reader import Job
from paperlora.llm.client import CLIENT_VERSION, LlmClient, Question
from paperlora.progress import Progress, silent
from paperlora.prompts import load_pair
from paperlora.records import Document, Idea, Lesson, Paper, Reject, Topic, digest
from paperlora.settings import Settings
from paperlora.store import slug

__all__ = ["GATES_VERSION", "IdeasFound", "Job", "find_ideas", "find_ideas_many", "ideas_key", "questions", "reader_id"]

GATES_VERSION = "2"
"""Changes whenever the same drafts could pass otherwise; part of the cache key."""
_NOTHING = Spent(0, 0, 0, 0, 0)


class IdeasFound(NamedTuple):
    """The ideas of one document, best first, and everything that was dropped."""

    ideas: tuple[Idea, ...]
    rejects: tuple[Reject, ...]
    counts: dict[str, int]
    prompts: dict[str, str]
    """Prompt name → hash; empty for the extractive reader."""
    coverage: tuple[SectionCoverage, ...] = ()
    """Section by section: what was read, proposed and kept."""


def reader_id(settings: Settings) -> str:
    """Who reads: ``extractive/<version>`` or ``llm/<model>``; stands in every idea."""
    return (
        f"extractive/{extractive.EXTRACTIVE_VERSION}"
        if settings.llm.provider == "extractive"
        else f"llm/{settings.llm.model}"
    )


def ideas_key(document_hash: str, paper: Paper, topic: Topic, lessons: Sequence[Lesson], settings: Settings) -> str:
    """Folder name of a document's ideas: equal where everything that decides them is equal, and nowhere else."""
    decisive = (document_hash, paper.key, paper.title, topic.name, *_decisive(paper, topic, lessons, settings))
    return f"{slug(paper.key)}-{digest(*decisive)[:12]}"


def _decisive(paper: Paper, topic: Topic, lessons: Sequence[Lesson], settings: Settings) -> tuple[object, ...]:
    """What else than the document decides: a lesson only counts where it can change the result."""
    avoided = avoided_ideas([lesson for lesson in lessons if lesson.paper in (paper.key, paper.id)])
    common = (reader_id(settings), GATES_VERSION, settings.ideas.max_per_paper, sorted(avoided))
    if settings.llm.provider == "extractive":
        return common
    # The topic's other lessons stand in the prompt, but reopen nothing: else every night would ask every paper anew.
    prompts = (load_pair(llm_reader.PROMPT).hash, load_pair(checking.PROMPT).hash if settings.ideas.check else "")
    asked = (*prompts, topic.angle, settings.llm.max_tokens, settings.ideas.max_sections)
    return (*common, llm_reader.LLM_READER_VERSION, CLIENT_VERSION, *asked)


def find_ideas(
    document: Document,
    paper: Paper,
    topic: Topic,
    lessons: Sequence[Lesson],
    settings: Settings,
    llm: LlmClient | None,
    progress: Progress = silent,
) -> IdeasFound:
    """Read the ideas out of one document.

    Args:
        lessons: what earlier verdicts taught: they go into the LLM's prompt, and an idea that one advises against is
            rejected.
        llm: needed where the settings name an LLM; None for the extractive reader.

    Raises:
        SettingsError: the settings name an LLM and there is none.
        LlmUnavailable, LlmRefused, BudgetExhausted: the endpoint can't be asked (further).
    """
    job = Job(document, paper, topic, lessons)
    return _read_together([job], settings, llm, progress)[0]


def find_ideas_many(
    jobs: Sequence[Job], settings: Settings, llm: LlmClient | None, progress: Progress = silent
) -> Iterator[tuple[int, IdeasFound | LlmError]]:
    """Read the ideas out of many documents, several at once, so that the endpoint stays busy.

    Yields:
        The index of a job and what was found, in the order of completion, or why nothing could be: no passage of the
        paper got a usable answer, the budget is spent, or the endpoint fails at this paper. Such a paper may be read
        again later; what was answered is kept by the client.

    Raises:
        SettingsError: the settings name an LLM and there is none.
        LlmRefused: key, model or address are wrong.
        LlmUnavailable: the endpoint fails at two papers in a row; what was answered is kept.
    """
    if settings.llm.provider == "extractive" or settings.llm.batch:
        yield from _in_one_go(jobs, settings, llm, progress)
    else:
        yield from _side_by_side(jobs, settings, llm, progress)


def questions(jobs: Sequence[Job], settings: Settings) -> list[Question]:
    """What a first reading will ask, for an estimate of requests and money; none for the extractive reader.

    The second reading comes on top: one question for six ideas.
    """
    return [] if settings.llm.provider == "extractive" else list(llm_reader.questions(jobs, settings))


def _in_one_go(
    jobs: Sequence[Job], settings: Settings, llm: LlmClient | None, progress: Progress
) -> Iterator[tuple[int, IdeasFound | LlmError]]:
    """All questions in one call: what a provider's Batch API wants."""
    try:
        found = _read_together(jobs, settings, llm, progress)
    except BudgetExhausted as error:
        yield from ((number, error) for number in range(len(jobs)))
        return
    for number, (job, one) in enumerate(zip(jobs, found, strict=True)):
        yield number, _unread(job, one) or one


def _side_by_side(
    jobs: Sequence[Job], settings: Settings, llm: LlmClient | None, progress: Progress
) -> Iterator[tuple[int, IdeasFound | LlmError]]:
    """Each paper on its own way, several at once: while one is weighed or checked the others keep the endpoint busy.

    The client bounds the requests in flight over all of them.
    """
    failed = False
    with ThreadPoolExecutor(max_workers=max(1, min(len(jobs), settings.ideas.batch))) as pool:
        numbers = {pool.submit(_read_one, job, settings, llm): number for number, job in enumerate(jobs)}
        try:
            for done, future in enumerate(as_completed(numbers), start=1):
                result = future.result()
                if isinstance(result, LlmUnavailable) and failed:
                    raise result
                failed = isinstance(result, LlmUnavailable)
                progress("papers read", done, len(jobs))
                yield numbers[future], result
        finally:
            pool.shutdown(cancel_futures=True)


def _read_one(job: Job, settings: Settings, llm: LlmClient | None) -> IdeasFound | LlmError:
    try:
        (found,) = _read_together([job], settings, llm, silent)
    except (LlmUnavailable, BudgetExhausted) as error:
        return error
    return _unread(job, found) or found


def _unread(job: Job, found: IdeasFound) -> LlmAnswerInvalid | None:
    """An error where no passage at all got a usable answer: such a paper counts as not read, not as empty."""
    passages, failed = (sum(getattr(one, name) for one in found.coverage) for name in ("passages", "failed"))
    if not passages or failed < passages or found.counts["claims"]:
        return None
    reason = next(reject.reason for reject in found.rejects if reject.reason.startswith("llm_"))
    return LlmAnswerInvalid(f"No passage of {job.paper.key} got a usable answer.", reason=reason)


def _read_together(
    jobs: Sequence[Job], settings: Settings, llm: LlmClient | None, progress: Progress
) -> list[IdeasFound]:
    if settings.llm.provider == "extractive":
        limit = settings.ideas.max_per_paper
        read = tuple(extractive.extract(job.document, job.paper, job.topic, limit) for job in jobs)
        llm = None
    elif llm is not None:
        read = llm_reader.extract(jobs, settings, llm, progress)
    else:
        raise SettingsError("The settings name an LLM as the reader, but no client was made for it.")
    reader = reader_id(settings)
    passed = [
        ground(drafts.drafts, job.document, job.paper, job.topic, reader)
        for job, drafts in zip(jobs, read, strict=True)
    ]
    opinions = _checked(jobs, passed, llm if settings.ideas.check else None, progress)
    return [
        _found(job, drafts, one, opinions, settings.ideas.max_per_paper)
        for job, drafts, one in zip(jobs, read, passed, strict=True)
    ]


def _checked(
    jobs: Sequence[Job], passed: Sequence[Passed], llm: LlmClient | None, progress: Progress
) -> checking.Opinions | None:
    if llm is None:
        return None
    candidates = [
        checking.Candidate(job.document, idea) for job, one in zip(jobs, passed, strict=True) for idea in one.ideas
    ]
    return checking.second_reading(candidates, llm, progress)


def _found(job: Job, read: Drafts, passed: Passed, opinions: checking.Opinions | None, limit: int) -> IdeasFound:
    checked = checking.supported(passed.ideas, opinions.of) if opinions else checking.Checked(passed.ideas, ())
    kept = arrange(checked.ideas, job.paper, job.lessons, limit)
    rejects = (*read.rejects, *passed.rejects, *checked.rejects, *kept.rejects)
    seen = coverage(job.document, read, kept.ideas)
    counts = read.counts | {
        "ideas": len(kept.ideas),
        "quotes_snapped": passed.snapped,
        "rejects": len(rejects),
        "sections_with_ideas": sum(one.ideas > 0 for one in seen),
    }
    prompts = dict(read.prompts)
    if opinions:
        cost = opinions.cost.get(job.paper.key, _NOTHING)
        counts |= {"checks": cost.asked} | {
            name: counts[name] + value
            for name, value in zip(
                ("llm_cached", "llm_repaired", "input_tokens", "output_tokens"), cost[1:], strict=True
            )
        }
        prompts[checking.PROMPT] = opinions.prompt.hash
    return IdeasFound(kept.ideas, rejects, counts, prompts, seen)
