# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: a text of a user -> the same without the passwords, keys and tokens that it names. Private to the collection.

It goes from left to right. After a name of a secret it looks for the value that belongs to it; what a literal or a
comment says is looked at in the same way, with its quotes taken off. Whoever writes the text may want it to take for
ever: each place is looked at a few times at most, and there is a budget. Where the end of a value is in doubt, all that
follows is masked.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import secret_names as names
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import tokens

MASK = "?"
# Literals in literals: what lies deeper is masked as a whole.
_DEEPEST = 6
# Characters to look at, for each one of the text: on each level, once to go by and twice to look ahead.
_LOOKS = 8 * _DEEPEST
_LOOKS_ALWAYS = 4096

# A word, and before it what says nothing; in a statement, in a call, and in what a literal says.
_WORD_AHEAD = r"[^\w'\"$;:/\-{more}]*(?:\d[\w.]*|([^\W\d][\w$]*))?"
_STEP = re.compile(_WORD_AHEAD.format(more=""))
_STEP_IN_CALL = re.compile(_WORD_AHEAD.format(more="()"))
_PREFIXES = frozenset("eEbBxXnNuU")
# What stands between a name and its value.
_LINK = re.compile(r":=|=>|[=<>!~*]{1,3}|:|(?:not\s{1,8})?(?:to|ilike|like|in)\b", re.IGNORECASE)
_CAST = re.compile(r"::\s{0,8}\w{1,64}")
_RUN_STOP = re.compile(r"[\s'\"\\&;]")
_NEXT_PAIR = re.compile(r"\s|[A-Za-z_][\w ]{0,40}=|\Z")
_SPACE_OR_QUOTE = re.compile(r"[\s'\"]|\Z")
_PATH = re.compile(r"[/?#]")
_SPACE = re.compile(r"\s*")
_BLANKS = re.compile(r"[ \t]*")
_PLACEHOLDER = re.compile(r"%\d{0,4}\$?[LIs]|%\(\w{1,64}\)s|\$\d|\{\w{0,64}\}|:'?\w")
_USER_FLAG = re.compile(r"-(?:[uU][ \t]*|-(?:proxy-)?user(?:=|[ \t]+))")
# A variable of a function, with its type.
_DECLARED = re.compile(r"\s{1,8}(?:constant\s{1,8})?\w{1,32}(?:\s?\(\d{1,6}\))?\s{0,8}:=", re.IGNORECASE)
# A column in parentheses.
_CLOSED = re.compile(r"\)\s{0,8}\)?\s{0,8}(?=[=<>!~]|(?:not\s{1,8})?(?:i?like|in)\b)", re.IGNORECASE)
_SETTING = re.compile(r"set\s{1,8}(?:(?:session|local)\s{1,8})?\Z", re.IGNORECASE)
_SHORT_COMMENT = re.compile(r"--[^\n]{0,200}\n")
# sshpass -p
_OWN_FLAG = re.compile(r"[ \t]{1,8}-p[ \t]{0,8}")
# Where the text was cut in the middle of user:password.
_OPEN_PAIR = re.compile(r"['\"][\w.-]{1,64}:(?=[^\s'\":=/])")
_LAST = 256
_REST_OF_NAME = re.compile(r"[}\])\"' \t]{0,4}\Z")
_CALL = re.compile(r"\w{0,64}\s{0,8}\(|array\s{0,8}\[", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.)|''", re.DOTALL)
_SCHEMES = frozenset("bearer basic digest negotiate token apikey".split())
_NO_VALUES = frozenset("null default true false from and or is as where on current_setting".split())
_OF_ROLES = frozenset(["role", "user", "group"])
# Behind a quoted value nothing more of it comes after these.
_CLOSERS = ",;)}]&|>:"
# Parentheses that only the end of the statement closes.
_TO_THE_END = 10**9
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


class Scan:
    """One look at one text.

    Attributes:
        spills: A value that the text names stands behind it.
        names: The text ends with a name of a secret, as a literal that is a key does; sureness says how surely.
        loose: With white space behind that name.
        ends_in_value: The text ends with a value, which may go on behind it.
        roles: A statement about a role was begun in it.
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
        self._run_end = self._run_at = -1
        self.spills = False
        self.names = names.NONE
        self.loose = False
        self.ends_in_value = False
        self.roles = False

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

    def _mask(self, start: int, end: int, new: str = MASK) -> None:
        self._edits.append((start, end, new))
        self._at = end

    def _mask_rest(self, start: int) -> None:
        """Where it cannot be told what belongs to a value, all that follows does, out of this literal too."""
        if start < self._size:
            self._mask(start, self._size, f" {MASK}" if start and not self.text[start - 1].isspace() else MASK)
        self.spills = self.spills or self.place.depth > 0

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
        new = scan.masked() if self.place.depth < _DEEPEST else MASK
        if scan.changed or self.place.depth >= _DEEPEST:
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
        if self.place.depth >= _DEEPEST:
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
            self._mask(token.start, token.end, f"'{MASK}'")

    def _after_string(self, token: tokens.Token, scan: Scan) -> None:
        """What a literal says may begin what stands behind it."""
        if scan.spills or (scan.ends_in_value and self.text.startswith("||", self._gap(token.end))):
            self._mask_rest(token.end)
        elif scan.names and token.end < self._size:
            behind = self._gap(token.end)
            # Quotes that are not the author's pairs: a statement about a role, or white space before the quote.
            odd = scan.loose and token.end == behind and self.text[behind : behind + 1].isalnum()
            if scan.roles or odd or self.text.startswith("||", behind):
                self._mask_rest(token.end)
            else:
                self._value_of(token.start, token.end, scan.names, is_literal=token.kind == tokens.STRING)

    def _other(self, token: tokens.Token) -> None:
        character = self.text[token.start]
        if character == ";":
            self.roles = self._secret_column = False
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
            self.roles = True
        elif self._before == "user" and word == "mapping":
            self.roles = False
        self._before = word
        if word == "insert":
            self._columns = self.text.find("(", end, end + _LAST)
        elif word == "values" and self._secret_column:
            self._call = _TO_THE_END
        found = names.sureness(self.text, start, end)
        if found:
            self._secret_column = self._secret_column or -1 < self._columns < start
            self._value_of(start, end, found)
        elif names.is_call(word) and self.text[self._gap(end) :][:1] == "(":
            self._call = self._call or 1
            self._at = self._gap(end) + 1
        elif self.place.said and names.is_of_headers(word):
            self._header(start, end, word)

    # A name, and its value

    def _value_of(self, start: int, end: int, sure: int, is_literal: bool = False) -> None:
        """Mask the value of the secret that is named from start to end."""
        head = names.head(self.text, start)
        if "." in self.text[head:start] and _SETTING.search(self.text[max(0, head - 32) : head]):
            sure = names.SURE
        flag = self.place.said and self.text[head : head + 1] == "-"
        value, linked = self._link(end, is_literal)
        if value >= self._size:
            self._open(end, value, sure, linked)
            return
        if sure == names.SURE and self.text.startswith("--", value) and not (flag or linked):
            # An option, or a long comment before the value.
            self._mask_rest(value)
        elif self._is_literal_at(value):
            self._mask_value(end, value, start)
        elif linked and _CALL.match(self.text, value) and not self.place.said:
            self._call = self._call or 1
            self._between(end, value)
            self._at = t.cast("re.Match[str]", _CALL.match(self.text, value)).end()
        elif self._may_be_bare(value, sure, linked, flag):
            self._mask_value(end, value, start)
        elif not linked and _REST_OF_NAME.match(self.text, end):
            self.names = sure

    def _open(self, end: int, value: int, sure: int, linked: bool) -> None:
        """The text ends before the value."""
        if linked:
            self.spills = True
        self.names, self.loose = sure, value > end

    def _link(self, end: int, is_literal: bool) -> tuple[int, bool]:
        """Where the value begins that belongs to a name, and whether something says that it does."""
        flag = _OWN_FLAG.match(self.text, end) if self.place.said else None
        if flag:
            return flag.end(), True
        declared = _DECLARED.match(self.text, end)
        if declared:
            return self._gap(declared.end()), True
        at = self._gap(end)
        cast = _CAST.match(self.text, at)
        if cast:
            at = self._gap(cast.end())
        closed = None if self.place.said else _CLOSED.match(self.text, at)
        if closed:
            at = closed.end()
        found = _LINK.match(self.text, at)
        if found and (self.place.said or found.group() != ":"):
            behind = found.end()
            gap = self._gap(behind)
            if self.place.said and found.group() in ("=", ":") and not self._quote_at(gap):
                # An option or header without a value has none on the next line, nor a comment.
                gap = t.cast("re.Match[str]", _BLANKS.match(self.text, behind)).end()
            return gap, found.group().lower() != "in" or self.text[gap : gap + 1] == "("
        if is_literal and self.text[at : at + 1] == ",":
            return self._gap(at + 1), True
        return at, False

    def _is_literal_at(self, at: int) -> bool:
        kind = tokens.token_at(self.text, at, self.place.said).kind if self._quote_at(at) else ""
        if kind == tokens.NAME:
            return self.place.said or self.roles
        return kind == tokens.STRING

    def _quote_at(self, at: int) -> bool:
        """Whether something quoted may begin there; to look closer costs as much as it is long."""
        return (
            self.text[at : at + 1] in ("'", '"', "$")
            or self.text[at + 1 : at + 2] == "'"
            or (self.text[at + 1 : at + 3] == "&'")
        )

    def _may_be_bare(self, at: int, sure: int, linked: bool, flag: bool) -> bool:
        """Whether a value stands there without quotes."""
        token = tokens.token_at(self.text, at, self.place.said)
        word = self.text[token.start : token.end].lower() if token.kind == tokens.WORD else ""
        if word in _NO_VALUES or self.text[at] in ";,)":
            return False
        if self.roles and sure == names.SURE:
            return not linked or self.place.said or token.kind in (tokens.WORD, tokens.NUMBER)
        if self.place.said:
            return linked or (flag and self.text[at] not in "-|<>")
        if not linked or sure != names.SURE:
            return False
        return token.kind == tokens.NUMBER or (token.kind == tokens.WORD and not self._names_one(token))

    def _names_one(self, token: tokens.Token) -> bool:
        """Whether a word is a column, or what it is a column of, that has such a name itself."""
        end = token.end
        while self.text[end : end + 1] == ".":
            more = tokens.token_at(self.text, end + 1) if end + 1 < self._size else token
            if more.kind not in (tokens.WORD, tokens.NAME) or more.end <= end:
                break
            token, end = more, more.end
        return names.sureness(self.text, token.inner, token.inner_end) > names.NONE

    def _mask_value(self, end: int, value: int, start: int) -> None:
        self._between(end, value)
        head = names.head(self.text, start)
        of_address = self.place.said and head > 0 and self.text[head - 1] in "?&"
        if self.place.said or self.roles:
            self.spills = self.spills or (_PLACEHOLDER.match(self.text, value) is not None and self.place.depth > 0)
        stop = self._value_end(value, of_address)
        if self.place.said and self.text[value] == "[":
            listed = self.text.find("]", stop)
            stop = self._size if listed < 0 else listed
        self.ends_in_value = stop == self._size
        quote = self.text[value] if self.text[value] in "'\"" else "'"
        new = f"{quote}{MASK}{quote}" if self._quote_at(value) else MASK
        opened = self.text.count("(", value, stop) - self.text.count(")", value, stop)
        if self.place.said and opened > 0:
            self._call = self._call or opened
        self._mask(value, stop, new)

    def _between(self, start: int, end: int) -> None:
        """A comment between a name and its value may have one, too."""
        region = self.text[start:end]
        if len(region) > len("/**/") and names.may_have_one(region):
            scan = self._said(region)
            new = scan.masked() if self.place.depth < _DEEPEST else MASK
            if scan.changed or self.place.depth >= _DEEPEST:
                self._mask(start, end, new)

    def _value_end(self, at: int, of_address: bool = False) -> int:
        """Where a value ends: with what is glued to it, what it is joined to, and literals that continue it."""
        while at < self._size:
            if self._quote_at(at):
                token = tokens.token_at(self.text, at, self.place.said)
                if token.kind in _STRING_LIKE:
                    self._budget.spend(token.end - token.start)
                    if token.doubtful or not token.closed:
                        self.spills = self.spills or self.place.depth > 0
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

    def _following(self, end: int) -> int:
        """Where a value goes on behind a literal, or -1."""
        behind = self._gap(end)
        if self.text.startswith("||", behind):
            return self._gap(behind + 2)
        if behind < self._size and behind > end and self.text[behind] == "'":
            return behind
        if behind == end < self._size and self.place.said and self.text[end] not in _CLOSERS:
            return end
        return -1

    def _run(self, at: int, of_address: bool) -> int:
        """The end of a value without quotes."""
        start = at
        while True:
            found = _RUN_STOP.search(self.text, at)
            end = found.start() if found else self._size
            character = self.text[end : end + 1]
            if character == "\\":
                at = end + 2
            elif (character == "&" and not of_address) or (
                character == ";" and not _NEXT_PAIR.match(self.text, end + 1)
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
        if self.text[end] in "'\"":
            return end if self.place.said or self.roles or end == start else -1
        run = self.text[start:end]
        if self.roles and run in (":", "=", "(", ":="):
            return self._gap(end)
        if run[-1:] == "(" or run[-2:] == "||" or (len(run) < names.LONGEST and run.lower() in _SCHEMES):
            return self._gap(end)
        return -1

    def _without_closers(self, start: int, end: int) -> int:
        """A value ends before the comma or parenthesis that stands behind it, if that is only one or two."""
        run = self.text[max(start + 1, end - 2) : end]
        return end - (len(run) - len(run.rstrip(",;)}]")))

    # What needs no name

    def _header(self, start: int, end: int, word: str) -> None:
        value, linked = self._link(end, is_literal=False)
        if word == "bearer" and value > end:
            linked = True
        if value >= self._size and linked:
            self._open(end, value, names.LIKELY, linked)
        elif linked:
            self._mask_value(end, value, start)

    def _colon(self, at: int) -> None:
        if self.text.startswith("://", at):
            self._address(at + 3)
        elif (
            self.place.said and at and self.text[at - 1].isalnum() and self.text[at + 1 : at + 2] not in ("", ":", "=")
        ):
            self._pair(at + 1)

    def _look_along(self, at: int) -> None:
        """Find the end of the run of characters without white space and quotes, and the last @ in it; once a run."""
        if at >= self._run_end:
            self._run_end = t.cast("re.Match[str]", _SPACE_OR_QUOTE.search(self.text, at)).start()
            self._run_at = self.text.rfind("@", at, self._run_end)
            self._budget.spend(self._run_end - at)

    def _address(self, at: int) -> None:
        """user:password@ of an address, of which the password may have any character."""
        self._look_along(at)
        end = self._run_end
        colon = self.text.find(":", at, end)
        if colon < 0 or _PATH.search(self.text, at, colon):
            return
        if self.place.cut and end == self._size:
            self._mask(colon + 1, end)
            return
        path = _PATH.search(self.text, colon, end)
        stop = path.start() if path else end
        last = self.text.rfind("@", colon, stop)
        if last < 0 and not self.text[colon + 1 : stop].isdigit():
            last = self._run_at
        if last > colon:
            self._mask(colon + 1, last)

    def _pair(self, at: int) -> None:
        """user:password@host without a scheme."""
        self._look_along(at)
        end = self._run_end
        if self.place.unclosed and self._size == end > at:
            self._mask(at, end)
        elif self._run_at > at and self.text[self._run_at + 1 : self._run_at + 2].isalnum():
            self._mask(at, self._run_at)

    def _dash(self, at: int) -> None:
        if at and not (self.text[at - 1].isspace() or self.text[at - 1] in "'\"-"):
            return
        if self.text.startswith("-----BEGIN", at) and "PRIVATE KEY" in self.text[at : at + 48]:
            end = self.text.find("-----END", at)
            self._mask(at + len("-----BEGIN"), end if end > 0 else self._size)
            return
        found = _USER_FLAG.match(self.text, at)
        if found and found.end() < self._size:
            self._user_and_password(found.end())

    def _user_and_password(self, at: int) -> None:
        """curl -u user:password"""
        token = tokens.token_at(self.text, at, in_text=True)
        if self.text[at] in "'\"":
            self._budget.spend(token.end - at)
            start, end = token.inner, token.inner_end
        else:
            self._look_along(at)
            start, end = at, self._run_end
        colon = self.text.find(":", start, min(end, start + names.LONGEST))
        if colon < 0:
            return
        if start == at:
            self._mask(colon + 1, self._value_end(colon + 1))
        else:
            self._mask(colon + 1, end)
            self._at = token.end

    def _gap(self, at: int) -> int:
        end = tokens.skip_gap(self.text, at, self.place.said)
        # Of what may be an option just a little, for the next look begins in it.
        short = _SHORT_COMMENT.match(self.text, end) if self.place.said else None
        if short:
            end = t.cast("re.Match[str]", _SPACE.match(self.text, short.end())).end()
        self._budget.spend(end - at)
        return end


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
    if not names.may_have_one(text):
        return _without_open_pair(text) if cut and not said else text
    return Scan(text, Place(said, cut), budget or Budget(len(text))).masked()


def _without_open_pair(text: str) -> str:
    last = text[-_LAST:].split(None)[-1:]
    found = _OPEN_PAIR.match(last[0]) if last and text.endswith(last[0]) else None
    return text[: len(text) - len(last[0]) + found.end()] + MASK if found else text
