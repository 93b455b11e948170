# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_backend does: options -> its result. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.cluster import Cluster, connect
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import needs_of_messages, toolkit_warnings
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError, OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import unknown_names
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.backend import counted
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import ARGUMENT_SPEC as SELECTION_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import LEAST_SECONDS
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.snapshot import read
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.escalation import Outcome, signal_all
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.request import (
    ARGUMENT_SPEC,
    Request,
    choose,
    parse,
    spared,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.result import (
    QUERY_LENGTH,
    counts,
    record,
    result,
    warnings,
)
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.sender import SignalSender
from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import Verdict, unprotected_names


def run(options: t.Mapping[str, t.Any], check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Cancel or terminate the sessions that the options select.

    Args:
        options: Validated by the argument specs of a request, of the connection and of the selection.
        check_mode: Decide, and send nothing.

    Returns:
        The result as gpops.toolkit.gp_backend documents it, and warnings.

    Raises:
        GpopsError: In plain words, with the whole result once something may have been signalled.
    """
    request = parse(options)
    plan = request.plan
    deadline = Deadline(options["timeout"] + plan.longest_wait)
    outcomes: dict[int, Outcome] = {}
    with connect(options, *needs_of_messages(request.message)) as cluster:
        engine = cluster.engine
        names, doubts = unknown_names.check(unknown_names.named(options), options["unknown_names"], cluster.execute)
        verdicts = _look(cluster, request)
        _check_cap(verdicts, request)
        told = toolkit_warnings(engine) + warnings(engine, request) + doubts
        told += unprotected_names(verdicts, request.protection)
        victims = [verdict.backend for verdict in verdicts if verdict.outcome is None]
        if victims and not check_mode:
            sender = SignalSender(cluster, deadline, request.message)
            outcomes = signal_all(sender, victims, plan)
    done = {**result(verdicts, outcomes, engine, request), "unknown_names": names}
    _fail_on_survivors(done, request)
    return done, told


def _look(cluster: Cluster, request: Request) -> list[Verdict]:
    with_locks = request.selection.needs_locks
    length = request.selection.query_length(QUERY_LENGTH)
    snapshot = read(cluster, cluster.deadline, with_locks, length)
    if with_locks and snapshot.locks_problem:
        raise GpopsError(
            f"blocking, waiting_for, waits_for_modes and min_wait_age cannot be judged: {snapshot.locks_problem}"
        )
    with cluster.deadline.enforced(request.selection.too_slow, LEAST_SECONDS):
        return choose(snapshot.backends, request, snapshot.who)


def _check_cap(verdicts: t.Sequence[Verdict], request: Request) -> None:
    number = sum(verdict.outcome is None for verdict in verdicts)
    if number <= request.max_victims:
        return
    found = [record(verdict, None, request) for verdict in spared(verdicts, "over max_victims")]
    raise OptionError(
        "max_victims",
        f"{counted(number)} would be {request.state}, {request.max_victims} are allowed; nobody was signalled. "
        "Narrow the selection, or raise max_victims",
        victims=found,
        counts=counts(found),
    )


def _fail_on_survivors(done: dict[str, t.Any], request: Request) -> None:
    bad = {name: done["counts"][name] for name in request.bad_outcomes if done["counts"].get(name)}
    if not bad or request.ignore_survivors:
        return
    what = ", ".join(f"{number} {name}" for name, number in bad.items())
    first = next(record for record in done["victims"] if record["outcome"] in bad)
    raise GpopsError(
        f"not all sessions were {request.state}: {what}. First: process {first['pid']}: {first['reason']}", **done
    )


DEFINITION = Definition(run, SELECTION_SPEC, ARGUMENT_SPEC, unknown_names.ARGUMENT_SPEC)
