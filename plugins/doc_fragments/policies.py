# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option policies: in each policy the same options as in the modules, so their words are taken from there."""

from __future__ import annotations

import re
import typing as t

import yaml
from ansible_collections.gpops.toolkit.plugins.doc_fragments import selection, signals

_OWN = r"""
name:
  description:
    - Name of the policy, in the result and the report.
  type: str
  required: true
why:
  description:
    - The reason, for whoever reads the report.
  type: str
  default: ""
state:
  description:
    - V(cancelled) ends the running statement and keeps the session, V(terminated) ends the session.
  type: str
  choices: [cancelled, terminated]
  required: true
match_all:
  description:
    - Must be V(true) to choose without any criterion, limit or maximum. An exclusion alone is no criterion.
  type: bool
  default: false
limits:
  description:
    - How long statements may run. The first entry that fits a session decides, so put the special before the general.
      A session that no entry fits is not chosen, nor one of which what an entry names cannot be seen.
  type: list
  elements: dict
  suboptions:
    users:
      description: Login roles, each exact or a glob.
      type: list
      elements: str
    databases:
      description: Databases, each exact or a glob.
      type: list
      elements: str
    application_names:
      description: Application names, each exact or a glob.
      type: list
      elements: str
    resource_groups:
      description: Resource groups, each exact or a glob.
      type: list
      elements: str
    min_query_age:
      description:
        - A statement that runs at least this long is chosen; in seconds, or as V(90s), V(15m), V(2h), V(1d). It counts
          from when the statement came; O(policies[].exclude_waiting_for) leaves out what waits.
          Without it the entry exempts those that it fits.
      type: str
max_held_up:
  description:
    - "A maximum to reach: no session holds up more than this many others by locks, directly or through others."
    - Round by round, on a fresh lock graph, the root that holds up the most ends. A root waits for nobody itself.
      A root that is protected or not selected is never ended, and the next one takes its place.
    - Sessions that wait for each other in a circle have no root. Then nobody ends and the maximum does not hold, until
      the engine has broken the circle.
  type: int
max_role_sessions:
  description:
    - "A maximum to reach: sessions of one login role, counting all of its sessions. Of those that are selected, idle
      ones end first, then those idle in a transaction, then running ones, and among them those that are
      longest in that state."
    - O(policies[].users) and O(policies[].exclude_users) also say for which roles it holds. It takes
      O(policies[].state=terminated).
  type: int
role_quotas:
  description:
    - Other maxima than O(policies[].max_role_sessions) for some login roles, each exact or a glob; the first that
      fits counts.
  type: dict
max_connections:
  description:
    - "A maximum to reach: used connections of the coordinator, as a number or as percent of its C(max_connections),
      such as V(80%). Of those that are selected the one that is idle longest ends, of the largest offender, again
      and again; of an offender that has no idle one, the next as for O(policies[].max_role_sessions)."
    - Ordinary roles cannot have all of them (C(connections.reserved) of M(gpops.toolkit.gp_process_info)). If the
      maximum is not below what they can have, a warning says so, for they are refused before it acts.
    - It takes O(policies[].state=terminated).
  type: str
offenders_by:
  description:
    - With O(policies[].max_connections), whose sessions count together.
  type: str
  choices: [user, database, application_name, client_address]
  default: user
max_group_queue:
  description:
    - "A maximum to reach: sessions that wait for a slot of one resource group. For each one more, a selected session
      that holds a slot of that group ends, the one that is longest in its state first. An idle session has no slot,
      nor has one in a transaction that failed."
    - O(policies[].resource_groups) and O(policies[].exclude_resource_groups) also say for which groups it holds.
  type: int
quiet_for:
  description:
    - After nobody is chosen any more, keep looking for this long, and begin again if somebody comes back; in seconds,
      or as V(90s), V(15m), V(2h), V(1d). It comes on top of O(timeout).
    - Somebody who is selected and protected, or cannot be signalled, is still there. So leave them out by an exclusion.
      With O(policies[].state=cancelled) only sessions that run a statement count.
  type: str
rounds:
  description:
    - How often to look and end, at most. The default is V(1), and V(20) with a maximum to reach or
      O(policies[].quiet_for).
  type: int
batch:
  description:
    - With a maximum to reach, how many sessions end in one round, at most. The default is V(1) for
      O(policies[].max_held_up), V(10) for O(policies[].max_connections), else all.
  type: int
"""
# What is not the same as in gp_backend.
_OTHER_WORDS: dict[str, t.Any] = yaml.safe_load(r"""
max_victims:
  - If more sessions than this would be signalled, over all rounds, none is, and the policy is V(refused). Others still
    run.
  - With a maximum to reach, the policy ends when so many were signalled.
victim_message:
  - Text for the victims, who get it with the error of a cancelled statement, at most 127 bytes. Clients of a
    terminated session may see no more than that the connection is closed.
  - Greenplum 6 and 7 have it with O(toolkit=native); elsewhere there is a warning and no message.
ignore_survivors:
  - Do not fail if a session was refused or is still there, but go on with the next round, and do not fail if the
    maximum to reach does not hold in the end.
wait:
  - Look until each victim is gone, or its statement has ended.
  - With V(false) it looks once, and a victim that is still there does not fail the task, unless a maximum to reach does
    not hold because of it. Nobody else ends in its place.
""")


def _suboptions() -> dict[str, t.Any]:
    found: dict[str, t.Any] = yaml.safe_load(_OWN)
    for fragment in (selection, signals):
        found.update(yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"])
    for name, words in _OTHER_WORDS.items():
        found[name]["description"] = words
    return t.cast("dict[str, t.Any]", _nested(found, frozenset(found)))


def _nested(value: t.Any, names: frozenset[str]) -> t.Any:
    """The same words, in which an option of the policy is named as one."""
    if isinstance(value, dict):
        return {key: _nested(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_nested(part, names) for part in value]
    if isinstance(value, str):
        return re.sub(r"O\((\w+)", lambda m: f"O(policies[].{m[1]}" if m[1] in names else m[0], value)
    return value


class ModuleDocFragment:
    """Use as gpops.toolkit.policies."""

    # With its type, for the linter of ansible-test takes a plain assignment to be a literal.
    DOCUMENTATION: str = yaml.safe_dump(
        {
            "options": {
                "policies": {
                    "description": [
                        "Policies, applied in this order over one connection. Each sees what those before it left.",
                        "The criteria are those of M(gpops.toolkit.gp_backend), and combined as there.",
                        "At most one maximum to reach may be given in one policy.",
                    ],
                    "type": "list",
                    "elements": "dict",
                    "required": True,
                    "suboptions": _suboptions(),
                }
            }
        },
        sort_keys=False,
    )
