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
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import ARGUMENT_SPEC as SELECTION_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.selection import LEAST_SECONDS, needs_locks
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
    bad_outcomes,
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
        The result as M(gpops.toolkit.gp_backend) documents it, and warnings.

    Raises:
        GpopsError: In plain words, with the whole result once something may have been signalled.
    """
    request = parse(options)
    plan = request.plan
    deadline = Deadline(options["timeout"] + plan.longest_wait)
    outcomes: dict[int, Outcome] = {}
    with connect(options, *needs_of_messages(options)) as cluster:
        engine = cluster.engine
        verdicts = _look(cluster, request, options)
        _check_cap(verdicts, options)
        told = toolkit_warnings(engine) + warnings(engine, options)
        told += unprotected_names(verdicts, request.protection)
        victims = [verdict.backend for verdict in verdicts if verdict.outcome is None]
        if victims and not check_mode:
            sender = SignalSender(cluster, deadline, options["victim_message"])
            outcomes = signal_all(sender, victims, plan)
    done = result(verdicts, outcomes, engine, options)
    _fail_on_survivors(done, options)
    return done, told


def _look(cluster: Cluster, request: Request, options: t.Mapping[str, t.Any]) -> list[Verdict]:
    with_locks = needs_locks(options)
    length = request.selection.query_length(QUERY_LENGTH)
    snapshot = read(cluster, cluster.deadline, with_locks, length)
    if with_locks and snapshot.locks_problem:
        raise GpopsError(
            f"blocking, waiting_for, waits_for_modes and min_wait_age cannot be judged: {snapshot.locks_problem}"
        )
    with cluster.deadline.enforced(request.selection.too_slow, LEAST_SECONDS):
        return choose(snapshot.backends, request, options, snapshot.who)


def _check_cap(verdicts: t.Sequence[Verdict], options: t.Mapping[str, t.Any]) -> None:
    number = sum(verdict.outcome is None for verdict in verdicts)
    if number <= options["max_victims"]:
        return
    found = [record(verdict, None, options) for verdict in spared(verdicts, "over max_victims")]
    raise OptionError(
        "max_victims",
        f"{number} sessions would be {options['state']}, {options['max_victims']} are allowed; nobody was signalled. "
        "Narrow the selection, or raise max_victims",
        victims=found,
        counts=counts(found),
    )


def _fail_on_survivors(done: dict[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
    bad = {name: done["counts"][name] for name in bad_outcomes(options) if done["counts"].get(name)}
    if not bad or options["ignore_survivors"]:
        return
    what = ", ".join(f"{number} {name}" for name, number in bad.items())
    first = next(record for record in done["victims"] if record["outcome"] in bad)
    raise GpopsError(
        f"not all sessions were {options['state']}: {what}. First: process {first['pid']}: {first['reason']}", **done
    )


DEFINITION = Definition(run, SELECTION_SPEC, ARGUMENT_SPEC)
