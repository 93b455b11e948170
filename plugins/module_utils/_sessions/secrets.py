# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: a text of a user -> the same without the passwords, keys and tokens that it names. Private to the collection.

It goes from left to right. After a name of a secret it looks for the value that belongs to it; what a literal or a
comment says is looked at in the same way, with its quotes taken off. Whoever writes the text may want it to take for
ever: each place is looked at a few times at most, and there is a budget. Where the end of a value is in doubt, all that
follows is masked.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import secret_names as names
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import tokens
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.secret_addresses import Addresses, Span
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.secret_values import (
    DEEPEST,
    Budget,
    Place,
    Values,
)

# A word, and before it what says nothing; in a statement, in a call, and in what a literal says.
_WORD_AHEAD = r"[^\w'\"$;:/\-{more}]*(?:\d[\w.]*|([^\W\d][\w$]*))?"
_STEP = re.compile(_WORD_AHEAD.format(more=""))
_STEP_IN_CALL = re.compile(_WORD_AHEAD.format(more="()"))
_PREFIXES = frozenset("eEbBxXnNuU")
_PLACEHOLDER = re.compile(r"%\d{0,4}\$?[LIs]|%\(\w{1,64}\)s|\$\d|\{\w{0,64}\}|:'?\w")
_USER_FLAG = re.compile(r"-(?:[uU][ \t]*|-(?:proxy-)?user(?:=|[ \t]+))")
_SETTING = re.compile(r"set\s{1,8}(?:(?:session|local)\s{1,8})?\Z", re.IGNORECASE)
_LAST = 256
_REST_OF_NAME = re.compile(r"[}\])\"' \t]{0,4}\Z")
_CALL = re.compile(r"\w{0,64}\s{0,8}\(|array\s{0,8}\[", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.)|''", re.DOTALL)
_OF_ROLES = frozenset(["role", "user", "group"])
# Parentheses that only the end of the statement closes.
_TO_THE_END = 10**9


class Scan:
    """One look at one text.

    Attributes:
        names: The text ends with a name of a secret, as a literal that is a key does; sureness says how surely.
        loose: With white space behind that name.
        ends_in_value: The text ends with a value, which may go on behind it.
    """

    def __init__(self, text: str, place: Place, budget: Budget) -> None:
        self.text, self.place, self._budget = text, place, budget
        self._size = len(text)
        self._edits: list[tuple[int, int, str]] = []
        self._at = 0
        self._before = ""
        # In how many parentheses of a call whose arguments are secrets.
        self._call = 0
        # Where the columns of an INSERT begin, and whether one of them names a secret.
        self._columns = -1
        self._secret_column = False
        self._values = Values(text, place, budget)
        self._addresses = Addresses(text, place, budget, self._values)
        self.names = names.NONE
        self.loose = False
        self.ends_in_value = False

    @property
    def spills(self) -> bool:
        """A value that the text names stands behind it."""
        return self._values.spills

    @property
    def roles(self) -> bool:
        """A statement about a role was begun in it."""
        return self._values.roles

    @property
    def changed(self) -> bool:
        """Whether anything was masked."""
        return bool(self._edits)

    def masked(self) -> str:
        """The text as it may be shown."""
        handlers: dict[str, t.Callable[[tokens.Token], None]] = {
            tokens.WORD: self._word,
            tokens.STRING: self._string,
            tokens.NAME: self._string,
            tokens.COMMENT: self._comment,
            tokens.OTHER: self._other,
        }
        while self._at < self._size:
            self._skip()
            if self._at == self._size:
                break
            token = tokens.token_at(self.text, self._at, self.place.said)
            self._budget.spend(token.end - token.start)
            self._at = token.end
            handler = handlers.get(token.kind)
            if handler:
                handler(token)
        return self._edited()

    def _skip(self) -> None:
        """Go on to the next word or quote that may say something; most of a text does not."""
        text, size, says = self.text, self._size, names.says_something
        match = (_STEP_IN_CALL if self._call else _STEP).match
        start = at = self._at
        while at < size:
            found = t.cast("re.Match[str]", match(text, at))
            word, end = found.group(1), found.end()
            if word is None:
                if end == at:
                    break
            elif (
                len(word) >= names.LONGEST
                or says(word)
                or (len(word) == 1 and word in _PREFIXES and text[end : end + 1] in ("'", "&"))
            ):
                at = found.start(1)
                break
            else:
                self._before = ""
            at = end
        self._budget.spend(at - start + 1)
        self._at = at

    def _edited(self) -> str:
        parts, at = [], 0
        for start, end, new in self._edits:
            parts += [self.text[at:start], new]
            at = end
        return "".join([*parts, self.text[at:]])

    def _mask(self, start: int, end: int, new: str = names.MASK) -> None:
        self._edits.append((start, end, new))
        self._at = end

    def _mask_span(self, span: Span | None) -> None:
        if span:
            self._mask(*span)

    def _mask_rest(self, start: int) -> None:
        """Where it cannot be told what belongs to a value, all that follows does, out of this literal too."""
        if start < self._size:
            self._mask(
                start, self._size, f" {names.MASK}" if start and not self.text[start - 1].isspace() else names.MASK
            )
        self._values.spills = self._values.spills or self.place.depth > 0

    def _said(self, text: str, token: tokens.Token | None = None) -> Scan:
        last = self.place.cut and token is not None and token.end == self._size
        unclosed = last and token is not None and not token.closed
        return Scan(text, Place(True, last, unclosed, self.place.depth + 1), self._budget)

    # What is in a text

    def _comment(self, token: tokens.Token) -> None:
        inner = self.text[token.inner : token.inner_end]
        if not names.may_have_one(inner):
            return
        scan = self._said(inner, token)
        new = scan.masked() if self.place.depth < DEEPEST else names.MASK
        if scan.changed or self.place.depth >= DEEPEST:
            self._mask(token.inner, token.inner_end, new)
            self._at = token.end
        if scan.spills or (scan.names and scan.roles):
            self._mask_rest(token.end)

    def _string(self, token: tokens.Token) -> None:
        if self._call and token.kind == tokens.STRING:
            self._mask_literal(token)
            return
        if token.doubtful:
            if names.may_have_one(self.text[token.start :]):
                self._mask_rest(token.start)
            self._at = self._size
            return
        raw = self.text[token.inner : token.inner_end]
        if not names.may_have_one(raw):
            return
        if self.place.depth >= DEEPEST:
            self._mask(token.inner, token.inner_end)
            self._at = token.end
            return
        scan = self._said(_unquoted(raw, token.opening), token)
        new = scan.masked()
        if scan.changed:
            self._mask(token.inner, token.inner_end, _quoted(new, token.opening))
            self._at = token.end
        self._after_string(token, scan)

    def _mask_literal(self, token: tokens.Token) -> None:
        if token.doubtful:
            self._mask_rest(token.start)
        else:
            self._mask(token.start, token.end, f"'{names.MASK}'")

    def _after_string(self, token: tokens.Token, scan: Scan) -> None:
        """What a literal says may begin what stands behind it."""
        if scan.spills or (scan.ends_in_value and self.text.startswith("||", self._values.gap(token.end))):
            self._mask_rest(token.end)
        elif scan.names and token.end < self._size:
            behind = self._values.gap(token.end)
            # Quotes that are not the author's pairs: a statement about a role, or white space before the quote.
            odd = scan.loose and token.end == behind and self.text[behind : behind + 1].isalnum()
            if scan.roles or odd or self.text.startswith("||", behind):
                self._mask_rest(token.end)
            else:
                self._value_of(token.start, token.end, scan.names, is_literal=token.kind == tokens.STRING)

    def _other(self, token: tokens.Token) -> None:
        character = self.text[token.start]
        if character == ";":
            self._values.roles = self._secret_column = False
            self._columns = -1
            if self._call > _TO_THE_END // 2:
                self._call = 0
        elif character in "()" and self._call:
            self._call += 1 if character == "(" else -1
        elif character == ":":
            self._colon(token.start)
        elif character == "-" and self.place.said:
            self._dash(token.start)

    def _word(self, token: tokens.Token) -> None:
        start, end = token.start, token.end
        word = self.text[start:end].lower() if end - start < names.LONGEST else ""
        if self._before in ("create", "alter") and word in _OF_ROLES:
            self._values.roles = True
        elif self._before == "user" and word == "mapping":
            self._values.roles = False
        self._before = word
        if word == "insert":
            self._columns = self.text.find("(", end, end + _LAST)
        elif word == "values" and self._secret_column:
            self._call = _TO_THE_END
        found = names.sureness(self.text, start, end)
        if found:
            self._secret_column = self._secret_column or -1 < self._columns < start
            self._value_of(start, end, found)
        elif names.is_call(word) and self.text[self._values.gap(end) :][:1] == "(":
            self._call = self._call or 1
            self._at = self._values.gap(end) + 1
        elif self.place.said and names.is_of_headers(word):
            self._header(start, end, word)

    # A name, and its value

    def _value_of(self, start: int, end: int, sure: int, is_literal: bool = False) -> None:
        """Mask the value of the secret that is named from start to end."""
        head = names.head(self.text, start)
        if "." in self.text[head:start] and _SETTING.search(self.text[max(0, head - 32) : head]):
            sure = names.SURE
        flag = self.place.said and self.text[head : head + 1] == "-"
        value, linked = self._values.link(end, is_literal)
        if value >= self._size:
            self._open(end, value, sure, linked)
            return
        if sure == names.SURE and self.text.startswith("--", value) and not (flag or linked):
            # An option, or a long comment before the value.
            self._mask_rest(value)
        elif self._values.is_literal(value):
            self._mask_value(end, value, start)
        elif linked and _CALL.match(self.text, value) and not self.place.said:
            self._call = self._call or 1
            self._between(end, value)
            self._at = t.cast("re.Match[str]", _CALL.match(self.text, value)).end()
        elif self._values.may_be_bare(value, sure, linked, flag):
            self._mask_value(end, value, start)
        elif not linked and _REST_OF_NAME.match(self.text, end):
            self.names = sure

    def _open(self, end: int, value: int, sure: int, linked: bool) -> None:
        """The text ends before the value."""
        if linked:
            self._values.spills = True
        self.names, self.loose = sure, value > end

    def _mask_value(self, end: int, value: int, start: int) -> None:
        self._between(end, value)
        head = names.head(self.text, start)
        of_address = self.place.said and head > 0 and self.text[head - 1] in "?&"
        if self.place.said or self._values.roles:
            self._values.spills = self._values.spills or (
                _PLACEHOLDER.match(self.text, value) is not None and self.place.depth > 0
            )
        stop = self._values.end_of(value, of_address)
        if self.place.said and self.text[value] == "[":
            listed = self.text.find("]", stop)
            stop = self._size if listed < 0 else listed
        self.ends_in_value = stop == self._size
        quote = self.text[value] if self.text[value] in "'\"" else "'"
        new = f"{quote}{names.MASK}{quote}" if self._values.is_quote(value) else names.MASK
        opened = self.text.count("(", value, stop) - self.text.count(")", value, stop)
        if self.place.said and opened > 0:
            self._call = self._call or opened
        self._mask(value, stop, new)

    def _between(self, start: int, end: int) -> None:
        """A comment between a name and its value may have one, too."""
        region = self.text[start:end]
        if len(region) > len("/**/") and names.may_have_one(region):
            scan = self._said(region)
            new = scan.masked() if self.place.depth < DEEPEST else names.MASK
            if scan.changed or self.place.depth >= DEEPEST:
                self._mask(start, end, new)

    # What needs no name

    def _header(self, start: int, end: int, word: str) -> None:
        value, linked = self._values.link(end, is_literal=False)
        if word == "bearer" and value > end:
            linked = True
        if value >= self._size and linked:
            self._open(end, value, names.LIKELY, linked)
        elif linked:
            self._mask_value(end, value, start)

    def _colon(self, at: int) -> None:
        if self.text.startswith("://", at):
            self._mask_span(self._addresses.behind_scheme(at + 3))
        elif (
            self.place.said and at and self.text[at - 1].isalnum() and self.text[at + 1 : at + 2] not in ("", ":", "=")
        ):
            self._mask_span(self._addresses.without_scheme(at + 1))

    def _dash(self, at: int) -> None:
        if at and not (self.text[at - 1].isspace() or self.text[at - 1] in "'\"-"):
            return
        if self.text.startswith("-----BEGIN", at) and "PRIVATE KEY" in self.text[at : at + 48]:
            end = self.text.find("-----END", at)
            self._mask(at + len("-----BEGIN"), end if end > 0 else self._size)
            return
        found = _USER_FLAG.match(self.text, at)
        if found and found.end() < self._size:
            password = self._addresses.of_option(found.end())
            if password:
                self._mask_span(password[0])
                self._at = password[1]


def _unquoted(text: str, opening: str) -> str:
    """What a literal says."""
    if opening in ("e'", "E'"):
        return _ESCAPE.sub(lambda found: "'" if found.group(1) is None else _escaped(found.group(1)), text)
    return text.replace("''", "'") if opening.endswith("'") else text


def _escaped(character: str) -> str:
    return {"n": "\n", "t": "\t", "r": "\r"}.get(character, character)


def _quoted(text: str, opening: str) -> str:
    if opening in ("e'", "E'"):
        text = text.replace("\\", "\\\\")
    return text.replace("'", "''") if opening.endswith("'") else text


def without_secrets(text: str, said: bool = False, cut: bool = True, budget: Budget | None = None) -> str:
    """The text with what it names as a secret masked.

    Args:
        said: It is a message, not a statement.
        cut: It may have been longer.

    Raises:
        OverBudget: Never, as far as anybody knows.
    """
    return Scan(text, Place(said, cut), budget or Budget(len(text))).masked()
