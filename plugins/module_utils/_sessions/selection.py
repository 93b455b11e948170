# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: records + criteria -> chosen. Private to the collection.

One semantics for all modules: AND between options, OR within a list, an exclusion always wins.
An option that is not given does not matter; an empty list matches nothing. What is unknown meets no
criterion, and what this role may not see meets every exclusion: nothing is chosen on a guess.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import DeadlineExceeded, OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.option_types import duration, names_test, waiting_time
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import (
    GROUP_WAIT,
    LOCK_WAIT,
    QUEUE_WAIT,
    REPLICATION_WAIT,
    RUNNING_STATES,
    Backend,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.locks import MODES
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.query_text import LONGEST, needed

# What understands options of this kind gets the words with it.
__all__ = ["ARGUMENT_SPEC", "Selection", "duration", "names_test", "parse", "waiting_time"]

STATES = (
    "active",
    "idle",
    "idle in transaction",
    "idle in transaction (aborted)",
    "fastpath function call",
    "disabled",
)
_EXPRESSIONS = ("query_regex", "exclude_query_regex")
_TOO_SLOW = (
    "matching the query texts took longer than timeout; "
    "write the expression so that it does not backtrack, without a repetition inside a repetition"
)
# What matching may take although reading took all of the time: what was read is not to be lost.
LEAST_SECONDS = 1.0
ANY_WAIT = "any"
LOCAL = "local"
_WAITS = (LOCK_WAIT, GROUP_WAIT, QUEUE_WAIT, REPLICATION_WAIT, ANY_WAIT)

_STRINGS: dict[str, t.Any] = {"type": "list", "elements": "str"}
_INTEGERS: dict[str, t.Any] = {"type": "list", "elements": "int"}

ARGUMENT_SPEC: dict[str, t.Any] = {
    "pids": _INTEGERS,
    "session_ids": _INTEGERS,
    "users": _STRINGS,
    "databases": _STRINGS,
    "application_names": _STRINGS,
    "resource_groups": _STRINGS,
    "client_addresses": _STRINGS,
    "states": dict(_STRINGS, choices=list(STATES)),
    "waiting_for": dict(_STRINGS, choices=list(_WAITS)),
    "waits_for_modes": dict(_STRINGS, choices=list(MODES)),
    "query_regex": {"type": "str"},
    "min_session_age": {"type": "str"},
    "min_transaction_age": {"type": "str"},
    "min_query_age": {"type": "str"},
    "min_state_age": {"type": "str"},
    "min_wait_age": {"type": "str"},
    "blocking": {"type": "int"},
    "exclude_users": _STRINGS,
    "exclude_databases": _STRINGS,
    "exclude_application_names": _STRINGS,
    "exclude_resource_groups": _STRINGS,
    "exclude_client_addresses": _STRINGS,
    "exclude_query_regex": {"type": "str"},
    "exclude_waiting_for": dict(_STRINGS, choices=list(_WAITS)),
}

_Test = t.Callable[[Backend], bool]
_ValueTest = t.Callable[[t.Any], bool]

# Option -> the field that it compares, exact or as a glob.
_NAME_FIELDS = {
    "users": "usename",
    "databases": "datname",
    "application_names": "application_name",
    "resource_groups": "resource_group",
}
_AGE_FIELDS = {
    "min_session_age": "session_age",
    "min_transaction_age": "transaction_age",
    "min_query_age": "query_age",
    "min_state_age": "state_age",
    "min_wait_age": "wait_age",
}


@dataclasses.dataclass(frozen=True)
class Criterion:
    """One option: its name and what it says of a record."""

    option: str
    test: _Test


@dataclasses.dataclass(frozen=True)
class Selection:
    """The criteria of one task.

    Attributes:
        needs_locks: They can be judged with the lock table only.
    """

    wanted: tuple[Criterion, ...]
    unwanted: tuple[Criterion, ...]
    needs_locks: bool = False

    @property
    def _expressions(self) -> list[str]:
        return [one.option for one in (*self.wanted, *self.unwanted) if one.option in _EXPRESSIONS]

    @property
    def too_slow(self) -> str | None:
        """What to say if judging takes too long; None if nothing in it can, for no expression of a user's is."""
        return f"{' or '.join(self._expressions)}: {_TOO_SLOW}" if self._expressions else None

    def query_length(self, shown: int) -> int:
        """How many characters of each query text it takes to choose, and to show so many."""
        # One more than is matched tells that there are more.
        return LONGEST + 1 if self._expressions else needed(shown)

    def why_not(self, backend: Backend) -> str | None:
        """The option that leaves this record out, exclusions first, or None if it is chosen."""
        for criterion in self.unwanted:
            if criterion.test(backend):
                return criterion.option
        for criterion in self.wanted:
            if not criterion.test(backend):
                return criterion.option
        return None

    def choose(self, backends: t.Iterable[Backend]) -> list[Backend]:
        """The records that meet the criteria, in the order given."""
        return [backend for backend in backends if self.why_not(backend) is None]


def parse(options: t.Mapping[str, t.Any]) -> Selection:
    """The selection that these options describe; those that are None or absent do not matter.

    Raises:
        OptionError: A glob, address, regular expression, duration or number that cannot be used.
    """
    wanted: list[Criterion] = []
    unwanted: list[Criterion] = []
    for option in ARGUMENT_SPEC:
        value = options.get(option)
        if value is None:
            continue
        if option.startswith("exclude_"):
            unwanted.append(Criterion(option, _exclusion(option, value)))
        else:
            wanted.append(Criterion(option, _criterion(option, value)))
    return Selection(tuple(wanted), tuple(unwanted), _needs_locks(options))


def _needs_locks(options: t.Mapping[str, t.Any]) -> bool:
    """Whether these criteria can be judged with the lock table only."""
    if options.get("blocking") is not None or options.get("waits_for_modes") is not None:
        return True
    # A wait for a slot or for replication shows in the process list.
    waits = [*(options.get("waiting_for") or ()), *(options.get("exclude_waiting_for") or ())]
    if not set(waits) <= {GROUP_WAIT, REPLICATION_WAIT}:
        return True
    return options.get("min_wait_age") is not None and options.get("waiting_for") is None


def _criterion(option: str, value: t.Any) -> _Test:
    if option in _AGE_FIELDS:
        return _age_test(option, duration(option, value))
    if option == "pids":
        return lambda backend: backend.pid in value
    if option == "session_ids":
        return lambda backend: backend.sess_id in value
    if option == "states":
        return lambda backend: backend.state in value
    if option == "waiting_for":
        return lambda backend: _waits_for(backend, value)
    if option == "waits_for_modes":
        return lambda backend: bool(set(backend.waits_for_modes or ()).intersection(value))
    if option == "blocking":
        if value < 1:
            raise OptionError(option, f"{value} is not allowed; it is a number of sessions, 1 or more")
        return lambda backend: backend.blocks is not None and len(backend.blocks) >= value
    field, test = _value_test(option, option, value)
    return lambda backend: not _unseen(backend, field) and test(getattr(backend, field))


def _waits_for(backend: Backend, reasons: t.Collection[str]) -> bool:
    return bool(backend.waiting) and (ANY_WAIT in reasons or backend.waiting_reason in reasons)


def _exclusion(option: str, value: t.Any) -> _Test:
    if option == "exclude_waiting_for":
        # Whether a session waits that this role may not see is unknown.
        return lambda backend: bool(value) and (backend.waiting is None or _waits_for(backend, value))
    field, test = _value_test(option, option[len("exclude_") :], value)
    if not value:
        return lambda _backend: False
    if field == "query":
        # What it says beyond what was looked at is unknown, and nothing is chosen on a guess.
        return lambda backend: _unseen(backend, field) or test(backend.query) or len(backend.query or "") > LONGEST
    return lambda backend: _unseen(backend, field) or test(getattr(backend, field))


def _unseen(backend: Backend, field: str) -> bool:
    """Whether the value is there but not for this role to see. Who and where is always shown."""
    if field == "client_addr":  # none of it is a client of the local socket
        return backend.hidden
    return backend.hidden if field == "query" and backend.query else getattr(backend, field) is None


def _value_test(option: str, kind: str, value: t.Any) -> tuple[str, _ValueTest]:
    if kind in _NAME_FIELDS:
        return _NAME_FIELDS[kind], names_test(option, value)
    if kind == "client_addresses":
        return "client_addr", _addresses_test(option, value)
    return "query", _regex_test(option, value)


def _age_test(option: str, seconds: float) -> _Test:
    field = _AGE_FIELDS[option]

    def test(backend: Backend) -> bool:
        if field == "query_age" and backend.state not in RUNNING_STATES:
            return False  # the last statement of a session that runs none
        age = getattr(backend, field)
        return age is not None and age >= seconds

    return test


def _addresses_test(option: str, addresses: t.Iterable[str]) -> _ValueTest:
    listed = list(addresses)
    networks = [_network(option, address) for address in listed if address != LOCAL]

    def test(address: str | None) -> bool:
        if address is None:
            return LOCAL in listed
        try:
            client = ipaddress.ip_address(address.split("%", 1)[0])
        except ValueError:
            return False
        return any(client in network for network in networks)

    return test


def _network(option: str, text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise OptionError(
            option,
            f"{text!r} is not an address or CIDR network ({error}); allowed are such as "
            f"192.0.2.7, 192.0.2.0/24, 2001:db8::/32, or {LOCAL} for the local socket",
        ) from None


def _regex_test(option: str, text: str) -> _ValueTest:
    if not text:
        raise OptionError(option, "an empty regular expression is not allowed: it matches every query")
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise OptionError(option, f"{text!r} is not a Python regular expression: {error}") from None

    def test(query: str | None) -> bool:
        try:
            return query is not None and pattern.search(query, 0, LONGEST) is not None
        except DeadlineExceeded:
            # Of two expressions, this is the one.
            raise DeadlineExceeded(f"{option}: {_TOO_SLOW}") from None

    return test
