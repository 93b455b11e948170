# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a playbook of the collection on an inventory of several clusters."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import yaml


def run_playbook(
    playbook: str | list[t.Any],
    inventory: t.Mapping[str, t.Any] | Path,
    tmp_path: Path,
    *arguments: str,
    **environ: str,
) -> subprocess.CompletedProcess[str]:
    """Run gpops.toolkit.NAME, or these plays; the inventory is a path, or what a file of it would hold."""
    path = inventory
    if not isinstance(path, Path):
        path = tmp_path / "inventory.yml"
        path.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    source = f"gpops.toolkit.{playbook}"
    if not isinstance(playbook, str):
        source = str(tmp_path / "playbook.yml")
        Path(source).write_text(yaml.safe_dump(playbook, sort_keys=False), encoding="utf-8")
    return subprocess.run(
        ["ansible-playbook", "-i", str(path), source, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**ansible_environment(tmp_path), **environ},
        timeout=300,
        check=False,
    )


def ansible_environment(tmp_path: Path) -> dict[str, str]:
    """The environment without any PG* variable, and with Ansible's own files in this folder."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    own = {"ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_REMOTE_TMP": str(tmp_path / "remote"), "NO_COLOR": "1"}
    return {**inherited, **own}


def output(done: subprocess.CompletedProcess[str]) -> str:
    """All that it said."""
    return done.stdout + done.stderr


def messages(done: subprocess.CompletedProcess[str], task: str) -> t.Any:
    """What the debug task of this name showed on the first host."""
    text = done.stdout[done.stdout.index(f"TASK [{task}]") :]
    return json.JSONDecoder().raw_decode(text[text.index("=> {") + 3 :])[0]["msg"]
