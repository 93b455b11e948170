# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what of a user's query text is shown. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import secret_names, tokens

REDACTED = "?"
# In place of a text of which it is not certain that it shows no password.
NOT_SHOWN = "<not shown: masking it failed>"
# No more of a text is looked at, whatever is asked for.
LONGEST = 100_000
# A text gets shorter where it is masked.
_SPARE = 1024
_CUT = "..."
_REPLACED = {tokens.STRING: REDACTED, tokens.NUMBER: REDACTED, tokens.COMMENT: " "}


def needed(max_length: int) -> int:
    """How many characters of a text it takes to show so many, and to tell whether there are more."""
    return min(max_length + _SPARE, LONGEST) + 1


def mask_passwords(text: str, said: bool = False) -> str:
    """The text with each password, key and token that it names replaced by ?.

    Args:
        said: It is a message and not a statement, and the whole of it.
    """
    return _safely(lambda: _without_secrets(text[:LONGEST], said) + _CUT * (len(text) > LONGEST))


def _without_secrets(text: str, said: bool) -> str:
    if not secret_names.may_have_one(text):
        return text if said else secret_names.without_open_pair(text)
    # Most texts name no secret, and each module in a process of its own would pay for what looks for them.
    from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.secrets import without_secrets

    return without_secrets(text, said, cut=not said)


def redact_literals(text: str) -> str:
    """The text with each string and number replaced by ?, and without comments, which may hold data."""
    return _safely(lambda: "".join(_redacted(text)))


def _redacted(text: str) -> t.Iterator[str]:
    at = 0
    while at < len(text):
        token = tokens.token_at(text, at)
        if token.doubtful:
            # What comes after may be a part of it.
            yield REDACTED
            return
        yield _REPLACED.get(token.kind) or text[at : token.end]
        at = token.end


def _safely(make: t.Callable[[], str]) -> str:
    """Whatever happens, the rest of the result is there, and no text as it was."""
    try:
        return make()
    except Exception:  # noqa: BLE001 - any: a user who finds a way to make it fail must not hide by it
        return NOT_SHOWN


def shown(text: str | None, max_length: int, redact: bool) -> str | None:
    """The query text as the result shows it.

    Args:
        text: As the server has it, or None where this role may not see it.
        max_length: In characters; a longer text is cut and ends with three dots.
        redact: Replace literals, and leave comments out.
    """
    if text is None:
        return None
    looked_at = text[: needed(max_length) - 1]
    masked = mask_passwords(looked_at)
    if redact:
        masked = redact_literals(masked)
    if len(masked) <= max_length and len(looked_at) == len(text):
        return masked
    return masked[: max(0, max_length - len(_CUT))] + _CUT[:max_length]
