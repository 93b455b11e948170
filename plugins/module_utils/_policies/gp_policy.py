# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_policy does: options -> its result. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.engine import needs_of_messages
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.guard_checks import GuardChecks
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.guards import check_share
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.journal import ENFORCE, REPORT, Journal
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.policy import OPTIONS, Settings, parse
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.port import Reach, reached
from ansible_collections.gpops.toolkit.plugins.module_utils._policies.rounds import Rounds
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import unknown_names

ARGUMENT_SPEC: dict[str, t.Any] = {
    "policies": {"type": "list", "elements": "dict", "required": True, "options": OPTIONS},
    "mode": {"type": "str", "choices": [REPORT, ENFORCE], "default": REPORT},
    "kill_switch": {"type": "bool", "default": False},
    "kill_switch_file": {"type": "path"},
    "allow_segments_down": {"type": "bool", "default": False},
    "max_share": {"type": "float"},
    "windows": {"type": "list", "elements": "str"},
    "windows_timezone": {"type": "str", "default": "UTC"},
    "redact_literals": {"type": "bool", "default": False},
    **unknown_names.ARGUMENT_SPEC,
}


def run(options: t.Mapping[str, t.Any], check_mode: bool, reach: Reach = reached) -> tuple[dict[str, t.Any], list[str]]:
    """Apply the policies.

    Args:
        options: Validated by the argument specs of this module and of the connection.
        check_mode: Decide, and send nothing, whatever the mode.
        reach: Options -> the server, for as long as it is used.

    Returns:
        The result as gpops.toolkit.gp_policy documents it, and warnings.

    Raises:
        GpopsError: In plain words, with the whole result so far.
    """
    policies = parse(options["policies"], options["redact_literals"])
    check_share(options["max_share"])
    guard_checks = GuardChecks(options)
    enforce = options["mode"] == ENFORCE
    settings = Settings(enforce and not check_mode, enforce, options["allow_segments_down"], options["max_share"])
    journal = Journal(policies, settings)
    try:
        journal.guard(guard_checks.findings())
        with reach(options, *needs_of_messages(*(policy.request.message for policy in policies))) as server:
            journal.engine = server.engine
            journal.unknown_names, told = unknown_names.check(
                unknown_names.named_by_policies(options["policies"]), options["unknown_names"], server.ask
            )
            journal.say(told)
            Rounds(server, policies, settings, guard_checks, journal).run()
    except GpopsError as error:
        journal.broke_off(error.message)
        raise GpopsError(error.message, **{**journal.result(), **error.result}) from None
    journal.fail_if_not_all_done()
    return journal.result(), journal.warnings


DEFINITION = Definition(run, ARGUMENT_SPEC)
