# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: records -> what an operator should know first, in words. Private to the collection."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._signals.verdicts import WOULD_BE
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import lock_tree as locks
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import records
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import text as texts
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report.text import counted

CRITICAL, WARNING, NOTE, GOOD = "critical", "warning", "note", "good"
# How many of the same kind are named one by one.
NAMED = 3
NEARLY_FULL = 0.8
LONG_TRANSACTION = 3600.0
LONG_IDLE = 300.0


@dataclasses.dataclass(frozen=True)
class Finding:
    """One sentence or two."""

    level: str
    text: str


def find(document: records.Data) -> list[Finding]:
    """All that is conspicuous in a report, what matters most first.

    Of what was seen before and after something was done, the later counts.
    """
    moment = records.moments(document)[-1]
    seen = _situation(moment)
    if moment.name == records.BEFORE:
        seen = [Finding(found.level, f"Before anything was sent: {found.text}") for found in seen]
    found = [*_failures(document), *seen, *_what_was_done(records.mapping(document.get("remediation")))]
    if moment.has_sessions and not found:
        found.append(Finding(GOOD, "Nothing is conspicuous: nobody waits, and nothing is nearly full."))
    order = [CRITICAL, WARNING, NOTE, GOOD]
    return sorted(found, key=lambda finding: order.index(finding.level))


def _situation(moment: records.Moment) -> list[Finding]:
    """What is conspicuous in the cluster itself."""
    listed = records.sessions(moment.processes)
    return [
        *_connections(records.connections(moment.processes)),
        *_jams(listed),
        *_full_groups(records.groups(moment.groups), listed),
        *_idle_in_transaction(listed),
        *_long_transactions(listed),
        *_not_seen(moment.processes, listed),
        *_not_enforced(moment.groups),
    ]


def graph(listed: t.Sequence[records.Session]) -> dict[int, set[int]]:
    """Of each session, those that it waits for, as both sides of the records tell."""
    blocked_by: dict[int, set[int]] = collections.defaultdict(set)
    for session in listed:
        if session.blocked_by:
            blocked_by[session.pid].update(session.blocked_by)
        for waiter in session.blocks:
            blocked_by[waiter].add(session.pid)
    return dict(blocked_by)


def described(session: records.Session | None) -> str:
    """Who it is and what it does, in a few words."""
    if session is None:
        return "not in the list"
    doing = session.state or "state not visible"
    age = session.query_age if session.state == "active" else session.state_age
    words = [texts.name(session.user) or texts.DROPPED, texts.name(doing)]
    if age is not None:
        words[-1] += f" for {texts.duration(age)}"
    if session.is_utility:
        words.append("in utility mode")
    return ", ".join(words)


def _failures(document: records.Data) -> t.Iterator[Finding]:
    titles = {
        "processes": "The sessions could not be read",
        "groups": "The resource groups could not be read",
        "processes_after": "The sessions could not be read afterwards",
        "groups_after": "The resource groups could not be read afterwards",
        "remediation": "The remediation failed",
    }
    for key, title in titles.items():
        result = records.mapping(document.get(key))
        if (result.get("failed") or result.get("unreachable")) and not _is_told_by_policies(result):
            yield Finding(CRITICAL, f"{title}: {texts.reason(result.get('msg') or 'no reason was given')}")


def _is_told_by_policies(result: records.Data) -> bool:
    """Whether the policies that failed have a finding of their own that says the same."""
    return any(_is_the_failure(policy, result) for policy in records.dicts(result.get("policies")) if _failed(policy))


def _failed(policy: records.Data) -> bool:
    return policy.get("outcome") in {"failed", "refused"}


def _is_the_failure(part: records.Data, result: records.Data) -> bool:
    """Whether the message of a failed result gives the reason of this part of it."""
    reason = records.text(part.get("reason"))
    return bool(result.get("failed") and reason and reason in str(result.get("msg")))


def _connections(connections: records.Connections | None) -> t.Iterator[Finding]:
    if connections is None:
        return
    used = f"{connections.used} of {connections.most} connections are in use"
    kept = f", {connections.reserved} being kept for administrators" if connections.reserved else ""
    if connections.used >= connections.ordinary:
        yield Finding(CRITICAL, f"{used}{kept}: an ordinary role can no longer connect.")
    elif connections.used >= NEARLY_FULL * connections.ordinary:
        left = connections.ordinary - connections.used
        yield Finding(WARNING, f"{used}{kept}: {left} left for ordinary roles.")


def _jams(listed: t.Sequence[records.Session]) -> t.Iterator[Finding]:
    by_pid = {session.pid: session for session in listed}
    trees = locks.lock_trees(graph(listed))
    waiting = [session for session in listed if session.waiting_reason == "lock"]
    roots = [tree for tree in trees if not tree.is_cycle]
    if waiting:
        waits = "waits" if len(waiting) == 1 else "wait"
        who = _the_root(roots[0], by_pid) if len(roots) == 1 else _several(roots)
        yield Finding(WARNING, f"{counted(len(waiting), 'session', 'sessions')} {waits} for a lock.{who}")
    if not waiting or len(roots) > 1:
        for tree in roots[:NAMED]:
            yield Finding(WARNING, f"Process {tree.pid} ({described(by_pid.get(tree.pid))}) {holds_up(tree)}.")
    for tree in [tree for tree in trees if tree.is_cycle][:NAMED]:
        yield Finding(WARNING, f"Sessions wait for each other in a circle, among them process {tree.pid}.")


def _the_root(root: locks.Node, by_pid: t.Mapping[int, records.Session]) -> str:
    return f" The root is process {root.pid} ({described(by_pid.get(root.pid))}), which {holds_up(root)}."


def _several(roots: t.Sequence[locks.Node]) -> str:
    return f" There are {len(roots)} roots." if roots else " For whom, the lock table does not tell."


def holds_up(root: locks.Node) -> str:
    """How many wait for it, in words."""
    direct = len(root.children)
    if direct == root.held:
        return f"holds up {root.held} directly"
    return f"holds up {root.held}, {direct} of them directly and the others through those"


def _full_groups(groups: t.Sequence[records.Group], listed: t.Sequence[records.Session]) -> t.Iterator[Finding]:
    for group in sorted(groups, key=lambda group: -(group.queueing or 0)):
        name, queueing = texts.name(group.name), group.queueing or 0
        queue = f"{queueing} {'waits' if queueing == 1 else 'wait'}" if queueing else "nobody waits"
        idle = sum(1 for one in listed if one.group == group.name and one.is_idle_in_transaction)
        slots = f" {idle} of those that run {'is' if idle == 1 else 'are'} idle in transaction." if idle else ""
        if group.is_full:
            level = WARNING if queueing else NOTE
            yield Finding(level, f"Group {name} is full: {group.running} of {group.concurrency} run, {queue}.{slots}")
        elif queueing:
            yield Finding(WARNING, f"In group {name} {queue}, while {group.running} of {group.concurrency} run.")


def _idle_in_transaction(listed: t.Sequence[records.Session]) -> t.Iterator[Finding]:
    idle = [session for session in listed if session.is_idle_in_transaction]
    if idle:
        oldest = max(idle, key=lambda session: session.state_age or 0.0)
        level = WARNING if (oldest.state_age or 0.0) >= LONG_IDLE else NOTE
        number = f"{counted(len(idle), 'session is', 'sessions are')} idle in transaction"
        longest = f", the longest for {texts.duration(oldest.state_age)}" if oldest.state_age is not None else ""
        yield Finding(level, f"{number}{longest}: {_owned(oldest)}.")


def _owned(session: records.Session) -> str:
    utility = " in utility mode" if session.is_utility else ""
    return f"process {session.pid} of {texts.name(session.user) or 'a ' + texts.DROPPED}{utility}"


def _long_transactions(listed: t.Sequence[records.Session]) -> t.Iterator[Finding]:
    long = [session for session in listed if (session.transaction_age or 0.0) >= LONG_TRANSACTION]
    if long:
        oldest = max(long, key=lambda session: session.transaction_age or 0.0)
        number = counted(len(long), "transaction has", "transactions have")
        age = texts.duration(oldest.transaction_age)
        yield Finding(WARNING, f"{number} been open for more than an hour, the longest for {age}: {_owned(oldest)}.")


def _not_seen(processes: records.Data, listed: t.Sequence[records.Session]) -> t.Iterator[Finding]:
    hidden = records.number(processes.get("hidden")) or 0
    if hidden:
        hide = "session hides its" if hidden == 1 else "sessions hide their"
        yield Finding(NOTE, f"{hidden} {hide} state and query from the role that looked; this report may lack causes.")
    selected = records.number(processes.get("count")) or 0
    if selected > len(listed):
        yield Finding(NOTE, f"Only {len(listed)} of {selected} selected sessions are in this report.")


def _not_enforced(groups: records.Data) -> t.Iterator[Finding]:
    if groups.get("enforced") is False:
        yield Finding(NOTE, "The server does not enforce resource groups.")


def _what_was_done(remediation: records.Data) -> t.Iterator[Finding]:
    supposed = is_supposed(remediation)
    for guard in records.dicts(remediation.get("guards")):
        if guard.get("passed") is False and not _is_the_failure(guard, remediation):
            why = f"{texts.name(guard.get('guard'))}: {texts.reason(guard.get('reason')) or 'no reason was given'}"
            yield Finding(WARNING, f"A guard {'would stop' if supposed else 'stopped'} the runbook. {why}")
    for policy in records.dicts(remediation.get("policies")):
        if _failed(policy):
            name, outcome = texts.name(policy.get("name")), texts.name(policy.get("outcome"))
            yield Finding(CRITICAL, f"Policy {name}: {outcome}. {texts.reason(policy.get('reason'))}".rstrip())
        elif policy.get("relieved") is False:
            not_relieved = "would not relieve" if supposed else "did not relieve"
            yield Finding(WARNING, f"Policy {texts.name(policy.get('name'))} {not_relieved} the situation.")
    done = records.counts(remediation.get("counts"))
    if done:
        outcomes = ", ".join(f"{count} {texts.name(outcome).replace('_', ' ')}" for outcome, count in done.items())
        became = "would become of those chosen; nothing was sent" if supposed else "became of the sessions chosen"
        yield Finding(NOTE, f"What {became}: {outcomes}.")


def is_supposed(remediation: records.Data) -> bool:
    """Whether the records tell what would be: a policy in report mode, or a module in check mode."""
    outcomes = records.counts(remediation.get("counts"))
    return remediation.get("mode") == "report" or any(str(outcome).startswith(WOULD_BE) for outcome in outcomes)
