# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: the moment as it will be after a step. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._policies import thresholds
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import GROUP_WAIT, LOCK_WAIT, Backend
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import CANCELLED

_NO_WAIT: dict[str, t.Any] = {"waiting": False, "waiting_reason": None, "wait_age": None, "waits_for_modes": ()}
_FREE: dict[str, t.Any] = {**_NO_WAIT, "blocked_by": (), "blocks": ()}
_AT_REST: dict[str, t.Any] = {**_FREE, "state_age": 0.0, "xact_start": None, "transaction_age": None}


def after(moment: thresholds.Moment, ended: t.Collection[Backend], state: str) -> thresholds.Moment:
    """The moment as it would be if these sessions or statements had ended.

    Whoever then waits for nobody any more is supposed to go on and to hold up nobody.
    """
    pids = {backend.pid for backend in ended}
    at_rest = [
        dataclasses.replace(backend, state="idle", **_AT_REST) if backend.pid in pids else backend
        for backend in moment.backends
        if backend.pid not in pids or state == CANCELLED
    ]
    freed = [backend.resource_group for backend in ended if thresholds.holds_slot(backend)]
    gone = 0 if state == CANCELLED else len(pids)
    return dataclasses.replace(
        moment, backends=_with_slots(_unblocked(at_rest, pids), freed), connections=moment.connections - gone
    )


def _unblocked(backends: list[Backend], gone: set[int]) -> list[Backend]:
    """The sessions without their waits for those that are gone, and for those that go on in turn."""
    # Who waits for nobody that is seen, such as for a prepared transaction, goes on waiting.
    can_go_on = {b.pid for b in backends if b.waiting_reason == LOCK_WAIT and b.blocked_by}
    while True:
        backends = [
            dataclasses.replace(
                backend,
                blocked_by=backend.blocked_by and tuple(pid for pid in backend.blocked_by if pid not in gone),
                blocks=backend.blocks and tuple(pid for pid in backend.blocks if pid not in gone),
            )
            for backend in backends
        ]
        gone = {b.pid for b in backends if b.pid in can_go_on and b.blocked_by == ()}
        if not gone:
            return backends
        can_go_on -= gone
        backends = [dataclasses.replace(b, **_FREE) if b.pid in gone else b for b in backends]


def _with_slots(backends: list[Backend], freed: list[str | None]) -> tuple[Backend, ...]:
    """The sessions when each of these groups has one more free slot, for the one that waits longest."""
    for backend in sorted(backends, key=lambda waiter: -(waiter.wait_age or 0.0)):
        if backend.waiting_reason == GROUP_WAIT and backend.resource_group in freed:
            freed.remove(backend.resource_group)
            backends[backends.index(backend)] = dataclasses.replace(backend, **_NO_WAIT)
    return tuple(backends)
