# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: gp_runbook
short_description: What a runbook of the role gp_remediation decides
version_added: 1.0.0
description:
  - For the tasks of the role P(gpops.toolkit.gp_remediation#role) only, which ask by it what comes next. It has no use
    elsewhere, and what it is asked may change with any version.
  - It reads the settings of the role, and what the steps of the runbook have returned so far.
author:
  - gpops.toolkit contributors (@gpops)
options:
  _terms:
    description:
      - What is asked, such as V(policies), V(problems) or V(result).
    type: list
    elements: str
    required: true
  failed_at:
    description:
      - Name of the step that failed. Only what steps up to it returned counts.
    type: str
    default: ""
  failure:
    description:
      - What that step returned.
    type: dict
    default: {}
  told:
    description:
      - For the line of the run, its result.
    type: dict
    default: {}
  report:
    description:
      - For the line of the run, what the writing of the report returned.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: See which policies a runbook would have
  ansible.builtin.debug:
    msg: "{{ lookup('gpops.toolkit.gp_runbook', 'policies') }}"
  vars:
    __gp_remediation_runbook: reap_idle_sessions
    gp_remediation_min_state_age: 12h
"""

RETURN = r"""
_list:
  description: An answer for each term.
  type: list
  elements: raw
"""

import dataclasses
import datetime as dt
import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks import settings, steps
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.decisions import ANSWERS
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.run import Run
from ansible_collections.gpops.toolkit.plugins.plugin_utils._runbooks.runbooks import RUNBOOKS

Variables = t.Mapping[str, t.Any]
_OMITTED = object()


def _plain(value: t.Any) -> t.Any:
    """The value with its containers as Python's own, since newer versions of Ansible have some that are templates."""
    if isinstance(value, t.Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def _settings(variables: Variables) -> t.Iterator[tuple[str, str]]:
    """Each variable that is a setting, and its name without the prefix."""
    for variable in variables:
        name = variable[len(settings.PREFIX) :]
        if variable.startswith(settings.PREFIX) and name not in settings.RESULTS:
            yield variable, name


class LookupModule(LookupBase):
    """What Ansible asks for."""

    def run(self, terms: list[str], variables: Variables | None = None, **options: t.Any) -> list[t.Any]:
        """The answers."""
        unknown = [term for term in terms if term not in ANSWERS]
        if unknown:
            raise AnsibleLookupError(f"gp_runbook knows no {unknown[0]!r}; it knows {', '.join(sorted(ANSWERS))}")
        variables = variables or {}
        about: dict[str, t.Any] = {
            name: _plain(options[name] or {}) for name in ("failure", "told", "report") if name in options
        }
        # All variables of the host are put together for it, and only this answer goes by it.
        if "problems" in terms:
            about["of_this_run"] = self._of_this_run(variables)
        run = dataclasses.replace(self._run(variables, options.get("failed_at", "")), **about)
        return [ANSWERS[term](run) for term in terms]

    def _run(self, variables: Variables, failed_at: str) -> Run:
        runbook = RUNBOOKS[variables[f"{steps.REGISTERED}runbook"]]
        registered = {
            step.result: self._registered(steps.REGISTERED + step.result, variables)
            for step in steps.STEPS[runbook.name]
            if steps.REGISTERED + step.result in variables
        }
        connection = self._templated("gp_connection", variables)
        return Run(
            runbook=runbook,
            given=self._given(variables),
            connection=None if connection is _OMITTED else connection,
            check_mode=bool(variables.get("ansible_check_mode")),
            results=steps.of_this_run(runbook.name, registered, failed_at),
            failed_at=failed_at,
            at=dt.datetime.now(dt.timezone.utc),
        )

    def _registered(self, name: str, variables: Variables) -> t.Any:
        """The result of a step, which is a template while conditions of that very step are looked at."""
        value = variables[name]
        return _plain(value) if isinstance(value, t.Mapping) else self._templated(name, variables)

    def _given(self, variables: Variables) -> dict[str, t.Any]:
        """The settings, without what is omitted or empty. Those that no runbook knows count by their names."""
        given: dict[str, t.Any] = {}
        for variable, name in _settings(variables):
            value = self._templated(variable, variables) if name in settings.SETTINGS else None
            is_nothing = isinstance(value, str) and not value.strip() and name not in settings.TEXTS
            if value is not _OMITTED and not is_nothing:
                given[name] = value
        return given

    def _of_this_run(self, variables: Variables) -> frozenset[str]:
        """The settings that do not stand in the inventory: extra variables, and those of the play and its tasks."""
        extra = load_extra_vars(self._loader) if self._loader else {}
        in_inventory = variables["hostvars"].raw_get(variables["inventory_hostname"])
        return frozenset(
            name
            for variable, name in _settings(variables)
            if variable in extra
            or in_inventory.get(variable, settings.DEFAULTS.get(name, _OMITTED)) != variables[variable]
        )

    def _templated(self, name: str, variables: Variables) -> t.Any:
        """The value of a variable; one at a time, for what is omitted would be missing in a list."""
        if name not in variables:
            return _OMITTED
        reader = lookup_loader.get("ansible.builtin.vars", loader=self._loader, templar=self._templar)
        found = reader.run([name], variables=variables)
        return _plain(found[0]) if found and found[0] != variables.get("omit", _OMITTED) else _OMITTED
