# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of the role gp_remediation that are no options of gp_policy; its argument_specs are made from them."""

from __future__ import annotations


class ModuleDocFragment:
    """Use as gpops.toolkit.remediation."""

    DOCUMENTATION = r"""
options:
  policies:
    description:
      - Policies, as for M(gpops.toolkit.gp_policy).
      - What is set with the prefix of whom to spare and how to end sessions holds for each policy that says nothing of
        it.
    type: list
    elements: dict
  cluster:
    description:
      - Name of the cluster in the report.
      - The default is the name of the host in the inventory.
    type: str
  report_dir:
    description:
      - Folder on the control node for reports, in which each host of the inventory has its own. An empty text is no
        report.
      - One that another user could steer is refused before anything is sent, as M(gpops.toolkit.gp_file) says.
      - The files are called after the runbook and the time in UTC, such as V(triage-20261122T215030.123Z.json).
    type: str
    default: gpops_reports
  html:
    description:
      - Write a page of HTML beside the JSON. The entry point triage always does.
    type: bool
    default: false
  fail_on:
    description:
      - Fail in the end, with the report written, if a finding is as bad as this. V(warning) counts V(critical), too.
      - Without it no finding is a failure.
    type: str
    choices: [critical, warning]
  fail_on_remaining:
    description:
      - Fail in the end if sessions are left that were protected or excluded. They are named in any case.
    type: bool
    default: false
  message:
    description:
      - The same as O(victim_message), under its short name.
    type: str
  group:
    description:
      - Name of the resource group, exact.
    type: str
  boost:
    description:
      - Options of M(gpops.toolkit.gp_resource_group) to set.
    type: dict
  restore:
    description:
      - Put back what was changed instead.
    type: bool
    default: false
  raise_by:
    description:
      - How much concurrency may be raised above what it was before the first raise. V(0) raises nothing. Running it
        again does not add up.
    type: int
    default: 5
  raise_to_at_most:
    description:
      - Never raise the concurrency above this.
    type: int
  drain_timeout:
    description:
      - How long to wait for what runs, in seconds or as V(90s), V(15m), V(2h), V(1d).
    type: str
    default: "60"
  state_dir:
    description:
      - Folder on the control node in which the values before a change are noted, so that they can be put back. In CI it
        must be one that lasts.
      - A folder or note that another user could have written is refused before anything is sent, as
        M(gpops.toolkit.gp_file) says.
    type: str
    default: ~/.local/state/gpops
  allow_lockout:
    description:
      - Allow what could lock the login role out, as in M(gpops.toolkit.gp_resource_group) and
        M(gpops.toolkit.gp_admission).
    type: bool
    default: false
  role:
    description:
      - Name of the role, exact.
    type: str
  confirm:
    description:
      - Must have the value of O(cluster). To act on several hosts, the name of each.
    type: list
    elements: str
"""
