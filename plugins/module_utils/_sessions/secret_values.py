# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: where the value of a secret that a text names begins, and where it ends. Private to the collection."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import secret_names as names
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import tokens

# Literals in literals: what lies deeper is masked as a whole.
DEEPEST = 6
# Characters to look at, for each one of the text: on each level, once to go by and twice to look ahead.
_LOOKS = 8 * DEEPEST
_LOOKS_ALWAYS = 4096
# What stands between a name and its value.
_LINK = re.compile(r":=|=>|[=<>!~*]{1,3}|:|(?:not\s{1,8})?(?:to|ilike|like|in)\b", re.IGNORECASE)
_CAST = re.compile(r"::\s{0,8}\w{1,64}")
_RUN_STOP = re.compile(r"[\s'\"\\&;]")
_NEXT_PAIR = re.compile(r"\s|[A-Za-z_][\w ]{0,40}=|\Z")
_SPACE = re.compile(r"\s*")
_BLANKS = re.compile(r"[ \t]*")
# A variable of a function, with its type.
_DECLARED = re.compile(r"\s{1,8}(?:constant\s{1,8})?\w{1,32}(?:\s?\(\d{1,6}\))?\s{0,8}:=", re.IGNORECASE)
# A column in parentheses.
_CLOSED = re.compile(r"\)\s{0,8}\)?\s{0,8}(?=[=<>!~]|(?:not\s{1,8})?(?:i?like|in)\b)", re.IGNORECASE)
_SHORT_COMMENT = re.compile(r"--[^\n]{0,200}\n")
# sshpass -p
_OWN_FLAG = re.compile(r"[ \t]{1,8}-p[ \t]{0,8}")
_SCHEMES = frozenset("bearer basic digest negotiate token apikey".split())
_NO_VALUES = frozenset("null default true false from and or is as where on current_setting".split())
# Behind a quoted value nothing more of it comes after these.
_CLOSERS = ",;)}]&|>:"
_STRING_LIKE = (tokens.STRING, tokens.NAME)


class OverBudget(Exception):
    """More was looked at than a text of this length is worth."""


class Budget:
    """How much may be looked at.

    Args:
        size: Characters of the whole text.

    Attributes:
        spent: Characters looked at so far.
    """

    def __init__(self, size: int) -> None:
        self._limit = _LOOKS * size + _LOOKS_ALWAYS
        self.spent = 0

    def spend(self, characters: int) -> None:
        """Take note of a look.

        Raises:
            OverBudget: It was one too many.
        """
        self.spent += characters
        if self.spent > self._limit:
            raise OverBudget


@dataclasses.dataclass
class Place:
    """Where a text stands.

    Attributes:
        said: It is what a literal or a comment says, or a message, not a statement.
        cut: More may have followed, and was cut off: a quote at the end may be the first of two.
        unclosed: It has no end.
        depth: In how many literals.
    """

    said: bool = False
    cut: bool = True
    unclosed: bool = False
    depth: int = 0


class Values:
    """The values in one text.

    Args:
        text: The whole of it.
        place: Where it stands.
        budget: What each look is paid from.

    Attributes:
        roles: A statement about a role was begun in the text.
        spills: A value that the text names stands behind it.
    """

    def __init__(self, text: str, place: Place, budget: Budget) -> None:
        self._text, self._place, self._budget = text, place, budget
        self._said, self._size = place.said, len(text)
        self.roles = self.spills = False

    def link(self, end: int, is_literal: bool) -> tuple[int, bool]:
        """Where the value begins that belongs to a name, and whether something says that it does."""
        flag = _OWN_FLAG.match(self._text, end) if self._said else None
        if flag:
            return flag.end(), True
        declared = _DECLARED.match(self._text, end)
        if declared:
            return self.gap(declared.end()), True
        at = self.gap(end)
        cast = _CAST.match(self._text, at)
        if cast:
            at = self.gap(cast.end())
        closed = None if self._said else _CLOSED.match(self._text, at)
        if closed:
            at = closed.end()
        found = _LINK.match(self._text, at)
        if found and (self._said or found.group() != ":"):
            behind = found.end()
            gap = self.gap(behind)
            if self._said and found.group() in ("=", ":") and not self.is_quote(gap):
                # An option or header without a value has none on the next line, nor a comment.
                gap = t.cast("re.Match[str]", _BLANKS.match(self._text, behind)).end()
            return gap, found.group().lower() != "in" or self._text[gap : gap + 1] == "("
        if is_literal and self._text[at : at + 1] == ",":
            return self.gap(at + 1), True
        return at, False

    def is_literal(self, at: int) -> bool:
        """Whether a literal begins there; where a role is spoken of, a name in quotes is one, too."""
        kind = tokens.token_at(self._text, at, self._said).kind if self.is_quote(at) else ""
        if kind == tokens.NAME:
            return self._said or self.roles
        return kind == tokens.STRING

    def is_quote(self, at: int) -> bool:
        """Whether something quoted may begin there; to look closer costs as much as it is long."""
        return (
            self._text[at : at + 1] in ("'", '"', "$")
            or self._text[at + 1 : at + 2] == "'"
            or (self._text[at + 1 : at + 3] == "&'")
        )

    def may_be_bare(self, at: int, sure: int, linked: bool, flag: bool) -> bool:
        """Whether a value stands there without quotes."""
        token = tokens.token_at(self._text, at, self._said)
        word = self._text[token.start : token.end].lower() if token.kind == tokens.WORD else ""
        if word in _NO_VALUES or self._text[at] in ";,)":
            return False
        if self.roles and sure == names.SURE:
            return not linked or self._said or token.kind in (tokens.WORD, tokens.NUMBER)
        if self._said:
            return linked or (flag and self._text[at] not in "-|<>")
        if not linked or sure != names.SURE:
            return False
        return token.kind == tokens.NUMBER or (token.kind == tokens.WORD and not self._names_one(token))

    def end_of(self, at: int, of_address: bool = False) -> int:
        """Where a value ends: with what is glued to it, what it is joined to, and literals that continue it."""
        while at < self._size:
            if self.is_quote(at):
                token = tokens.token_at(self._text, at, self._said)
                if token.kind in _STRING_LIKE:
                    self._budget.spend(token.end - token.start)
                    if token.doubtful or not token.closed:
                        self.spills = self.spills or self._place.depth > 0
                        return self._size
                    following = self._following(token.end)
                    if following < 0:
                        return token.end
                    at = following
                    continue
            end = self._run(at, of_address)
            following = self._after_run(at, end)
            if following < 0:
                return self._without_closers(at, end)
            at = following
        return self._size

    def gap(self, at: int) -> int:
        """Where white space and comments end."""
        end = tokens.skip_gap(self._text, at, self._said)
        # Of what may be an option just a little, for the next look begins in it.
        short = _SHORT_COMMENT.match(self._text, end) if self._said else None
        if short:
            end = t.cast("re.Match[str]", _SPACE.match(self._text, short.end())).end()
        self._budget.spend(end - at)
        return end

    def _names_one(self, token: tokens.Token) -> bool:
        """Whether a word is a column, or what it is a column of, that has such a name itself."""
        end = token.end
        while self._text[end : end + 1] == ".":
            more = tokens.token_at(self._text, end + 1) if end + 1 < self._size else token
            if more.kind not in (tokens.WORD, tokens.NAME) or more.end <= end:
                break
            token, end = more, more.end
        return names.sureness(self._text, token.inner, token.inner_end) > names.NONE

    def _following(self, end: int) -> int:
        """Where a value goes on behind a literal, or -1."""
        behind = self.gap(end)
        if self._text.startswith("||", behind):
            return self.gap(behind + 2)
        if behind < self._size and behind > end and self._text[behind] == "'":
            return behind
        if behind == end < self._size and self._said and self._text[end] not in _CLOSERS:
            return end
        return -1

    def _run(self, at: int, of_address: bool) -> int:
        """The end of a value without quotes."""
        start = at
        while True:
            found = _RUN_STOP.search(self._text, at)
            end = found.start() if found else self._size
            character = self._text[end : end + 1]
            if character == "\\":
                at = end + 2
            elif (character == "&" and not of_address) or (
                character == ";" and not _NEXT_PAIR.match(self._text, end + 1)
            ):
                at = end + 1
            else:
                end = min(end, self._size)
                self._budget.spend(end - start + 1)
                return max(end, start)

    def _after_run(self, start: int, end: int) -> int:
        """Where a value goes on behind a run of characters, or -1."""
        if end >= self._size:
            return self._size
        if self._text[end] in "'\"":
            return end if self._said or self.roles or end == start else -1
        run = self._text[start:end]
        if self.roles and run in (":", "=", "(", ":="):
            return self.gap(end)
        if run[-1:] == "(" or run[-2:] == "||" or (len(run) < names.LONGEST and run.lower() in _SCHEMES):
            return self.gap(end)
        return -1

    def _without_closers(self, start: int, end: int) -> int:
        """A value ends before the comma or parenthesis that stands behind it, if that is only one or two."""
        run = self._text[max(start + 1, end - 2) : end]
        return end - (len(run) - len(run.rstrip(",;)}]")))
