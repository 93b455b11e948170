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


def test_gp_backend_adds_less_than_ansible_sends_anyhow(tmp_path: Path) -> None:
    floor = archive("ansible.builtin.ping", tmp_path)
    whole = archive("gpops.toolkit.gp_backend", tmp_path)
    assert floor["size"] > 60 * KIB
    assert whole["size"] - floor["size"] < 112 * KIB
    # It brings nothing of Ansible's but what every module has.
    more = set(whole["files"]) - set(floor["files"])
    assert {name for name in more if "gpops/toolkit" not in name} <= {
        "ansible_collections/__init__.py",
        "ansible_collections/gpops/__init__.py",
    }


@pytest.mark.parametrize(
    ("module", "packages"),
    [
        ("gp_process_info", {"_core", "_sessions"}),
        ("gp_backend", {"_core", "_sessions", "_signals"}),
        ("gp_policy", {"_core", "_sessions", "_signals", "_policies"}),
        ("gp_resource_group", {"_core", "_resource_groups"}),
        ("gp_resource_group_info", {"_core", "_resource_groups"}),
        ("gp_admission", {"_core", "_admission"}),
    ],
)
def test_a_module_brings_the_packages_that_it_stands_on(module: str, packages: set[str], tmp_path: Path) -> None:
    files = [Path(name) for name in archive(f"gpops.toolkit.{module}", tmp_path)["files"] if "module_utils" in name]
    ours = [file for file in files if "gpops" in file.parts and file.parent.name.startswith("_")]
    assert {file.parent.name for file in ours} == packages
    # Of all operations its own one.
    assert [file.stem for file in ours if file.stem.startswith("gp_")] == [module]
