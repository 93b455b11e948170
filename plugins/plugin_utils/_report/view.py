# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: records -> what the page shows, each text visible, cut and ready. Private to the collection."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.families import FAMILIES
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import findings, records
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import lock_tree as locks
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import text as texts

# The page is attached to tickets: what it lists is bounded, what it counts is not.
MAX_BARS = 8
MAX_GROUPS = 25
MAX_TREES = 10
MAX_WAITERS = 12
MAX_NODES = 60
MAX_LEVELS = 6
MAX_TRANSACTIONS = 10
MAX_SESSIONS = 100
MAX_DONE = 100
MAX_DETAILS = 20_000
MAX_ALSO = 5
# A table of more rows is folded.
LONG = 12


@dataclasses.dataclass(frozen=True)
class Bar:
    """A labelled number as a bar, its widths in percent."""

    label: str
    text: str
    width: float
    second: float = 0.0
    level: str = ""


@dataclasses.dataclass(frozen=True)
class Bars:
    """Several bars, and how many are left out."""

    bars: list[Bar]
    more: int = 0


@dataclasses.dataclass(frozen=True)
class Row:
    """A session, or what became of it, in words."""

    pid: str
    user: str
    application: str = ""
    state: str = ""
    state_age: str = ""
    group: str = ""
    waits: str = ""
    wait_age: str = ""
    transaction_age: str = ""
    query: str = ""


@dataclasses.dataclass(frozen=True)
class Tile:
    """A number that tells much at a glance.

    Attributes:
        who: A word on it.
    """

    label: str
    value: str
    who: str = ""


@dataclasses.dataclass(frozen=True)
class Moment:
    """The cluster, as it was seen before or after what was done, or once."""

    name: str
    tiles: list[Tile]
    connections: Bar | None
    branches: list[Branch]
    more_trees: int
    groups: Bars


@dataclasses.dataclass(frozen=True)
class Branch:
    """A session of the lock tree."""

    row: Row
    note: str
    is_root: bool
    children: list[Branch]
    more: int = 0


def view(document: records.Data) -> dict[str, t.Any]:
    """All that the template needs. Of what was seen before and after something was done, lists are of the later."""
    seen = records.moments(document)
    processes = seen[-1].processes
    listed = records.sessions(processes)
    return {
        "title": texts.reason(document.get("title")),
        "facts": _facts(document),
        "is_enforcing": document.get("mode") == "enforce" and not document.get("check_mode"),
        "findings": [records.mapping(finding) for finding in document.get("findings", ())],
        "has_sessions": seen[-1].has_sessions,
        "moments": [_moment(moment) for moment in seen],
        "when": f", {seen[-1].name}" if seen[-1].name else "",
        "counts": _counts(processes),
        "transactions": _transactions(listed),
        "sessions": [_row(session) for session in listed[:MAX_SESSIONS]],
        "more_sessions": max(len(listed), records.number(processes.get("count")) or 0) - len(listed[:MAX_SESSIONS]),
        "done": _done(records.mapping(document.get("remediation"))),
        "details": _details(document.get("details")),
        "long": LONG,
    }


def _moment(moment: records.Moment) -> Moment:
    listed = records.sessions(moment.processes)
    branches, more_trees = lock_tree(listed)
    return Moment(
        moment.name,
        _tiles(moment.processes, listed),
        _connections(records.connections(moment.processes)),
        branches,
        more_trees,
        _groups(records.groups(moment.groups)),
    )


def _facts(document: records.Data) -> list[tuple[str, str]]:
    parts = [records.mapping(document.get(key)) for key in ("processes", "groups", "remediation")]
    engine = next(filter(None, (records.mapping(part.get("engine")) for part in parts)), records.mapping(None))
    family = records.text(engine.get("family")) or ""
    brand = FAMILIES[family].brand if family in FAMILIES else family
    known = " ".join(filter(None, [brand, records.text(engine.get("version"))]))
    interface = {"mdb": "through mdb_toolkit", "native": "through pg_catalog"}.get(str(engine.get("interface")), "")
    mode = {"enforce": "enforce", "report": "report only, nothing is sent"}.get(str(document.get("mode")), "")
    if document.get("check_mode"):
        mode = "check mode, nothing is sent"
    facts = [
        ("Cluster", texts.reason(document.get("cluster"))),
        ("Engine", texts.reason(", ".join(filter(None, [known, interface])))),
        ("Runbook", texts.reason(document.get("runbook"))),
        ("Mode", mode),
        ("Generated", texts.name(document.get("generated")).replace("T", " ").replace("Z", " UTC")),
    ]
    return [fact for fact in facts if fact[1]]


def _tiles(processes: records.Data, listed: t.Sequence[records.Session]) -> list[Tile]:
    if "processes" not in processes:
        return []
    states = _by_state(processes, listed)
    total = records.number(processes.get("count"))
    waiting = [session for session in listed if session.is_waiting]
    oldest = _oldest(listed, "transaction_age")
    wait = _oldest(waiting, "wait_age")
    idle = sum(count for state, count in states.items() if state.startswith(records.IN_TRANSACTION))
    return [
        Tile("Sessions", str(len(listed) if total is None else total)),
        Tile("Active", str(states.get("active", 0))),
        Tile("Waiting", str(len(waiting))),
        Tile("Idle in transaction", str(idle)),
        Tile("Longest transaction", *_who(oldest, oldest.transaction_age if oldest else None)),
        Tile("Longest wait", *_who(wait, wait.wait_age if wait else None)),
    ]


def _by_state(processes: records.Data, listed: t.Sequence[records.Session]) -> dict[str, int]:
    known = records.counts(records.mapping(processes.get("summary")).get("by_state"))
    if known:
        return known
    states = [session.state or "unknown" for session in listed]
    return {state: states.count(state) for state in dict.fromkeys(states)}


def _oldest(listed: t.Iterable[records.Session], age: str) -> records.Session | None:
    aged = [session for session in listed if getattr(session, age) is not None]
    return max(aged, key=lambda session: float(getattr(session, age)), default=None)


def _who(session: records.Session | None, age: float | None) -> tuple[str, str]:
    if session is None:
        return ("none", "")
    return (texts.duration(age), f"process {session.pid}, {texts.name(session.user) or texts.DROPPED}")


def share(part: float, whole: float) -> float:
    """Percent, within 0 and 100."""
    return round(min(100.0, max(0.0, 100.0 * part / whole)), 2) if whole > 0 else 0.0


def _connections(connections: records.Connections | None) -> Bar | None:
    if connections is None:
        return None
    level = ""
    if connections.used >= connections.ordinary:
        level = findings.CRITICAL
    elif connections.used >= findings.NEARLY_FULL * connections.ordinary:
        level = findings.WARNING
    kept = f", {connections.reserved} kept for administrators" if connections.reserved else ""
    return Bar(
        label="Connections",
        text=f"{connections.used} of {connections.most} in use{kept}",
        width=share(connections.used, connections.most),
        # What is kept lies at the far end, unless these use it already.
        second=share(min(connections.reserved, connections.most - connections.used), connections.most),
        level=level,
    )


def _counts(processes: records.Data) -> list[tuple[str, Bars]]:
    summary = records.mapping(processes.get("summary"))
    titles = {
        "by_state": "By state",
        "by_user": "By user",
        "by_resource_group": "By resource group",
        "by_waiting_reason": "Waiting, by reason",
    }
    tables = [(title, count_bars(records.counts(summary.get(key)))) for key, title in titles.items()]
    return [(title, bars) for title, bars in tables if bars.bars]


def count_bars(counts: t.Mapping[str, int]) -> Bars:
    """Names with their numbers as bars, the longest being the full width."""
    most = max(counts.values(), default=0)
    shown = list(counts.items())[:MAX_BARS]
    bars = [Bar(texts.name(name) or "(empty)", str(count), share(count, most)) for name, count in shown]
    return Bars(bars, len(counts) - len(bars))


def _groups(groups: t.Sequence[records.Group]) -> Bars:
    """Running and queueing against concurrency, the fullest first."""
    order = sorted(groups, key=lambda group: (-(group.queueing or 0), -(group.running or 0), group.name))
    return Bars([group_bar(group) for group in order[:MAX_GROUPS]], max(0, len(order) - MAX_GROUPS))


def group_bar(group: records.Group) -> Bar:
    """One group: the filled part runs, the hatched part waits."""
    running, queueing = group.running or 0, group.queueing or 0
    limit = group.concurrency if group.concurrency and group.concurrency > 0 else 0
    whole = max(limit, running) + queueing
    of = f"{running} of {limit} running" if limit else f"{running} running, no limit"
    if group.concurrency == 0:
        of = f"{running} running, closed"
    level = findings.WARNING if queueing else ""
    text = f"{of}, {queueing} waiting" if group.running is not None else "what runs is not known"
    return Bar(texts.name(group.name), text, share(running, whole), share(queueing, whole), level)


def lock_tree(listed: t.Sequence[records.Session]) -> tuple[list[Branch], int]:
    """The trees of those who wait for each other, and how many trees are left out."""
    by_pid = {session.pid: session for session in listed}
    trees = locks.lock_trees(findings.graph(listed))
    room = [MAX_NODES]
    shown = [_branch(tree, by_pid, room, 1) for tree in trees[:MAX_TREES] if room[0] > 0]
    return shown, len(trees) - len(shown)


def _branch(node: locks.Node, by_pid: t.Mapping[int, records.Session], room: list[int], level: int) -> Branch:
    """The session with those who wait for it, as long as there is room."""
    room[0] -= 1
    children: list[Branch] = []
    if level < MAX_LEVELS:
        for child in node.children[:MAX_WAITERS]:
            if room[0] <= 0:
                break
            children.append(_branch(child, by_pid, room, level + 1))
    session = by_pid.get(node.pid)
    row = _row(session) if session else Row(str(node.pid), "", state="not in the list of sessions")
    return Branch(row, _note(node, level == 1), level == 1, children, len(node.children) - len(children))


def _note(node: locks.Node, is_top: bool) -> str:
    parts = []
    if node.is_cycle:
        parts.append("one of a circle of sessions that wait for each other")
    elif is_top:
        parts.append(findings.holds_up(node))
    if node.also:
        named = ", ".join(str(pid) for pid in node.also[:MAX_ALSO])
        more = len(node.also) - MAX_ALSO
        also = "waits for" if is_top else "waits for these, too:"
        parts.append(f"{also} {named}" + (f" and {more} more" if more > 0 else ""))
    return "; ".join(parts)


def _transactions(listed: t.Sequence[records.Session]) -> list[Row]:
    aged = [session for session in listed if session.transaction_age is not None]
    aged.sort(key=lambda session: -(session.transaction_age or 0.0))
    return [_row(session) for session in aged[:MAX_TRANSACTIONS]]


def _row(session: records.Session) -> Row:
    age = session.query_age if session.state == "active" else session.state_age
    return Row(
        pid=str(session.pid),
        user=texts.name(session.user) or texts.DROPPED,
        application=texts.name(session.application),
        state=(texts.name(session.state) or "not visible") + (", in utility mode" if session.is_utility else ""),
        state_age=texts.duration(age),
        group=texts.name(session.group),
        waits=_words(session.waiting_reason) if session.is_waiting else "",
        wait_age=texts.duration(session.wait_age) if session.is_waiting else "",
        transaction_age=texts.duration(session.transaction_age),
        query=texts.query(session.query),
    )


def _done(remediation: records.Data) -> dict[str, t.Any]:
    """What gp_policy says, in words."""
    victims = records.dicts(remediation.get("victims"))
    sent = records.mapping(remediation.get("sessions"))
    supposed = findings.is_supposed(remediation)
    number = records.number(sent.get("would_be_signalled" if supposed else "signalled"))
    total = records.number(sent.get("total"))
    known = number is not None and total is not None
    told = f"{number} of {total} sessions {'would be signalled; nothing was sent' if supposed else 'were signalled'}."
    return {
        "exists": bool(remediation) and not remediation.get("skipped"),
        "title": "What would be done" if supposed else "What was done",
        "signalled": told if known else "",
        "guards": [_guard(guard, supposed) for guard in records.dicts(remediation.get("guards"))],
        "policies": [_policy(policy) for policy in records.dicts(remediation.get("policies"))],
        "victims": [_victim(victim) for victim in victims[:MAX_DONE]],
        "more_victims": max(0, len(victims) - MAX_DONE),
    }


def _guard(guard: records.Data, supposed: bool) -> dict[str, str]:
    stops = "would stop the runbook" if supposed else "stopped the runbook"
    passed = {True: "passed", False: stops}.get(guard.get("passed"), "not known")  # type: ignore[arg-type]  # of any type
    return {
        "name": texts.name(guard.get("guard")).replace("_", " "),
        "passed": passed,
        "level": {"passed": findings.GOOD, stops: findings.CRITICAL}.get(passed, ""),
        "reason": texts.reason(guard.get("reason")),
    }


def _policy(policy: records.Data) -> dict[str, str]:
    rounds = records.number(policy.get("rounds"))
    relieved = {True: "relieved", False: "not relieved"}.get(policy.get("relieved"), "")  # type: ignore[arg-type]  # of any type
    counts = ", ".join(f"{count} {_words(name)}" for name, count in records.counts(policy.get("counts")).items())
    return {
        "name": texts.name(policy.get("name")),
        "state": _words(policy.get("state")),
        "outcome": _words(policy.get("outcome")),
        "level": outcome_level(policy.get("outcome")),
        "sessions": counts,
        "rounds": "" if rounds is None else str(rounds),
        "relieved": relieved,
        "why": texts.reason(policy.get("why")),
        "reason": texts.reason(policy.get("reason")),
    }


def _victim(victim: records.Data) -> dict[str, t.Any]:
    return {
        "row": _row(records.session(victim)),
        "policy": texts.name(victim.get("policy")),
        "round": texts.name(victim.get("round")),
        "outcome": _words(victim.get("outcome")),
        "level": outcome_level(victim.get("outcome")),
        "reason": texts.reason(victim.get("reason")),
    }


def outcome_level(outcome: t.Any) -> str:
    """How the outcome of a policy or of a session is coloured."""
    if outcome in {"failed", "refused", "alive", "unknown"}:
        return findings.CRITICAL
    return findings.GOOD if outcome in {"done", "cancelled", "terminated"} else ""


def _words(value: t.Any) -> str:
    return texts.name(value).replace("_", " ")


def _details(details: t.Any) -> str:
    """Further results, as indented JSON."""
    if not details:
        return ""
    lines = json.dumps(details, indent=2, ensure_ascii=False)[: MAX_DETAILS + 1].split("\n")
    whole = "\n".join(line[: len(line) - len(line.lstrip())] + texts.visible(line) for line in lines)
    return whole if len(whole) <= MAX_DETAILS else whole[:MAX_DETAILS] + "\n\N{HORIZONTAL ELLIPSIS}"
