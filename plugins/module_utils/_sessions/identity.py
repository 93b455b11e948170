# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: rows of the process list -> which of them are sessions, and whose a session number is.

Private to the collection. Any login may ask for utility mode, in which it is on the coordinator alone, and give itself
any session number (gp_session_id), that of somebody else, too. So a process is told by its pid. A number tells only
whose the processes on the segments are, and these are never those of a session in utility mode.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

SESSION = "session"
UTILITY = "utility"

# What the engine shows as the port of a client of the local socket.
_LOCAL_PORT = -1

Row = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Identities:
    """Who is who in one process list.

    Attributes:
        readers: Helpers that queries have on the coordinator: pid -> that of the session.
        bearers: Session number -> the pids of all sessions that bear it, first the one that has it from the engine.
        sessions: The pids of all sessions.
        strays: Those of them that bear a number that is not theirs.
    """

    readers: t.Mapping[int, int] = dataclasses.field(default_factory=dict)
    bearers: t.Mapping[int, t.Sequence[int]] = dataclasses.field(default_factory=dict)
    sessions: frozenset[int] = frozenset()
    strays: frozenset[int] = frozenset()

    def owner(self, pid: int | None, number: int) -> int | None:
        """The session that a lock belongs to, None if none is listed.

        Args:
            pid: Of the process on the coordinator, None for one on a segment.
            number: The session number beside the lock.
        """
        session = None if pid is None else self.session_of(pid)
        # In the lock table the number is the engine's own, also of a worker that the list does not show.
        return self.bearers[number][0] if session is None and number in self.bearers else session

    def session_of(self, pid: int) -> int | None:
        """The session that a process on the coordinator belongs to, None if none is listed."""
        if pid in self.readers:
            return self.readers[pid]
        return pid if pid in self.sessions else None

    def is_utility(self, pid: int, number: int) -> bool:
        """Whether its number alone tells that a session is in utility mode."""
        return not is_number(number) or pid in self.strays

    @property
    def shared(self) -> dict[int, tuple[int, ...]]:
        """The numbers that several sessions bear, each with their pids."""
        return {n: tuple(pids) for n, pids in self.bearers.items() if is_number(n) and not self.strays.isdisjoint(pids)}


NOBODY = Identities()


def is_number(number: int) -> bool:
    """Whether this is a session number: what belongs to no session has none."""
    return number > 0


def identify(rows: t.Sequence[Row]) -> Identities:
    """Tell sessions from their helpers, and find the numbers that several bear."""
    by_number: dict[int, list[Row]] = collections.defaultdict(list)
    for row in sorted(rows, key=_start):
        by_number[row["sess_id"]].append(row)
    readers: dict[int, int] = {}
    for number, same in by_number.items():
        if is_number(number):
            readers.update(_readers(same))
    sessions = {number: [row for row in same if row["pid"] not in readers] for number, same in by_number.items()}
    witnesses = [same[0] for number, same in sessions.items() if len(same) == 1 and is_number(number)]
    bearers = {number: _ranked(same, witnesses) for number, same in sessions.items()}
    # Of what this role may not see it cannot tell whether it is a helper.
    seen = {row["pid"] for row in rows if row.get("backend_start") is not None}
    strays = frozenset(pid for number, pids in bearers.items() if is_number(number) for pid in pids[1:] if pid in seen)
    return Identities(readers, bearers, frozenset(pid for pids in bearers.values() for pid in pids), strays)


def _start(row: Row) -> tuple[str, int]:
    # Rows without a start are hidden ones: last.
    return (row.get("backend_start") or "~", row["pid"])


def _readers(same: t.Sequence[Row]) -> t.Iterator[tuple[int, int]]:
    """Those of one number that are helpers of an earlier one of the same user and database.

    The engine itself logs in for them, over the coordinator's local socket and without a name, which no client from
    elsewhere can do. Who can do it hides behind a session of his own only, and is a session when that has ended.
    """
    for position, row in enumerate(same):
        inside = row.get("client_port") == _LOCAL_PORT and row.get("client_addr") is None
        if not inside or row.get("application_name") or row.get("backend_start") is None:
            continue
        for earlier in same[:position]:
            if (earlier.get("usename"), earlier.get("datname")) == (row.get("usename"), row.get("datname")):
                yield row["pid"], earlier["pid"]
                break


def _ranked(same: t.Sequence[Row], witnesses: t.Sequence[Row]) -> list[int]:
    """The pids of those that bear one number, first the one that has it from the engine.

    The engine refuses a second session with processes on segments, so the others are in utility mode. It counts
    upwards: whoever began before one with a lower number, or after one with a higher one, gave itself its own. If that
    tells nothing, it is the one that came later, for it could see the other's.
    """

    def doubts(row: Row) -> int:
        start, number = row.get("backend_start"), row["sess_id"]
        if start is None:
            return 0
        known = [(w["backend_start"], w["sess_id"]) for w in witnesses if w.get("backend_start") is not None]
        return sum((began < start) != (other < number) for began, other in known)

    if len(same) == 1:
        return [same[0]["pid"]]
    return [row["pid"] for row in sorted(same, key=lambda row: (doubts(row), _start(row)))]
