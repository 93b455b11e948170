# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run sanity.py with every ansible-core that the collection supports and this machine has a Python for.

Usage: python .ci/cores.py all         everything, with each
       python .ci/cores.py others      what depends most on the version, with those that are not installed here
Each has an environment of its own in .cache/cores, made once from a Python package index; tests/smoke uses them, too.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

from export import ROOT
from interpreters import interpreters

# Release -> the Pythons that it runs on, as its Requires-Python and its notes say. These two tables are the one place
# for versions: take the newest patch of each minor version that is supported, and the newest pre-release of the next,
# from "pip index versions --pre ansible-core", asked with the newest Python. The newest release is also in
# tests/demo/requirements.txt, for all other checks; then "make constraints". When the next is released, its line moves
# up.
CORES = {
    "2.18.19": ("3.11", "3.12", "3.13"),
    "2.19.14": ("3.11", "3.12", "3.13"),
    "2.20.10": ("3.12", "3.13", "3.14"),
    "2.21.5": ("3.12", "3.13", "3.14"),
}
NEXT = {"2.22.0rc1": ("3.13", "3.14")}
CACHE = ROOT / ".cache" / "cores"
# That a module compiles and imports, and that its documentation and argument specification agree.
QUICK = ("--test", "compile", "--test", "import", "--test", "validate-modules")


def chosen(cores: t.Mapping[str, t.Sequence[str]], available: t.Collection[str]) -> dict[str, str | None]:
    """A Python for each, None where there is none; together they have as many different ones as there are."""
    fitting = {core: [version for version in cores[core] if version in available] for core in cores}
    picked: dict[str, str | None] = {}
    # Who has the least choice picks first; of what others took the least, the newest.
    for core in sorted(cores, key=lambda core: len(fitting[core])):
        taken = list(picked.values())
        picked[core] = min(reversed(fitting[core]), key=taken.count, default=None)
    return {core: picked[core] for core in cores}


def lock_of(core: str) -> Path:
    """The file with all that it needs, and the hashes of that."""
    return ROOT / ".ci" / "locks" / f"{core}.txt"


def environment(core: str, program: Path) -> Path:
    """Return the Python of an environment with this ansible-core and the driver."""
    folder = CACHE / f"{core}-{program.name}"
    python = folder / "bin" / "python"
    stamp = folder / "complete"
    if not stamp.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([program, "-m", "venv", folder], check=True)
        install = "-m pip install --quiet --quiet --disable-pip-version-check --require-hashes --requirement".split()
        subprocess.run([python, *install, lock_of(core)], check=True)
        stamp.touch()
    return python


def programs(cores: t.Mapping[str, t.Sequence[str]]) -> dict[str, Path | None]:
    """The interpreter for each."""
    # Of all, so that each core has the same environment whoever asks for it.
    everything = {**CORES, **NEXT}
    found = interpreters({version for versions in everything.values() for version in versions})
    picked = chosen(everything, found)
    return {core: found[version] / f"python{version}" if (version := picked[core]) else None for core in cores}


def main() -> int:
    """Run the tests."""
    everything = sys.argv[1:] == ["all"]
    installed = importlib.metadata.version("ansible-core")
    wanted = {core: pythons for core, pythons in CORES.items() if everything or core != installed}
    status, left_out = 0, []
    for core, program in programs(wanted).items():
        if program is None:
            left_out.append(f"{core} (needs Python {' or '.join(wanted[core])})")
            continue
        options = () if everything else QUICK
        command = [environment(core, program), ROOT / ".ci" / "sanity.py", *options]
        status = status or subprocess.run(command, check=False).returncode
    print("sanity: left out ansible-core", ", ".join(left_out) or "(none)")
    return status


if __name__ == "__main__":
    sys.exit(main())
