# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the statements that PostgreSQL's grammar does not know, from the tokens of its own scanner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pglast import parser

from .rules import MAX_NAME_BYTES, AlterGroup, CreateGroup, DropGroup, GroupStatement, Notice, Value

COMMENTS = frozenset({"C_COMMENT", "SQL_COMMENT"})
NAME_KINDS = frozenset({"NO_KEYWORD", "UNRESERVED_KEYWORD", "COL_NAME_KEYWORD"})
ROLE_WORDS = frozenset({"role", "user", "group"})


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

    def __init__(self, token: Token | None) -> None:
        where = f'at or near "{token.text}"' if token else "at end of input"
        super().__init__(f"syntax error {where}")
        self._start = token.start if token else None

    def position(self, text: str) -> int:
        """As the protocol counts: in characters, from one."""
        return (len(text) if self._start is None else self._start) + 1


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


def scan(text: str) -> list[Token] | None:
    """The tokens without comments; nothing if not even the scanner can read the text."""
    try:
        tokens = parser.scan(text)
    except (parser.ParseError, UnicodeError):
        return None
    return [
        Token(token.start, token.end + 1, token.name, token.kind, text[token.start : token.end + 1])
        for token in tokens
        if token.name not in COMMENTS
    ]


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

    def finish(self) -> None:
        if self.peek() is not None:
            raise SyntaxProblem(self.peek())

    def name(self) -> str:
        token = self.take()
        is_word = token.kind == "IDENT" or token.keyword != "NO_KEYWORD"
        if not is_word or token.keyword not in NAME_KINDS:
            raise SyntaxProblem(token)
        name, notice = fold_name(token)
        self.notices += [notice] if notice else []
        return name


def fold_name(token: Token) -> tuple[str, Notice | None]:
    """A name as the engine stores it: unquoted in lower case, cut at 63 bytes with a notice."""
    text = token.text
    name = text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()
    encoded = name.encode("utf-8", "surrogateescape")
    if len(encoded) <= MAX_NAME_BYTES:
        return name, None
    cut = encoded[:MAX_NAME_BYTES].decode("utf-8", "ignore")
    return cut, Notice("NOTICE", f'identifier "{name}" will be truncated to "{cut}"')


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
        number = _value(reader)
        if number.kind not in ("int", "float"):
            raise SyntaxProblem(token)
        return Value(number.kind, token.text.replace("+", "") + number.text)
    if token.kind == "ICONST":
        return Value("int", token.text)
    if token.kind == "FCONST":
        return Value("float", token.text)
    if token.kind == "SCONST":
        return Value("string", string_value(token))
    if token.kind == "IDENT" or token.keyword != "NO_KEYWORD":
        return Value("word", fold_name(token)[0])
    raise SyntaxProblem(token)


def _alter(reader: _Reader, name: str, alterable: Sequence[str], text_options: Sequence[str]) -> AlterGroup:
    reader.expect("set")
    option = reader.take()
    if option.word not in alterable:
        raise SyntaxProblem(option)
    token = reader.peek()
    value = _value(reader)
    if value.kind != ("string" if option.word in text_options else "int"):
        raise SyntaxProblem(token)
    return AlterGroup(name, option.word, value)


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
