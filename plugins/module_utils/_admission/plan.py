# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: who may connect now + who should -> what to alter. Private to the collection."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.option_types import names_test

NO_LIMIT = -1
_LARGEST = 2**31 - 1
# What stands in a name for bytes that are no UTF-8.
_NOT_UTF_8 = "\N{REPLACEMENT CHARACTER}"
_GLOB_CHARACTER = re.compile(r"[*?[]")


@dataclasses.dataclass(frozen=True)
class Admission:
    """What lets sessions in: of a database or a role.

    Attributes:
        connection_limit: -1 is none.
        login: Of a role; None for a database.
    """

    connection_limit: int
    login: bool | None = None

    @property
    def shown(self) -> dict[str, t.Any]:
        """As the result has it."""
        login = {} if self.login is None else {"login": self.login}
        return {"connection_limit": self.connection_limit, **login}


@dataclasses.dataclass(frozen=True)
class Subject:
    """A database or a role.

    Attributes:
        connections: How many there are now.
        is_template: Of a database.
        is_superuser: Of a role.
    """

    name: str
    admission: Admission
    connections: int = 0
    is_template: bool = False
    is_superuser: bool = False

    @property
    def can_be_named(self) -> bool:
        """Whether a statement can name it; another database may be in LATIN1, and so what was made from there."""
        return _NOT_UTF_8 not in self.name


@dataclasses.dataclass(frozen=True)
class Desired:
    """One entry, understood.

    Attributes:
        option: How the user wrote it, such as databases[0].
        connection_limit: None stays as it is.
        login: Likewise.
    """

    option: str
    name: str
    connection_limit: int | None
    login: bool | None = None

    @property
    def is_glob(self) -> bool:
        """Whether it may stand for several."""
        return bool(_GLOB_CHARACTER.search(self.name))

    def of(self, admission: Admission) -> Admission:
        """The admission with what is wished for in it."""
        limit = admission.connection_limit if self.connection_limit is None else self.connection_limit
        return Admission(limit, admission.login if self.login is None else self.login)


@dataclasses.dataclass(frozen=True)
class DesiredState:
    """The whole task."""

    databases: tuple[Desired, ...] = ()
    roles: tuple[Desired, ...] = ()
    allow_lockout: bool = False
    allow_superusers: bool = False


@dataclasses.dataclass(frozen=True)
class Server:
    """Who may connect now.

    Attributes:
        login_role: Who logged in, whatever the role is now.
        database: Where.
    """

    databases: t.Mapping[str, Subject]
    roles: t.Mapping[str, Subject]
    login_role: str
    database: str


@dataclasses.dataclass(frozen=True)
class Target:
    """One database or role that was named or matched.

    Attributes:
        kind: databases or roles.
        after: What it should be.
    """

    kind: str
    subject: Subject
    after: Admission
    option: str

    @property
    def changes(self) -> bool:
        """Whether a statement is needed."""
        return self.after != self.subject.admission


def parse(
    databases: t.Sequence[t.Mapping[str, t.Any]] | None,
    roles: t.Sequence[t.Mapping[str, t.Any]] | None,
    *,
    allow_lockout: bool = False,
    allow_superusers: bool = False,
) -> DesiredState:
    """The options -> what is asked for.

    Raises:
        OptionError: Something cannot be meant, whatever the server.
    """
    if databases is None and roles is None:
        raise OptionError("databases", "give databases, roles or both")
    return DesiredState(
        _entries("databases", databases or ()), _entries("roles", roles or ()), allow_lockout, allow_superusers
    )


def _entries(kind: str, entries: t.Sequence[t.Mapping[str, t.Any]]) -> tuple[Desired, ...]:
    found: dict[str, Desired] = {}
    for number, entry in enumerate(entries):
        option, name = f"{kind}[{number}]", entry["name"] or ""
        if not name:
            raise OptionError(f"{option}.name", "an empty name is not allowed")
        if name in found:
            raise OptionError(f"{option}.name", f"{name!r} is listed already, as {found[name].option}")
        desired = Desired(option, name, entry.get("connection_limit"), entry.get("login"))
        _check_limit(desired)
        if kind == "databases":
            names_test(f"{option}.name", [name])
        if desired.connection_limit is None and desired.login is None:
            raise OptionError(option, f"nothing is asked of {name!r}; give connection_limit, login or both")
        found[name] = desired
    return tuple(found.values())


def _check_limit(desired: Desired) -> None:
    limit = desired.connection_limit
    if limit is not None and not NO_LIMIT <= limit <= _LARGEST:
        raise OptionError(
            f"{desired.option}.connection_limit",
            f"{limit} is not allowed; it is -1 for no limit, 0 for nobody but superusers, or a number up to {_LARGEST}",
        )


def plan(server: Server, desired_state: DesiredState) -> list[Target]:
    """What was named or matched, each with what it should be, in the order in which to alter them.

    The login role comes last, so that a failure before it finds it as it was.

    Raises:
        OptionError: A name is unknown, two globs contradict each other, or somebody would be locked out.
    """
    databases = _matched_databases(server.databases, desired_state.databases)
    roles = [_role(server.roles, desired) for desired in desired_state.roles]
    for target in roles:
        _check_superuser(target, desired_state)
    if not desired_state.allow_lockout:
        _check_lockout([*databases, *roles], server)
    return [*databases, *sorted(roles, key=lambda target: target.subject.name == server.login_role)]


def _matched_databases(databases: t.Mapping[str, Subject], desired_state: t.Sequence[Desired]) -> list[Target]:
    exact: dict[str, Target] = {}
    matched: dict[str, Target] = {}
    for desired in desired_state:
        if not desired.is_glob:
            exact[desired.name] = _target("databases", _known(databases, desired, "database"), desired)
            continue
        matches = names_test(f"{desired.option}.name", [desired.name])
        for name in sorted(databases):
            if databases[name].is_template or not databases[name].can_be_named or not matches(name):
                continue
            target = _target("databases", databases[name], desired)
            other = matched.setdefault(name, target)
            if other.after != target.after and not _is_named(name, desired_state):
                raise OptionError(
                    f"{desired.option}.connection_limit",
                    f"database {name!r} would get {target.after.connection_limit} here and "
                    f"{other.after.connection_limit} from {other.option}; name it, a name wins over a glob",
                )
    return [*{**matched, **exact}.values()]


def left(server: Server, desired_state: DesiredState) -> list[str]:
    """The databases that a glob matches and no statement can name."""
    globs = [names_test(desired.option, [desired.name]) for desired in desired_state.databases if desired.is_glob]
    return sorted(
        name
        for name, subject in server.databases.items()
        if not subject.can_be_named and not subject.is_template and any(matches(name) for matches in globs)
    )


def _is_named(name: str, desired_state: t.Sequence[Desired]) -> bool:
    return any(desired.name == name and not desired.is_glob for desired in desired_state)


def _role(roles: t.Mapping[str, Subject], desired: Desired) -> Target:
    return _target("roles", _known(roles, desired, "role"), desired)


def _known(subjects: t.Mapping[str, Subject], desired: Desired, what: str) -> Subject:
    if desired.name not in subjects:
        raise OptionError(f"{desired.option}.name", f"there is no {what} {desired.name!r}")
    return subjects[desired.name]


def _target(kind: str, subject: Subject, desired: Desired) -> Target:
    return Target(kind, subject, desired.of(subject.admission), desired.option)


def _check_superuser(target: Target, desired_state: DesiredState) -> None:
    loses = target.subject.admission.login and target.after.login is False
    if loses and target.subject.is_superuser and not desired_state.allow_superusers:
        raise OptionError(
            f"{target.option}.login",
            f"{target.subject.name!r} is a superuser and could not log in any more; allow_superusers: true does it",
        )


def _check_lockout(targets: t.Iterable[Target], server: Server) -> None:
    own = server.roles.get(server.login_role)
    exempt = own is not None and own.is_superuser
    for target in targets:
        ours = server.database if target.kind == "databases" else server.login_role
        if target.subject.name != ours or not target.changes:
            continue
        if target.after.login is False and target.subject.admission.login:
            raise OptionError(
                f"{target.option}.login",
                f"this would lock you out: you log in as {ours!r}; allow_lockout: true does it",
            )
        if not exempt and _is_full(target):
            what = "database" if target.kind == "databases" else "role"
            raise OptionError(
                f"{target.option}.connection_limit",
                f"this would lock you out: {what} {ours!r}, with which you log in, has {target.subject.connections} "
                f"connections and would have room for {target.after.connection_limit}, and {server.login_role!r} is "
                "no superuser; allow_lockout: true does it",
            )


def _is_full(target: Target) -> bool:
    """Whether the next connection would be refused, and not before; our own counts as one."""
    before, limit = target.subject.admission.connection_limit, target.after.connection_limit
    if before != NO_LIMIT and limit >= before:
        return False
    return limit != NO_LIMIT and limit < max(target.subject.connections, 1)


def restoring(targets: t.Iterable[Target], kind: str) -> list[dict[str, t.Any]]:
    """The entries that put back what differs; a bracket in a database's name is no glob there."""
    changed = [target.subject for target in targets if target.kind == kind and target.changes]
    return [{"name": _literal(kind, subject.name), **subject.admission.shown} for subject in changed]


def _literal(kind: str, name: str) -> str:
    return _GLOB_CHARACTER.sub(r"[\g<0>]", name) if kind == "databases" else name


def warnings(targets: t.Sequence[Target], desired_state: DesiredState, left_out: t.Iterable[str] = ()) -> list[str]:
    """What the operator should know besides."""
    said = [
        f"database {name}: its name is not UTF-8, and no statement can name it; it stays as it is" for name in left_out
    ]
    for target in targets:
        what, name = ("database" if target.kind == "databases" else "role"), target.subject.name
        limit, now = target.after.connection_limit, target.subject.connections
        if not target.changes or limit == target.subject.admission.connection_limit:
            continue
        if target.subject.is_superuser and limit != NO_LIMIT:
            said.append(f"role {name} is a superuser: connection limits do not hold for it")
        elif limit != NO_LIMIT and now > limit:
            said.append(f"{what} {name} has {now} connections, more than {limit}: they stay until they end")
    unmatched = [
        desired for desired in desired_state.databases if not any(_matches(desired, target) for target in targets)
    ]
    return said + [
        f"{desired.option}.name: no database matches {desired.name!r}" for desired in unmatched if desired.is_glob
    ]


def _matches(desired: Desired, target: Target) -> bool:
    return target.kind == "databases" and names_test(desired.option, [desired.name])(target.subject.name)
