"""arXiv's OAI-PMH interface, element by element as arXiv's own server writes it (https://github.com/arXiv/oaipmh).

Records are listed by the day of their last change. A resumption token holds the request and how many records to skip,
as arXiv's does; it can be made to expire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlencode
from xml.sax.saxutils import escape, quoteattr

from paperlora.sandbox.library import ARXIV_ID, Entry, Library

FORMATS = {"arXiv": "http://arxiv.org/OAI/arXiv/", "arXivRaw": "http://arxiv.org/OAI/arXivRaw/"}
EARLIEST = "1997-01-30"
PAGE_SIZE = 2000
"""Records a page at arXiv."""
_PREFIX = "oai:arXiv.org:"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">\n'
)
_ARGUMENTS: Mapping[str, frozenset[str]] = {
    "Identify": frozenset(),
    "ListSets": frozenset(),
    "GetRecord": frozenset({"identifier", "metadataPrefix"}),
    "ListRecords": frozenset({"metadataPrefix", "from", "until", "set"}),
}


class OaiError(Exception):
    """A mistake in a request, answered with status 200 and an ``error``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class Item(NamedTuple):
    """All versions of one paper, or what is left of a deleted one."""

    arxiv_id: str
    day: str
    """ISO day of its last change."""
    versions: tuple[Entry, ...]
    """Oldest first; empty for a deleted paper."""

    @property
    def sets(self) -> tuple[str, ...]:
        """``cs``, ``cs:cs``, ``cs:cs:CL`` for cs.CL."""
        named = (category.partition(".") for category in (self.versions[-1].categories if self.versions else ()))
        return tuple(
            dict.fromkeys(
                name for group, _, rest in named for name in (group, f"{group}:{group}", f"{group}:{group}:{rest}")
            )
        )


def answer(
    library: Library,
    parameters: Mapping[str, str],
    base_url: str,
    page_size: int,
    *,
    expired: bool = False,
    empty: bool = False,
) -> str:
    """The answer to a request.

    Args:
        base_url: address of the interface.
        page_size: records a page.
        expired: every resumption token is refused.
        empty: leave the records out.
    """
    verb = parameters.get("verb", "")
    try:
        if verb not in _ARGUMENTS:
            raise OaiError("badVerb", "Unknown verb" if verb else "No verb provided")
        inside = _VERBS[verb](library, _checked(parameters, expired=expired), page_size, empty)
    except OaiError as error:
        inside = f'<error code="{error.code}">{escape(error.message)}</error>'
        parameters = {}
    told = "".join(f" {name}={quoteattr(value)}" for name, value in parameters.items())
    now = f"{library.today}T06:00:00Z"
    return f"{_HEAD}  <responseDate>{now}</responseDate>\n  <request{told}>{escape(base_url)}</request>\n  {inside}\n</OAI-PMH>\n"


def _checked(parameters: Mapping[str, str], *, expired: bool) -> dict[str, str]:
    """The arguments of a request, those in its resumption token included."""
    verb, given = parameters["verb"], {name: value for name, value in parameters.items() if name != "verb"}
    if "resumptionToken" in given:
        if len(given) > 1:
            raise OaiError("badArgument", "No other parameters allowed with resumptionToken")
        if verb != "ListRecords" or expired:
            raise OaiError("badResumptionToken", "The resumption token has expired")
        return _from_token(given["resumptionToken"])
    if unknown := set(given) - _ARGUMENTS[verb]:
        raise OaiError("badArgument", f"Unallowed parameter: {', '.join(sorted(unknown))}")
    if "metadataPrefix" in _ARGUMENTS[verb] and given.get("metadataPrefix") not in FORMATS:
        code = "cannotDisseminateFormat" if "metadataPrefix" in given else "badArgument"
        raise OaiError(code, "Did not recognize requested format")
    for name in ("from", "until"):
        if name in given and not _is_day(given[name]):
            raise OaiError("badArgument", f"{name} must be a date like 2099-01-31")
    return given


def _is_day(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _token(arguments: Mapping[str, str], skip: int) -> str:
    return quote(urlencode({**arguments, "skip": str(skip)}))


def _from_token(token: str) -> dict[str, str]:
    found = {name: values[0] for name, values in parse_qs(unquote(token)).items()}
    if not found.get("skip", "").isdigit() or found.get("metadataPrefix") not in FORMATS:
        raise OaiError("badResumptionToken", "Token decoding failed or format is invalid")
    return found


# ----------------------------------------------------------------------- verbs


def _identify(library: Library, arguments: Mapping[str, str], page_size: int, empty: bool) -> str:
    return (
        "<Identify><repositoryName>arXiv</repositoryName><baseURL>https://oaipmh.arxiv.org/oai</baseURL>"
        "<protocolVersion>2.0</protocolVersion><adminEmail>help@arxiv.org</adminEmail>"
        f"<earliestDatestamp>{EARLIEST}</earliestDatestamp><deletedRecord>persistent</deletedRecord>"
        "<granularity>YYYY-MM-DD</granularity></Identify>"
    )


def _list_sets(library: Library, arguments: Mapping[str, str], page_size: int, empty: bool) -> str:
    names = sorted({name for item in _items(library) for name in item.sets})
    return f"<ListSets>{''.join(f'<set><setSpec>{name}</setSpec><setName>{name}</setName></set>' for name in names)}</ListSets>"


def _get_record(library: Library, arguments: Mapping[str, str], page_size: int, empty: bool) -> str:
    name = arguments.get("identifier", "")
    if not name.startswith(_PREFIX) or not ARXIV_ID.fullmatch(name.removeprefix(_PREFIX)):
        raise OaiError("badArgument", "Invalid identifier")
    found = next((item for item in _items(library) if item.arxiv_id == name.removeprefix(_PREFIX)), None)
    if found is None:
        raise OaiError("idDoesNotExist", "Nothing found for this id")
    return f"<GetRecord>{_record(found, arguments['metadataPrefix'])}</GetRecord>"


def _list_records(library: Library, arguments: Mapping[str, str], page_size: int, empty: bool) -> str:
    low, high, wanted = arguments.get("from", ""), arguments.get("until", "~"), arguments.get("set", "")
    # What is left of a deleted paper names no set: it is in all of them.
    found = [
        item for item in _items(library)
        if low <= item.day <= high and (not wanted or not item.versions or wanted in item.sets)
    ]  # fmt: skip
    if wanted and not any(wanted in item.sets for item in _items(library)):
        raise OaiError("badArgument", "Set does not exist")
    start = int(arguments.get("skip", 0))
    page, more = found[start : start + page_size], len(found) > start + page_size
    if not page:
        raise OaiError("noRecordsMatch", "No records match this query")
    kept = {name: value for name, value in arguments.items() if name != "skip"}
    records = "" if empty else "\n".join(_record(item, arguments["metadataPrefix"]) for item in page)
    expires = f"{library.today}T23:59:59Z"
    token = (
        f'<resumptionToken expires="{expires}">{escape(_token(kept, start + page_size))}</resumptionToken>'
        if more
        else ""
    )
    return f"<ListRecords>{records}{token or ('<resumptionToken/>' if start else '')}</ListRecords>"


_VERBS: Mapping[str, Callable[[Library, Mapping[str, str], int, bool], str]] = {
    "Identify": _identify, "ListSets": _list_sets, "GetRecord": _get_record, "ListRecords": _list_records,
}  # fmt: skip


def _items(library: Library) -> Sequence[Item]:
    """Papers by the day of their last change."""
    versions: dict[str, list[Entry]] = {}
    for entry in library.entries:
        if entry.arxiv_id:
            versions.setdefault(entry.arxiv_id, []).append(entry)
    items = [
        Item(name, max(entry.stamp for entry in group), tuple(sorted(group, key=lambda entry: entry.version)))
        for name, group in versions.items()
    ]
    items += [Item(name, day, ()) for name, day in library.deleted.items()]
    return sorted(items, key=lambda item: (item.day, item.arxiv_id))


# --------------------------------------------------------------------- records


def _record(item: Item, form: str) -> str:
    status = "" if item.versions else ' status="deleted"'
    sets = "".join(f"<setSpec>{name}</setSpec>" for name in item.sets)
    header = f"<header{status}><identifier>{_PREFIX}{item.arxiv_id}</identifier><datestamp>{item.day}</datestamp>{sets}</header>"
    if not item.versions:
        return f"<record>{header}</record>"
    fields = _raw(item) if form == "arXivRaw" else _plain(item)
    return (
        f'<record>{header}<metadata><{form} xmlns="{FORMATS[form]}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{FORMATS[form]} {FORMATS[form].rstrip("/")}.xsd">{"".join(fields)}</{form}></metadata></record>'
    )


def _raw(item: Item) -> Iterator[str]:
    newest = item.versions[-1]
    yield f"<id>{item.arxiv_id}</id>"
    yield f"<submitter>{escape(newest.authors[0] if newest.authors else 'Anonymous')}</submitter>"
    for entry in item.versions:
        flag = "<source_type>I</source_type>" if entry.withdrawn else "<source_type>D</source_type>"
        when = f"{entry.updated.astimezone(UTC):%a, %d %b %Y %H:%M:%S GMT}"
        yield f'<version version="v{entry.version}"><date>{when}</date><size>{0 if entry.withdrawn else 214}kb</size>{flag}</version>'
    yield f"<title>{escape(newest.title)}</title><authors>{escape(', '.join(newest.authors))}</authors>"
    yield from _shared(newest)


def _plain(item: Item) -> Iterator[str]:
    first, newest = item.versions[0], item.versions[-1]
    yield f"<id>{item.arxiv_id}</id><created>{first.updated:%Y-%m-%d}</created>"
    if newest.version > 1:
        yield f"<updated>{newest.updated:%Y-%m-%d}</updated>"
    named = (author.rpartition(" ") for author in newest.authors)
    people = "".join(
        f"<author><keyname>{escape(last)}</keyname><forenames>{escape(first_names)}</forenames></author>"
        for first_names, _, last in named
    )
    yield f"<authors>{people}</authors><title>{escape(newest.title)}</title>"
    yield from _shared(newest)


def _shared(entry: Entry) -> Iterator[str]:
    yield f"<categories>{' '.join(entry.categories)}</categories>"
    optional = {"comments": entry.comment, "doi": entry.doi, "license": entry.licence}
    yield from (f"<{name}>{escape(value)}</{name}>" for name, value in optional.items() if value)
    yield f"<abstract>{escape(entry.abstract)}</abstract>"
