# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the statements that PostgreSQL's grammar does not know, from the tokens of its own scanner."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pglast import parser

from .rules import MAX_NAME_BYTES, AlterGroup, CreateGroup, DropGroup, GroupStatement, Notice, Value

COMMENTS = frozenset({"C_COMMENT", "SQL_COMMENT"})
NAME_KINDS = frozenset({"NO_KEYWORD", "UNRESERVED_KEYWORD", "COL_NAME_KEYWORD"})
ROLE_WORDS = frozenset({"role", "user", "group"})
_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+")
_GROUP_STATEMENT = re.compile(r"\s*(create|alter|drop)\s+resource\s+group\b", re.IGNORECASE)
_CAPITALS = {letter: chr(letter + 32) for letter in range(ord("A"), ord("Z") + 1)}
_ESCAPE = r"{0}(?:(?P<same>{0})|\+(?P<long>[0-9A-Fa-f]{{6}})|(?P<short>[0-9A-Fa-f]{{4}}))"


@dataclass(frozen=True)
class Token:
    """One token: where it stands, and how it reads."""

    start: int
    end: int
    kind: str
    keyword: str
    text: str

    @property
    def word(self) -> str:
        """The lower-case word, or nothing for quoted names and literals."""
        return self.text.lower() if self.kind not in ("SCONST", "ICONST", "FCONST") and self.text[:1] != '"' else ""


class SyntaxProblem(Exception):
    """A syntax error at a token, or behind the last one."""

    def __init__(self, token: Token | None, message: str = "", start: int | None = None) -> None:
        where = f'at or near "{token.text}"' if token else "at end of input"
        super().__init__(message or f"syntax error {where}")
        self._start = token.start if token else start

    def position(self, text: str) -> int:
        """As the protocol counts: in characters, from one."""
        return (len(text) if self._start is None else self._start) + 1


class ScanProblem(SyntaxProblem):
    """A text that not even the scanner can read."""

    def __init__(self, message: str, start: int) -> None:
        super().__init__(None, message, start)


@dataclass(frozen=True)
class Parsed:
    """A resource group statement, with the notices that its names deserve."""

    statement: GroupStatement
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class RoleClause:
    """CREATE or ALTER ROLE … RESOURCE GROUP: the statement without the clause, and what the clause says."""

    create: bool
    role: str
    group: str
    statement: str


def scan(text: str, numbers_end: bool = False) -> list[Token] | None:
    """The tokens without comments; nothing if not even the scanner can read the text.

    Before PostgreSQL 15 a number ended where its digits did, and what follows was a word of its own (numbers_end).
    """
    try:
        tokens = parser.scan(text)
    except (parser.ParseError, UnicodeError) as problem:
        return _scan_around_number(text, problem) if numbers_end else None
    return [
        Token(token.start, token.end + 1, token.name, token.kind, text[token.start : token.end + 1])
        for token in tokens
        if token.name not in COMMENTS
    ]


def _scan_around_number(text: str, problem: Exception) -> list[Token] | None:
    """Where a number runs into a word, the tokens of an older scanner: those before, the number, those behind."""
    start = problem.args[1] if len(problem.args) > 1 and isinstance(problem.args[1], int) else -1
    number = _NUMBER.match(text, start) if start >= 0 and "trailing junk" in str(problem.args[0]) else None
    if number is None:
        return None
    before, behind = scan(text[:start]), scan(text[number.end() :], numbers_end=True)
    if before is None or behind is None:
        return None
    digits = Token(start, number.end(), "FCONST" if "." in number[0] else "ICONST", "NO_KEYWORD", number[0])
    shifted = [replace(token, start=token.start + number.end(), end=token.end + number.end()) for token in behind]
    return [*before, digits, *shifted]


def scan_problem(text: str) -> ScanProblem | None:
    """What the scanner says to a resource group statement that it cannot read: the grammar would let it get there."""
    if not _GROUP_STATEMENT.match(text):
        return None
    try:
        parser.scan(text)
    except parser.ParseError as problem:
        return ScanProblem(*problem.args)
    except UnicodeError:
        pass
    return None


def statements(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens of each statement; a semicolon inside parentheses (CREATE RULE) ends nothing."""
    current: list[Token] = []
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == ";" and depth <= 0:
            if current:
                yield current
            current = []
        else:
            current.append(token)
    if current:
        yield current


def is_group_statement(tokens: Sequence[Token]) -> bool:
    words = [token.word for token in tokens[:3]]
    return len(words) == 3 and words[0] in ("create", "alter", "drop") and words[1:] == ["resource", "group"]


def is_role_statement(tokens: Sequence[Token]) -> bool:
    words = [token.word for token in tokens[:3]]
    return len(words) == 3 and words[0] in ("create", "alter") and words[1] in ROLE_WORDS and words[2] != "mapping"


def has_body(tokens: Sequence[Token]) -> bool:
    """A statement that carries others in a string: a function, a procedure, or DO."""
    words = [token.word for token in tokens[:4]]
    return words[:1] == ["do"] or (words[:1] == ["create"] and bool({"function", "procedure"} & set(words)))


class _Reader:
    """Walks over the tokens of one statement."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self.notices: list[Notice] = []

    def peek(self) -> Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def take(self) -> Token:
        token = self.peek()
        if token is None:
            raise SyntaxProblem(None)
        self._next += 1
        return token

    def expect(self, *words: str) -> Token:
        token = self.take()
        if token.word not in words:
            raise SyntaxProblem(token)
        return token

    def skip(self, word: str) -> bool:
        token = self.peek()
        if token is not None and token.word == word:
            self._next += 1
            return True
        return False

    def sign(self) -> str:
        """A minus that stands in front of a number; a plus says nothing."""
        if self.skip("-"):
            return "-"
        self.skip("+")
        return ""

    def finish(self) -> None:
        if self.peek() is not None:
            raise SyntaxProblem(self.peek())

    def name(self) -> str:
        token = self.take()
        is_word = token.kind in ("IDENT", "UIDENT") or token.keyword != "NO_KEYWORD"
        if not is_word or token.keyword not in NAME_KINDS:
            raise SyntaxProblem(token)
        escape = "\\"
        if token.kind == "UIDENT" and self.skip("uescape"):
            escape = string_value(self.take())
        name, notice = fold_name(token, escape)
        self.notices += [notice] if notice else []
        return name


def fold_name(token: Token, escape: str = "\\") -> tuple[str, Notice | None]:
    """A name as the engine stores it: unquoted in lower case (ASCII only), cut at 63 bytes with a notice."""
    text = token.text
    if token.kind == "UIDENT":
        name = _unescaped(text[text.index('"') + 1 : -1].replace('""', '"'), escape)
    else:
        name = text[1:-1].replace('""', '"') if text.startswith('"') else text.translate(_CAPITALS)
    encoded = name.encode("utf-8", "surrogateescape")
    if len(encoded) <= MAX_NAME_BYTES:
        return name, None
    cut = encoded[:MAX_NAME_BYTES].decode("utf-8", "ignore")
    return cut, Notice("NOTICE", f'identifier "{name}" will be truncated to "{cut}"')


def _unescaped(text: str, escape: str) -> str:
    """What stands in U&"…": the escape character and four digits, or + and six."""

    def character(match: re.Match[str]) -> str:
        return escape if match["same"] else chr(int(match["long"] or match["short"], 16))

    return re.sub(_ESCAPE.format(re.escape(escape)), character, text)


def string_value(token: Token) -> str:
    """What a plain string literal says."""
    return token.text[token.text.index("'") + 1 : -1].replace("''", "'")


def parse_group_statement(tokens: Sequence[Token], alterable: Sequence[str], text_options: Sequence[str]) -> Parsed:
    """CREATE, ALTER or DROP RESOURCE GROUP; raises SyntaxProblem where the engine's parser would stop."""
    reader = _Reader(tokens)
    verb = reader.expect("create", "alter", "drop").word
    reader.expect("resource")
    reader.expect("group")
    name = reader.name()
    statement: GroupStatement
    if verb == "drop":
        statement = DropGroup(name)
    elif verb == "create":
        statement = CreateGroup(name, _definition(reader))
    else:
        statement = _alter(reader, name, alterable, text_options)
    reader.finish()
    return Parsed(statement, tuple(reader.notices))


def _definition(reader: _Reader) -> tuple[tuple[str, Value], ...]:
    if reader.peek() is None:
        return ()
    reader.expect("with")
    reader.expect("(")
    options: list[tuple[str, Value]] = []
    while True:
        label = reader.take()
        if label.kind != "IDENT" and label.keyword == "NO_KEYWORD":
            raise SyntaxProblem(label)
        value = _value(reader) if reader.skip("=") else Value("none")
        options.append((fold_name(label)[0], value))
        if reader.expect(",", ")").text == ")":
            return tuple(options)


def _value(reader: _Reader) -> Value:
    token = reader.take()
    if token.text in ("-", "+"):
        number = reader.take()
        if number.kind not in ("ICONST", "FCONST"):
            raise SyntaxProblem(number)
        return Value(_number_kind(number), token.text.replace("+", "") + number.text)
    if token.kind in ("ICONST", "FCONST"):
        return Value(_number_kind(token), token.text)
    if token.kind == "SCONST":
        return Value("string", string_value(token))
    if token.kind == "IDENT" or token.keyword != "NO_KEYWORD":
        return Value("word", fold_name(token)[0])
    raise SyntaxProblem(token)


def _number_kind(token: Token) -> Literal["int", "float"]:
    """Digits alone are an integer, however many: only ALTER's grammar minds that they may be too many."""
    return "int" if token.text.isdigit() else "float"


def _alter(reader: _Reader, name: str, alterable: Sequence[str], text_options: Sequence[str]) -> AlterGroup:
    reader.expect("set")
    option = reader.take()
    if option.word not in alterable:
        raise SyntaxProblem(option)
    wanted = "SCONST" if option.word in text_options else "ICONST"
    sign = "" if wanted == "SCONST" else reader.sign()
    token = reader.peek()
    if token is None or token.kind != wanted:
        raise SyntaxProblem(token)
    value = _value(reader)
    return AlterGroup(name, option.word, replace(value, text=sign + value.text))


def find_role_clause(text: str, tokens: Sequence[Token]) -> RoleClause | None:
    """The RESOURCE GROUP clause of a role statement, if it has one."""
    for index in range(3, len(tokens) - 1):
        if tokens[index].word == "resource" and tokens[index + 1].word == "group":
            reader = _Reader(tokens[index + 2 :])
            group = reader.name()
            rest = text[tokens[0].start : tokens[index].start] + text[tokens[index + 2].end : tokens[-1].end]
            role, _dummy = fold_name(tokens[2])
            return RoleClause(tokens[0].word == "create", role, group, rest)
    return None
