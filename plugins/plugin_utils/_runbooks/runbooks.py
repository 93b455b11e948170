# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: each runbook once: its policy, what it takes, and the words for it. Private to the collection.

The role's argument_specs, the tasks files that are one policy, and the playbooks are made from this by make pages.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Runbook:
    """A runbook: an entry point of the role gp_remediation, and a playbook.

    Attributes:
        name: Of the entry point.
        title: Of the play.
        about: The first line of the playbook.
        short: The short description of the entry point.
        description: Of the entry point, a paragraph each.
        shown: The settings that the playbook names, each with its words; the others are in the documentation.
        example: What follows the inventory on the command line.
        playbook: Its name, if it is not that of the entry point.
        own: Settings that are no options of gp_policy.
        required: Those that must be given.
        task: Name of the task that is all of it; None if its tasks file has several steps and is written by hand.
        policy: What its policy is unless a setting says otherwise; None if it has none of its own.
        takes: Options of a maximum to reach, and limits: of these only what is named here.
        unless: Options of the policy that hold unless the setting before them is given.
        max_share: Its default for this option.
        one_of: Two settings of which exactly one must be given.
        any_of: Two settings of which one or both must be given.
        says_itself: Options of the policy that no setting changes, each with the words for it.
        spares_nobody: Whether somebody who stays stops it before anything is sent.
        ignores: Guards that stop nothing here.
        note: Whose changes it notes or puts back: its own of each resource group, or those of another runbook.
        words: Other words for options than those of gp_policy.
        refuses: Settings that cannot be meant here, each with why.
        since: The version of the collection that has it first.
    """

    name: str
    title: str
    about: str
    short: str
    description: tuple[str, ...]
    shown: tuple[tuple[str, str], ...] = ()
    example: str = ""
    playbook: str = ""
    own: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    task: str | None = None
    policy: t.Mapping[str, t.Any] | None = None
    takes: tuple[str, ...] = ()
    unless: t.Mapping[str, t.Mapping[str, t.Any]] = dataclasses.field(default_factory=dict)
    max_share: int | None = None
    one_of: tuple[str, str] | None = None
    any_of: tuple[str, str] | None = None
    says_itself: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    spares_nobody: bool = False
    ignores: tuple[str, ...] = ()
    note: str = ""
    words: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    refuses: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    since: str = "1.0.0"

    @property
    def called(self) -> str:
        """Its name in reports and lines, which is that of its playbook."""
        return self.playbook or self.name


_ALL = (
    Runbook(
        name="main",
        playbook="remediate",
        title="Apply remediation policies",
        about="Apply gp_remediation_policies.",
        task="Apply the policies",
        short="Apply named policies",
        description=(
            (
                "Applies O(gp_remediation_policies) in order, all by one run of "
                "M(gpops.toolkit.gp_policy) over one connection."
            ),
            "With O(gp_remediation_mode=enforce) it fails if a guard stopped it, or a policy was refused or failed.",
        ),
        example="-e @policies.yml",
        shown=(("policies", "list of policies, as gpops.toolkit.gp_policy has them"),),
        own=("policies",),
        required=("policies",),
    ),
    Runbook(
        name="triage",
        title="Triage",
        about="Look at each cluster and write a report as JSON and HTML.",
        short="See everything and write it down",
        description=(
            "Writes sessions, lock tree, resource groups and connections as JSON and as one page of HTML.",
            "Shows what is conspicuous, what matters most first, and with O(gp_remediation_fail_on) fails on it.",
            (
                "Changes nothing, unless O(gp_remediation_policies) are given with "
                "O(gp_remediation_mode=enforce). What they do, or would do, is in the report."
            ),
            "If resource groups cannot be read, the report says so.",
        ),
        shown=(
            ("policies", "policies whose effect the report shows (default: none)"),
            ("fail_on", "critical or warning: exit with an error if a finding is so bad (default: never)"),
        ),
        own=("policies", "fail_on"),
    ),
    Runbook(
        name="reap_idle_in_transaction",
        title="Reap sessions that are idle in transaction",
        about="Terminate sessions that have a transaction open and do nothing.",
        task="End forgotten transactions",
        short="End forgotten transactions",
        description=("Terminates sessions that have a transaction open and do nothing.",),
        example="-e gp_remediation_min_state_age=30m",
        shown=(("min_state_age", "how long at least (default: 1h)"),),
        policy={
            "why": "Forgotten transactions keep locks and slots, and hold back vacuum",
            "state": "terminated",
            "states": ["idle in transaction", "idle in transaction (aborted)"],
            "min_state_age": "1h",
        },
    ),
    Runbook(
        name="reap_idle_sessions",
        title="Reap idle sessions",
        about="Terminate sessions that do nothing.",
        task="End idle sessions",
        short="End idle sessions",
        description=("Terminates sessions that do nothing.",),
        example="-e gp_remediation_min_state_age=12h",
        shown=(("min_state_age", "how long at least (default: 8h)"),),
        policy={
            "why": "Idle sessions keep connections that others need",
            "state": "terminated",
            "states": ["idle"],
            "min_state_age": "8h",
        },
    ),
    Runbook(
        name="cancel_long_queries",
        title="Cancel long queries",
        about="Cancel statements that run for too long.",
        task="Cancel long statements",
        short="Cancel long statements",
        description=(
            "Cancels statements that run for longer than they may. The sessions stay.",
            "What waits for a lock or a slot is left, see O(gp_remediation_exclude_waiting_for).",
            (
                "With O(gp_remediation_limits) the default of O(gp_remediation_min_query_age) does not "
                "hold; if both are given, both must be met."
            ),
        ),
        example="-e gp_remediation_min_query_age=2h",
        shown=(
            ("limits", "list of limits for users, groups and so on"),
            ("min_query_age", "how long at least (default: 1h, none with limits)"),
        ),
        takes=("limits",),
        policy={
            "why": "The statement has run for longer than it may",
            "state": "cancelled",
            "exclude_waiting_for": ["lock", "resource_group", "resource_queue"],
        },
        unless={"limits": {"min_query_age": "1h"}},
    ),
    Runbook(
        name="break_lock_jam",
        title="Break a lock jam",
        about="Terminate the roots of a lock jam, until it is gone.",
        task="Break the lock jam",
        short="Break a lock jam at its roots",
        description=(
            (
                "Round by round, on a fresh lock graph, terminates the root that holds up the most, and "
                "stops when the jam is gone."
            ),
            "Who waits itself is never ended, and neither are backups, see O(gp_remediation_protected_applications).",
            (
                "With O(gp_remediation_mode=enforce) it fails if the jam is not gone in the end, as when "
                "its root is protected."
            ),
        ),
        example="-e gp_remediation_max_held_up=5",
        shown=(
            ("max_held_up", "how many others a session may hold up (default: 2)"),
            ("min_transaction_age", "spare transactions that are younger (default: none is)"),
        ),
        takes=("max_held_up",),
        policy={
            "why": "It holds up others by its locks",
            "state": "terminated",
            "max_held_up": 2,
        },
    ),
    Runbook(
        name="cancel_waiting_ddl",
        title="Cancel waiting DDL",
        about="Cancel DDL that waits for a lock while others wait behind it.",
        task="Cancel waiting DDL",
        short="Cancel DDL that waits for a lock with others behind it",
        description=(
            (
                "Cancels the waiter, not who holds the lock, so that readers and writers go on. The "
                "migration tries again later."
            ),
            (
                "It tells DDL by the mode in which it waits for a table or an index, "
                "O(gp_remediation_waits_for_modes), whatever its text is. So a C(LOCK TABLE) counts, too."
            ),
            (
                "With O(gp_remediation_query_regex) it goes by that text alone, unless "
                "O(gp_remediation_waits_for_modes) is given as well."
            ),
        ),
        example="-e gp_remediation_min_wait_age=2m",
        shown=(("min_wait_age", "how long it waits at least (default: 30s)"),),
        policy={
            "why": "It waits for a lock, and everybody else waits behind it",
            "state": "cancelled",
            "waiting_for": ["lock"],
            "blocking": 1,
            "min_wait_age": "30s",
        },
        unless={"query_regex": {"waits_for_modes": ["AccessExclusiveLock", "ShareRowExclusiveLock", "ShareLock"]}},
    ),
    Runbook(
        name="relieve_group_queue",
        note="of the group",
        title="Relieve the queue of a resource group",
        about="Shorten the queue of a resource group.",
        short="Shorten the queue of a resource group",
        description=(
            (
                "First terminates sessions of the group that have a slot and do nothing. If somebody "
                "still waits, raises its concurrency once by O(gp_remediation_raise_by), notes before "
                "that what it was, and looks whether nobody waits any more."
            ),
            "With O(gp_remediation_mode=enforce) it fails if somebody does.",
        ),
        example="-e gp_remediation_group=etl",
        shown=(
            ("group", "name of the group (required)"),
            ("min_state_age", "end who is idle in transaction for so long (default: 5m)"),
            ("raise_by", "how much concurrency may be raised (default: 5)"),
            ("raise_to_at_most", "and to what at most (default: any)"),
            ("restore", "true puts the concurrency back (default: false)"),
        ),
        own=(
            "group",
            "raise_by",
            "raise_to_at_most",
            "restore",
            "state_dir",
            "allow_lockout",
        ),
        takes=("max_group_queue",),
        policy={
            "why": "It keeps a slot of the resource group and does nothing, while others wait for one",
            "state": "terminated",
            "states": ["idle in transaction", "idle in transaction (aborted)"],
            "min_state_age": "5m",
            "max_group_queue": 0,
        },
        required=("group",),
        says_itself={"resource_groups": "O(gp_remediation_group) says it."},
        words={"restore": "Put the concurrency back instead, unless somebody changed it since."},
    ),
    Runbook(
        name="boost_group_window",
        note="of the group",
        ignores=("windows",),
        title="Boost a resource group",
        about="Give a resource group more within time windows, and take it back outside of them.",
        short="Give a resource group more at some hours",
        description=(
            (
                "Within O(gp_remediation_windows) sets the options of O(gp_remediation_boost), and notes "
                "before that what they were. Outside of them puts back what nobody changed since. Run it "
                "on a schedule."
            ),
            (
                "Without windows, O(gp_remediation_restore) says which of the two. Being outside of the "
                "windows stops nothing here."
            ),
        ),
        example="-e @boost.yml",
        shown=(
            ("group", "name of the group (required)"),
            ("boost", "dictionary of options of gpops.toolkit.gp_resource_group (required)"),
            ("windows", "when (default: now)"),
            ("restore", "without windows, true takes it back (default: false)"),
        ),
        own=(
            "group",
            "boost",
            "restore",
            "state_dir",
            "allow_lockout",
        ),
        required=("group", "boost"),
        words={"restore": "Without O(gp_remediation_windows), put the options back instead."},
    ),
    Runbook(
        name="drain_group",
        note="of the group",
        title="Drain a resource group",
        about="Let nothing run in a resource group any more.",
        short="Let nothing run in a resource group any more",
        description=(
            (
                "Sets its concurrency to 0, waits O(gp_remediation_drain_timeout) for what runs in it, "
                "and ends the rest, first by a cancel, then the session. Verifies that nothing runs."
            ),
            "Who waits for a slot stays in the queue. The group opens again with O(gp_remediation_restore=true).",
            "Groups for administration are refused.",
        ),
        example="-e gp_remediation_group=etl",
        shown=(
            ("group", "name of the group (required)"),
            ("drain_timeout", "how long to wait before sessions are ended (default: 60)"),
            ("restore", "true opens the group again (default: false)"),
        ),
        own=(
            "group",
            "drain_timeout",
            "restore",
            "state_dir",
            "allow_lockout",
        ),
        max_share=100,
        policy={
            "why": "Its resource group is drained",
            "state": "terminated",
            "cancel_first": True,
            "max_victims": 1000,
        },
        required=("group",),
        says_itself={
            "resource_groups": "O(gp_remediation_group) says it.",
            "states": "the runbook itself says it.",
            "pids": "the runbook itself says it.",
        },
        words={"restore": "Open the group again instead, unless somebody changed its concurrency since."},
    ),
    Runbook(
        name="relieve_connection_saturation",
        title="Relieve connection saturation",
        about="Terminate idle sessions of the largest offenders, until there is room for connections.",
        task="Make room for connections",
        short="Make room for connections",
        description=(
            (
                "Terminates the sessions that are idle longest, of the largest offenders, in bounded "
                "batches, down to O(gp_remediation_max_connections)."
            ),
            "With O(gp_remediation_mode=enforce) it fails if the maximum is not reached.",
        ),
        example="-e gp_remediation_max_connections=70%",
        shown=(
            ("max_connections", "how many may be used (default: 80%)"),
            ("offenders_by", "whose sessions count together (default: user)"),
        ),
        takes=(
            "max_connections",
            "offenders_by",
        ),
        policy={
            "why": "Connections run out, and its client has the most of them",
            "state": "terminated",
            "states": ["idle"],
            "min_state_age": "1m",
            "max_connections": "80%",
            "offenders_by": "user",
            "max_victims": 100,
        },
    ),
    Runbook(
        name="enforce_role_quota",
        title="Enforce quotas of roles",
        about="Terminate sessions of roles that have too many, idle ones first.",
        task="Enforce the quotas",
        short="End what roles have too many of",
        description=(
            (
                "Of each role that has more sessions than O(gp_remediation_max_role_sessions) or "
                "O(gp_remediation_role_quotas) say, one of which is required, terminates as many as it "
                "has too many, idle ones first."
            ),
        ),
        example="-e gp_remediation_max_role_sessions=20",
        shown=(
            ("max_role_sessions", "how many a role may have"),
            ("role_quotas", "dictionary of other numbers for some roles; one of the two is required"),
        ),
        takes=(
            "max_role_sessions",
            "role_quotas",
        ),
        policy={
            "why": "Its role has more sessions than it may",
            "state": "terminated",
            "states": ["idle", "idle in transaction", "idle in transaction (aborted)"],
        },
        any_of=("max_role_sessions", "role_quotas"),
    ),
    Runbook(
        name="offboard_role",
        spares_nobody=True,
        title="Offboard a role",
        about="Take the right to log in from a role, and end its sessions.",
        short="Keep a role out",
        description=(
            (
                "Takes the right to log in from the role, then terminates its sessions, and sees that "
                "none comes for O(gp_remediation_quiet_for)."
            ),
            (
                "A guard, a cap, or a session that is protected stops it before anything is sent. "
                "Superusers need O(gp_remediation_allow_superusers)."
            ),
            "It takes a superuser or a role with C(CREATEROLE), which a member of C(mdb_admin) is not by that alone.",
        ),
        example="-e gp_remediation_role=billy",
        shown=(
            ("role", "name of the role (required)"),
            ("quiet_for", "how long none of its sessions may come (default: 10s)"),
        ),
        own=(
            "role",
            "allow_lockout",
            "fail_on_remaining",
        ),
        max_share=100,
        policy={
            "why": "The role may no longer log in",
            "state": "terminated",
            "quiet_for": "10s",
            "max_victims": 1000,
        },
        required=("role",),
        says_itself={"users": "O(gp_remediation_role) says it."},
    ),
    Runbook(
        name="quiesce",
        note="quiesce",
        title="Quiesce",
        about="Close databases for maintenance. The playbook reopen opens them again.",
        short="Close databases",
        description=(
            (
                "Notes the connection limits of databases and sets them to 0, then terminates their "
                "sessions. Protected ones stay, and the report names them. The entry point reopen undoes "
                "it."
            ),
            (
                "Connection limits do not hold for superusers. Log in as one, or to another database than"
                " those that are closed."
            ),
            "It takes the owner of the databases or a superuser.",
        ),
        example="-e gp_remediation_databases=dwh,staging",
        shown=(
            ("databases", "which (default: all but templates)"),
            ("state_dir", "where the limits before are noted (default: ~/.local/state/gpops)"),
        ),
        own=(
            "state_dir",
            "allow_lockout",
            "fail_on_remaining",
        ),
        max_share=100,
        policy={
            "why": "The database is closed",
            "state": "terminated",
            "databases": ["*"],
            "quiet_for": "5s",
            "max_victims": 1000,
        },
        words={
            "databases": (
                "Databases to close, each exact or a glob (V(*), V(?), V([abc])). A glob leaves templates out."
            ),
            "exclude_databases": "Refused, because what is closed has no exclusions.",
        },
        refuses={"exclude_databases": "what is closed has no exclusions, say gp_remediation_databases"},
    ),
    Runbook(
        name="reopen",
        note="quiesce",
        title="Reopen",
        about="Open the databases that quiesce closed.",
        short="Open the databases again",
        description=(
            "Puts back the connection limits that the entry point quiesce noted, but none that somebody changed since.",
        ),
        shown=(
            ("databases", "which of those that are noted (default: all)"),
            ("state_dir", "where quiesce noted the limits (default: ~/.local/state/gpops)"),
        ),
        own=("databases", "state_dir"),
        words={"databases": "Of those that are noted, open these only, each exact or a glob. The others stay noted."},
    ),
    Runbook(
        name="cancel_session",
        title="Cancel sessions",
        about="Cancel what sessions run, and terminate them after that.",
        task="End the session",
        short="Cancel a session, first one, then the other",
        description=(
            (
                "Cancels what the sessions of O(gp_remediation_pids) or O(gp_remediation_session_ids), "
                "one of which is required, run, and terminates them after O(gp_remediation_grace_period),"
                " or as soon as the statements have ended."
            ),
        ),
        example="-e gp_remediation_pids=26049,26054",
        shown=(
            ("pids", "processes of the coordinator"),
            ("session_ids", "sessions; one of the two is required"),
            ("grace_period", "how long a statement has to end (default: 10)"),
        ),
        policy={
            "why": "The operator named it",
            "state": "terminated",
            "cancel_first": True,
        },
        one_of=("pids", "session_ids"),
    ),
    Runbook(
        name="terminate_all_sessions",
        title="Terminate all sessions",
        about="Terminate all sessions of a cluster that are not protected.",
        task="End all sessions",
        short="Terminate all sessions",
        description=(
            (
                "Terminates every session that is not protected. With O(gp_remediation_mode=enforce) the "
                "name of the cluster must be typed."
            ),
        ),
        example="-l dwh -e gp_remediation_confirm=dwh",
        shown=(
            ("confirm", "name of the cluster, for several hosts the names of all, to confirm"),
            ("cluster", "its name (default: the name of the host in the inventory)"),
        ),
        own=("confirm",),
        max_share=100,
        policy={
            "why": "The operator ends all sessions",
            "state": "terminated",
            "match_all": True,
            "max_victims": 1000,
        },
    ),
)
RUNBOOKS: t.Mapping[str, Runbook] = {runbook.name: runbook for runbook in _ALL}
