# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module in a process of its own, with its arguments as Ansible hands them over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t


class Outcome(dict[str, t.Any]):
    """What a module printed.

    Attributes:
        output: All of its output as text, to look for secrets in it.
    """

    output: str = ""

    @property
    def failed(self) -> bool:
        """Whether the module failed."""
        return bool(self.get("failed"))

    @property
    def by_pid(self) -> dict[int, dict[str, t.Any]]:
        """The processes by pid."""
        return {record["pid"]: record for record in self["processes"]}


def run_module(name: str, options: t.Mapping[str, t.Any], environ: t.Mapping[str, str] | None = None) -> Outcome:
    """The outcome of gpops.toolkit.NAME with these options; V(_ansible_check_mode) and the like work too."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "_ansible_remote_tmp": "/tmp", "_ansible_verbosity": 4}})
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.gpops.toolkit.plugins.modules.{name}"],
        input=arguments,
        capture_output=True,
        text=True,
        env={**inherited, "PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"], **(environ or {})},
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    outcome = Outcome(json.loads(done.stdout))
    outcome.output = done.stdout + done.stderr
    return outcome
