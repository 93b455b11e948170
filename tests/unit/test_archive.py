# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What travels to a remote host: the archive that Ansible builds of a module and all it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

KIB = 1024
# Prints the size of each file in the archive, as compressed, of a module by its full name and path.
PROGRAM = """
import base64, io, json, re, sys, zipfile
from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar

init_plugin_loader()
name = sys.argv[1]
built = modify_module(
    module_name=name, module_path=module_loader.find_plugin(name), module_args={}, templar=Templar(DataLoader()),
    task_vars={"ansible_python_interpreter": sys.executable}, module_compression="ZIP_DEFLATED",
)
script = getattr(built, "b_module_data", None) or built[0]
data = base64.b64decode(max(re.findall(rb"[A-Za-z0-9+/=]{1000,}", script), key=len))
files = {info.filename: info.compress_size for info in zipfile.ZipFile(io.BytesIO(data)).infolist()}
print(json.dumps({"size": len(data), "files": files}))
"""


def archive(name: str, tmp_path: Path) -> dict[str, t.Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name],
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return t.cast("dict[str, t.Any]", json.loads(done.stdout))


def test_gp_backend_adds_less_than_a_hundred_kib_to_what_ansible_sends(tmp_path: Path) -> None:
    """Ansible's own part, which every module has, is larger than that by itself."""
    floor = archive("ansible.builtin.ping", tmp_path)
    whole = archive("gpops.toolkit.gp_backend", tmp_path)
    assert floor["size"] > 60 * KIB
    assert whole["size"] - floor["size"] < 100 * KIB
    # It brings nothing of Ansible's but what every module has.
    more = set(whole["files"]) - set(floor["files"])
    assert {name for name in more if "gpops/toolkit" not in name} <= {
        "ansible_collections/__init__.py",
        "ansible_collections/gpops/__init__.py",
    }


@pytest.mark.parametrize(
    ("module", "unused"),
    [
        ("gp_backend", ["_groups", "_group_line", "_process_info", "_policy", "_admission"]),
        ("gp_process_info", ["_groups", "_group_line", "_signals", "_victims", "_line", "_backend", "_policy"]),
        ("gp_resource_group", ["_signals", "_victims", "_line", "_backend", "_policy", "_locks"]),
        ("gp_admission", ["_signals", "_victims", "_line", "_backend", "_policy", "_locks"]),
        ("gp_resource_group_info", ["_signals", "_victims", "_line", "_backend", "_policy", "_locks"]),
    ],
)
def test_a_module_brings_nothing_that_it_does_not_use(module: str, unused: list[str], tmp_path: Path) -> None:
    names = {Path(name).stem for name in archive(f"gpops.toolkit.{module}", tmp_path)["files"] if "gpops" in name}
    assert module in names
    assert names.isdisjoint(unused), sorted(names.intersection(unused))
