# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a query string of the engine's dialect into one that PostgreSQL understands."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .dialect import (
    Parsed,
    SyntaxProblem,
    Token,
    find_role_clause,
    fold_name,
    has_body,
    is_group_statement,
    is_role_statement,
    parse_group_statement,
    scan,
    scan_problem,
    statements,
    string_value,
)
from .profiles import Profile, Setting
from .rules import Applied, Notice, Refused, disabled_warning

PREFIX = "gpops_sandbox."
MARK = "/*gpops*/"
ASK_MARK = "/*gpops ask*/"

_TRUE = frozenset({"on", "true", "yes", "1", "t", "y"})
_FALSE = frozenset({"off", "false", "no", "0", "f", "n"})
_UNITS = {"d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1000, "ms": 1}  # the largest first
# A resource group statement in the body of a function, to the end of the statement or of the text that is executed.
_IN_BODY = re.compile(
    r"(?P<quote>')?\b(?P<verb>create|alter|drop)\s+resource\s+group\b(?(quote)(?:[^']|'')*|[^;$]*)", re.IGNORECASE
)
_DURATION = re.compile(r"\s*(\d+)\s*(ms|s|min|h|d)?\s*")


@dataclass(frozen=True)
class Translation:
    """What PostgreSQL is sent, and what the sandbox itself has to answer."""

    text: str
    group_statement: Parsed | None = None
    problem: SyntaxProblem | None = None  # PostgreSQL stops at this text too, but words it otherwise


@dataclass(frozen=True)
class Translator:
    """The dialect of one engine."""

    profile: Profile
    activated: bool
    _interesting: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        names = "|".join(re.escape(setting.name) for setting in self.profile.settings)
        roles = r"create\s+(role|user|group)"
        pattern = re.compile(rf"resource\s+group|resource(?=\s*(/\*|--))|{roles}|{names}", re.IGNORECASE)
        object.__setattr__(self, "_interesting", pattern)

    def translate(self, text: str, in_block: bool) -> Translation | None:
        """The translation, or nothing if PostgreSQL can have the text as it is."""
        if not self._interesting.search(text):
            return None
        tokens = scan(text, self.profile.old_words)
        if tokens is None:
            problem = scan_problem(text)
            return Translation(text, problem=problem) if problem else None
        parts = list(statements(tokens))
        try:
            return self._translate(text, parts, in_block)
        except SyntaxProblem as found:
            return Translation(text, problem=found)

    def _translate(self, text: str, parts: Sequence[list[Token]], in_block: bool) -> Translation | None:
        edits: list[tuple[int, int, str]] = []
        has_group = in_block or any(tokens[0].word not in ("set", "show", "reset") for tokens in parts)
        for tokens in parts:
            words = [token.word for token in tokens[:2]]
            if is_group_statement(tokens):
                parsed = self._parse(tokens)
                if len(parts) == 1:
                    return Translation(text, group_statement=parsed)
                refusal = Refused("25001", self._block_message(parsed, in_block))
                edits.append((tokens[0].start, tokens[-1].end, answer_call(refusal)))
            elif is_role_statement(tokens):
                edits += self._role_edits(text, tokens)
            elif has_body(tokens):
                edits += [edit for token in tokens for edit in _body_edits(token)]
            in_block = _block_after(words, in_block)
            edits += self._setting_edits(tokens, has_group)
        if not edits:
            return None
        for start, end, replacement in sorted(edits, reverse=True):
            text = text[:start] + replacement + text[end:]
        return Translation(text)

    def _parse(self, tokens: Sequence[Token]) -> Parsed:
        alterable = [option.name for option in self.profile.options if option.alterable]
        texts = [option.name for option in self.profile.options if option.kind != "int"]
        return parse_group_statement(tokens, alterable, texts)

    def _block_message(self, parsed: Parsed, in_block: bool) -> str:
        message = "%s cannot run inside a transaction block" if in_block else self.profile.one_command_message
        return message % parsed.statement.tag

    def _role_edits(self, text: str, tokens: Sequence[Token]) -> list[tuple[int, int, str]]:
        clause = find_role_clause(text, tokens)
        if clause is None:
            return self._silent_role_edits(text, tokens)
        notices = [] if self.activated else [_as_dict(disabled_warning())]
        order = {
            "create": clause.create,
            "role": clause.role,
            "group": clause.group,
            "statement": clause.statement,
            "notices": notices,
        }
        whole = text[tokens[0].start : tokens[-1].end]
        return [(tokens[0].start, tokens[-1].end, call("role", json.dumps(order), whole))]

    def _silent_role_edits(self, text: str, tokens: Sequence[Token]) -> list[tuple[int, int, str]]:
        """A new role that says nothing of its group: the engine says which it gets."""
        if not self.activated or tokens[0].word != "create":
            return []
        whole = text[tokens[0].start : tokens[-1].end]
        order = {"create": True, "role": fold_name(tokens[2])[0], "group": None, "statement": whole, "notices": []}
        return [(tokens[0].start, tokens[-1].end, call("role", json.dumps(order), whole))]

    def _setting_edits(self, tokens: Sequence[Token], has_group: bool) -> list[tuple[int, int, str]]:
        first = tokens[0].word
        if first not in ("set", "reset", "show", "alter"):
            return []
        for index, token in enumerate(tokens[1:], 1):
            setting = self.profile.setting(token.text.strip('"').lower())
            previous = tokens[index - 1].word
            if setting is None or previous not in ("set", "local", "session", "reset", "show"):
                continue
            if first == "show":
                return [(token.start, token.end, PREFIX + setting.name)]
            if setting.in_postgres:
                return []
            if has_group and first == "set" and setting.name == "gp_resource_group_bypass":
                message = f"SET {setting.name} cannot run inside a transaction block"
                return [(tokens[0].start, tokens[-1].end, answer_call(Refused("22023", message)))]
            return self._change_edits(tokens, index, setting)
        return []

    def _change_edits(self, tokens: Sequence[Token], index: int, setting: Setting) -> list[tuple[int, int, str]]:
        """SET, RESET and ALTER … SET of a setting that only the engine has."""
        start, end = tokens[0].start, tokens[-1].end
        if setting.context in ("internal", "postmaster"):
            suffix = " without restarting the server" if setting.context == "postmaster" else ""
            message = f'parameter "{setting.name}" cannot be changed{suffix}'
            return [(start, end, answer_call(Refused("55P02", message)))]
        value = tokens[index + 2] if len(tokens) > index + 2 else None
        canonical = _canonical(setting, value) if value is not None else "DEFAULT"
        if isinstance(canonical, Refused):
            return [(start, end, answer_call(canonical))]
        if setting.context == "superuser" and tokens[0].word != "alter":
            order = {
                "name": setting.name,
                "value": None if canonical == "DEFAULT" else canonical.strip("'"),
                "local": tokens[1].word == "local",
                "tag": tokens[0].word.upper(),
            }
            return [(start, end, call("set", json.dumps(order)))]
        edits = [(tokens[index].start, tokens[index].end, PREFIX + setting.name)]
        if value is not None and tokens[0].word != "reset":
            edits.append((value.start, tokens[-1].end, canonical))
        return edits


def _body_edits(token: Token) -> list[tuple[int, int, str]]:
    """Group statements in a function: PostgreSQL cannot parse them, the engine refuses to run them."""
    if token.kind != "SCONST":
        return []
    body = _IN_BODY.sub(
        lambda match: f"{match['quote'] or ''}CALL pg_catalog.gpops_sandbox_in_function_{match['verb'].lower()}()",
        token.text,
    )
    return [(token.start, token.end, body)] if body != token.text else []


def _canonical(setting: Setting, token: Token) -> str | Refused:
    """The value in the form in which SHOW gives it back, as a literal."""
    text = string_value(token) if token.kind == "SCONST" else token.text.strip('"')
    if token.word == "default":
        return "DEFAULT"
    return canonical_value(setting, text)


def canonical_value(setting: Setting, text: str) -> str | Refused:
    lowered = text.lower()
    if setting.kind == "bool":
        if lowered not in _TRUE | _FALSE:
            return Refused("22023", f'parameter "{setting.name}" requires a Boolean value')
        return "'on'" if lowered in _TRUE else "'off'"
    if setting.kind in ("int", "ms"):
        match = (_DURATION if setting.kind == "ms" else re.compile(r"\s*(\d+)\s*")).fullmatch(text)
        if not match:
            return Refused("22023", f'invalid value for parameter "{setting.name}": "{text}"')
        number = int(match[1])
        return f"'{number}'" if setting.kind == "int" else f"'{shown_duration(number * _UNITS[match[2] or 'ms'])}'"
    return "'" + text.replace("'", "''") + "'"


def shown_duration(milliseconds: int) -> str:
    """As SHOW says it: in the largest unit that leaves no rest."""
    for unit, size in _UNITS.items():
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return "0"


def _block_after(words: Sequence[str], in_block: bool) -> bool:
    """Whether the session is in a transaction block after a statement that begins with these words."""
    if words[:1] == ["begin"] or words == ["start", "transaction"]:
        return True
    if words[:1] in (["commit"], ["end"], ["abort"]) or (words[:1] == ["rollback"] and words[1:] != ["to"]):
        return False
    return in_block


def _as_dict(notice: Notice) -> dict[str, str]:
    return {"severity": notice.severity, "message": notice.message, "hint": notice.hint}


def answer_order(result: Applied | Refused, notices: Iterable[Notice] = (), apply: int | None = None) -> str:
    """The answer of the sandbox, in the form that gpops_sandbox_answer() takes."""
    order: dict[str, object] = {"notices": [_as_dict(notice) for notice in notices]}
    if isinstance(result, Refused):
        order["error"] = {"sqlstate": result.sqlstate, "message": result.message, "hint": result.hint}
    else:
        order["notices"] = [_as_dict(notice) for notice in [*notices, *result.notices]]
        order |= {"tag": result.tag, "apply": apply}
    return json.dumps(order)


def answer_call(refused: Refused) -> str:
    return call("answer", answer_order(refused))


def call(procedure: str, argument: str, text: str | None = None) -> str:
    """A call of one of the sandbox's procedures; the views show the text in its place."""
    tag = f"$gpq{secrets.token_hex(4)}$"
    shown = f", {tag}{text}{tag}" if text is not None else ""
    quoted = "$gpa$" + argument.replace("$gpa$", "$gp a$") + "$gpa$"
    return f"{MARK}CALL pg_catalog.gpops_sandbox_{procedure}({quoted}{shown})"
