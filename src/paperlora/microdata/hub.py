"""A published folder → the Hugging Face hub, or any server that speaks its API."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from paperlora.errors import HubError, SettingsError
from paperlora.microdata.publish import KIND
from paperlora.store import read_manifest


class Pushed(NamedTuple):
    """Where the dataset is now."""

    repository: str
    url: str
    commit: str


def push(folder: Path, repository: str, *, private: bool = True, message: str = "PaperLoRA rows and probes") -> Pushed:
    """Upload a folder that :func:`paperlora.microdata.publish.publish` wrote: everything in one commit.

    The token comes from HF_TOKEN or `hf auth login`, the address from HF_ENDPOINT: both are the hub library's own.

    Args:
        folder: a complete published folder; no other is taken, so that nothing passes by the licences.
        repository: ``user/name``; made where it isn't there.
        private: visible to you alone, where the repository is made now.

    Raises:
        SettingsError: the folder is no published one, or the repository's name is none.
        HubError: the hub can't be reached or refuses.
    """
    import httpx2  # what the hub's library speaks HTTP with
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if read_manifest(folder).kind != KIND:
        raise SettingsError(f"{folder} was not written by `paperlora publish`.", "Publish the datasets first, then push that folder.")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    changes = [CommitOperationAdd(path.relative_to(folder).as_posix(), str(path)) for path in files]
    hub = HfApi()
    try:
        hub.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        commit = hub.create_commit(repository, changes, commit_message=message, repo_type="dataset")
    except HFValidationError as error:
        raise SettingsError(f"{repository} is no name of a repository: {error}", "Name it like user/dataset.") from error
    except HfHubHTTPError as error:
        raise HubError(f"The hub refuses: {_said(error)}.") from error
    except (OSError, httpx2.TransportError) as error:
        raise HubError(f"The hub at {hub.endpoint} can't be reached: {error.__class__.__name__}.") from error
    return Pushed(repository, f"{hub.endpoint}/datasets/{repository}", commit.oid)


def _said(error: Exception) -> str:
    response = getattr(error, "response", None)
    words = getattr(error, "server_message", None) or str(error).strip().splitlines()[0]
    return f"{response.status_code}: {words}" if response is not None else words
