# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what of a user's query text is shown. Private to the collection."""

from __future__ import annotations

import re

REDACTED = "?"
_CUT = "..."

# One alternation from left to right, so that a quote inside a comment or an identifier opens nothing.
# The server cuts long texts: what is open at the end counts to the end.
_TOKEN = re.compile(
    r"""
      (?P<comment>  --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<dollar>   (?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$ .*? (?:\$(?P=tag)\$|\Z) )
    | (?P<escape>   (?<![\w$])[eE]'(?:[^'\\]|\\.|'')*(?:'|\\?\Z) )
    | (?P<string>   (?:(?<![\w$])(?:[bBxXnN]|[uU]&))?'(?:[^']|'')*(?:'|\Z) )
    | (?P<name>     "(?:[^"]|"")*(?:"|\Z) | [^\W\d][\w$]* | \$\d+ )
    | (?P<number>   0[xXoObB][0-9a-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)? )
    """,
    re.VERBOSE | re.DOTALL,
)
_STRINGS = ("dollar", "escape", "string")
_LITERALS = (*_STRINGS, "number")
# White space and comments, which may stand between any two words.
_GAP = r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*"
_PASSWORD = re.compile(
    rf"""
    (\bpassword(?:'\s*,\s*|"?{_GAP}(?:(?::=|=>|=|\bto\b){_GAP})?))
    (
        (?:\b[eEbBxXnN]|[uU]&)?'(?:[^'\\]|\\.|'')*(?:'|\Z) (?:\s*\n\s*'(?:[^']|'')*(?:'|\Z))*  # or continued
      | \$(\w*)\$.*?(?:\$\3\$|\Z)
      | "[^"]*(?:"|\Z)
      | \\'(?:[^'\\]|\\[^'])*(?:\\'|\Z)                                                # inside of E'...'
    )
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
# Inside of '...', where each quote is doubled.
_PASSWORD_IN_STRING = re.compile(r"(\bpassword\s*=\s*)''(?:[^']|'''')*(?:''|\Z)", re.IGNORECASE)
_PASSWORD_IN_CONNINFO = re.compile(r"(\b(?:pg)?passw(?:or)?d\s*=\s*)([^\s'\";]+)", re.IGNORECASE)
# A statement about a role inside of a string, as in DO or EXECUTE: its quotes may be doubled, or its end computed.
_NESTED_ROLE = re.compile(r"\b(?:role|user|group)\b.*?\bpassword\b", re.IGNORECASE | re.DOTALL)
_PASSWORD_IN_URL = re.compile(r"(://[^\s:/@'\"]*:)([^\s@'\"]+)(?=@)")


def mask_passwords(text: str) -> str:
    """The text with the value after each PASSWORD replaced, as in ALTER ROLE or a connection string."""
    masked = _PASSWORD_IN_STRING.sub(lambda found: found.group(1) + REDACTED, _without_nested(text))
    masked = _PASSWORD.sub(lambda found: f"{found.group(1)}'{REDACTED}'", masked)
    for pattern in (_PASSWORD_IN_CONNINFO, _PASSWORD_IN_URL):
        masked = pattern.sub(lambda found: found.group(1) + REDACTED, masked)
    return masked


def _without_nested(text: str) -> str:
    """The text up to a password in a statement inside of a string; what follows is not worth the risk."""
    for token in _TOKEN.finditer(text):
        if token.lastgroup in _STRINGS:
            found = _NESTED_ROLE.search(token.group())
            if found:
                return f"{text[: token.start() + found.end()]} {REDACTED}"
    return text


def redact_literals(text: str) -> str:
    """The text with each string and number replaced by V(?), and without comments, which may hold data."""

    def replacement(found: re.Match[str]) -> str:
        if found.group("comment") is not None:
            return " "
        if any(found.group(kind) is not None for kind in _LITERALS):
            return REDACTED
        return found.group(0)

    return _TOKEN.sub(replacement, text)


def shown(text: str | None, max_length: int, redact: bool) -> str | None:
    """The query text as the result shows it.

    Args:
        text: As the server has it, or V(none) where this role may not see it.
        max_length: In characters; a longer text is cut and ends with three dots.
        redact: Replace literals, and leave comments out.
    """
    if text is None:
        return None
    text = mask_passwords(text)
    if redact:
        text = redact_literals(text)
    if len(text) <= max_length:
        return text
    return text[: max(0, max_length - len(_CUT))] + _CUT[:max_length]
