"""Errors from outside the program that a person can mend: a full disk, a folder that may not be written, a locked catalog."""

from __future__ import annotations

import errno

from rich.markup import escape

_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def said_of(error: BaseException | None, *, guess: bool = True) -> str | None:
    """One line on what happened and what to do, as rich markup; None where it is nothing of the kind.

    Args:
        error: it or what lies behind it.
        guess: an error of the catalog that isn't known otherwise may be a broken file.
    """
    chain = error
    while chain is not None:
        said = _of_system(chain) if isinstance(chain, OSError) else _of_catalog(chain, guess)
        if said:
            return escape(said)
        chain = chain.__cause__ or chain.__context__
    return None


def _of_system(error: OSError) -> str | None:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in _FULL:
        return f"{where}no space is left on the disk. Free some, or set PAPERLORA_HOME to another disk, and run it again: what was finished is kept."
    if error.errno in _DENIED:
        return f"{where}may not be read or written. Change its permissions, or set PAPERLORA_HOME to a folder you can write to."
    return None


def _of_catalog(error: BaseException, guess: bool) -> str | None:
    # named by module, so that no command has to import SQLAlchemy for an error that it never meets
    if not type(error).__module__.startswith("sqlalchemy."):
        return None
    cause = str(getattr(error, "orig", None) or error).splitlines()[0]
    if "readonly" in cause or "unable to open" in cause:
        return f"The catalog can't be written ({cause}). Change the permissions of PAPERLORA_HOME, or set it to a folder you can write to."
    if "disk is full" in cause or "disk I/O" in cause:
        return f"The catalog can't be written ({cause}). Free some space and run it again: what was finished is kept."
    if guess and type(error).__name__ in ("OperationalError", "DatabaseError", "InterfaceError"):
        return f"The catalog can't be used ({cause}). If its file is broken: move it away and run `paperlora rebuild`, which makes it anew from the store."
    return None
