# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: where a statement's literals, comments and words begin and end. Private to the collection.

From left to right, each character once: users write these texts, and none may cost more than its length. So no
expression here has a repetition in a repetition, and what is quoted is found by hand. What is open at the end of a
text counts to its end: the server cuts long texts.
"""

from __future__ import annotations

import re
import typing as t

GAP = "gap"
COMMENT = "comment"
STRING = "string"
NAME = "name"
WORD = "word"
PARAMETER = "parameter"
NUMBER = "number"
OTHER = "other"

_COMMENT_EDGE = re.compile(r"/\*|\*/")
_QUOTE_OR_BACKSLASH = re.compile(r"['\\]")
_PARTS = r"""
    (?P<gap>\s+)
  | (?P<line>{line})
  | (?P<block>/\*)
  | (?P<quote>(?:[eEbBxXnN]|[uU]&)?')
  | (?P<name>")
  | (?P<word>[^\W\d][\w$]*)
  | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
  | (?P<parameter>\$\d+)
  | (?P<number>0[xXoObB][0-9a-fA-F_]+|\.?\d[\d_.]*(?:[eE][+-]?\d+)?)
  | (?P<other>.)
"""
START = re.compile(_PARTS.format(line=r"--[^\n]*"), re.VERBOSE | re.DOTALL)
# In the text of a program two dashes begin an option, too.
START_IN_TEXT = re.compile(_PARTS.format(line=r"--(?!\S)[^\n]*"), re.VERBOSE | re.DOTALL)


class Token(t.NamedTuple):
    """A piece of a text.

    Attributes:
        inner: Where what is quoted or said begins.
        inner_end: Where it ends.
        opening: What opens it, such as E' or a dollar tag.
        closed: Whether its end is there.
        doubtful: Its end depends on how the session takes a backslash.
    """

    kind: str
    start: int
    end: int
    inner: int
    inner_end: int
    opening: str = ""
    closed: bool = True
    doubtful: bool = False


def token_at(text: str, position: int, in_text: bool = False) -> Token:
    """The token that begins there.

    Args:
        in_text: It is not a statement but something that a literal or comment says.
    """
    found = t.cast("re.Match[str]", (START_IN_TEXT if in_text else START).match(text, position))
    kind, start, end = t.cast(str, found.lastgroup), position, found.end()
    if kind == "quote":
        return _quoted(text, start, end, found.group())
    if kind == "name":
        return _named(text, start, in_text)
    if kind == "dollar":
        return _dollar_quoted(text, start, end, found.group())
    if kind == "line":
        return Token(COMMENT, start, end, start + 2, end, "--", closed=end < len(text))
    if kind == "block":
        return _block(text, start)
    return Token(kind, start, end, start, end)


def skip_gap(text: str, position: int, in_text: bool = False) -> int:
    """The position after white space and comments."""
    while text[position : position + 1].isspace() or text[position : position + 1] in ("-", "/"):
        token = token_at(text, position, in_text)
        if token.kind not in (GAP, COMMENT):
            break
        position = token.end
    return position


def _quoted(text: str, start: int, inner: int, opening: str) -> Token:
    if opening in ("e'", "E'"):
        end = _end_with_escapes(text, inner)
        return _ended(text, start, inner, end, opening)
    at, doubtful = inner, False
    while True:
        at = text.find("'", at)
        if at < 0:
            # A cut behind a backslash: nobody knows what it would have escaped, and nothing follows.
            return _ended(text, start, inner, -1, opening, doubtful)
        doubtful = doubtful or (opening == "'" and _is_escaped(text, inner, at))
        if text[at + 1 : at + 2] != "'":
            return _ended(text, start, inner, at, opening, doubtful)
        at += 2


def _end_with_escapes(text: str, at: int) -> int:
    while True:
        found = _QUOTE_OR_BACKSLASH.search(text, at)
        if found is None:
            return -1
        at = found.start()
        if found.group() == "'" and text[at + 1 : at + 2] != "'":
            return at
        at += 2


def _is_escaped(text: str, inner: int, at: int) -> bool:
    """Whether an odd number of backslashes stands before it."""
    first = at
    while first > inner and text[first - 1] == "\\":
        first -= 1
    return (at - first) % 2 == 1


def _named(text: str, start: int, in_text: bool) -> Token:
    at, doubtful = start + 1, False
    while True:
        at = text.find('"', at)
        if at < 0:
            return _ended(text, start, start + 1, -1, '"', doubtful, NAME)
        doubtful = doubtful or (in_text and _is_escaped(text, start + 1, at))
        if text[at + 1 : at + 2] != '"' or in_text:
            return _ended(text, start, start + 1, at, '"', doubtful, NAME)
        at += 2


def _dollar_quoted(text: str, start: int, inner: int, tag: str) -> Token:
    at = text.find(tag, inner)
    if at < 0:
        return Token(STRING, start, len(text), inner, len(text), tag, closed=False)
    return Token(STRING, start, at + len(tag), inner, at, tag)


def _block(text: str, start: int) -> Token:
    depth, at = 0, start
    while True:
        found = _COMMENT_EDGE.search(text, at)
        if found is None:
            return Token(COMMENT, start, len(text), min(start + 2, len(text)), len(text), "/*", closed=False)
        depth += 1 if found.group() == "/*" else -1
        at = found.end()
        if depth == 0:
            return Token(COMMENT, start, at, start + 2, at - 2, "/*")


def _ended(
    text: str, start: int, inner: int, at: int, opening: str, doubtful: bool = False, kind: str = STRING
) -> Token:
    if at < 0:
        return Token(kind, start, len(text), inner, len(text), opening, closed=False, doubtful=doubtful)
    return Token(kind, start, at + 1, inner, at, opening, doubtful=doubtful)
