# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run all of ansible-test sanity that can run on this machine, and say what did not run.

Usage: python .ci/sanity.py [OPTION OF ansible-test sanity]...
It takes the ansible-core of the Python that runs it; cores.py runs it with others.
It needs a Python package index and no other network: neither containers nor the hosts of ansible-test.
"""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

from ansible_test._internal.python_requirements import get_venv_packages
from ansible_test._util.target.common.constants import CONTROLLER_PYTHON_VERSIONS, REMOTE_ONLY_PYTHON_VERSIONS
from export import ROOT, export
from interpreters import interpreters

CACHE = ROOT / ".cache"
HOME = CACHE / "home"
BIN = Path(sys.executable).parent
CORE = importlib.metadata.version("ansible-core")
VERSIONS = sorted({*REMOTE_ONLY_PYTHON_VERSIONS, *CONTROLLER_PYTHON_VERSIONS}, key=lambda text: int(text[2:]))

# ansible-test downloads this script from a host of its own.  Ours does the same from the package index:
# it runs pip out of a wheel that lies beside it.
GET_PIP = """
import pathlib, runpy, sys

sys.path.insert(0, str(next(pathlib.Path(__file__).parent.glob("pip-{version}-*.whl"))))
sys.argv[1:] = ["install"] + [option for option in sys.argv[1:] if not option.startswith("--no-")]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def pip(*arguments: str) -> str:
    """Return what pip prints."""
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def provide_pip() -> None:
    """Put what ansible-test makes its environments with where it looks for a download."""
    version = get_venv_packages(SimpleNamespace(version=VERSIONS[-1]))["pip"]  # type: ignore[arg-type]
    folder = HOME / ".ansible" / "test" / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob(f"pip-{version}-*.whl")):
        pip("download", "--quiet", "--no-deps", "--dest", str(folder), f"pip=={version}")
    (folder / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP.format(version=version), encoding="utf-8")


def provide_pip_settings() -> None:
    """Hand on the settings of pip: ansible-test drops the variables and has another home."""
    settings = {"cache-dir": pip("cache", "dir").strip()}
    for line in pip("config", "list").splitlines():
        name, value = line.split("=", 1)
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    settings |= {"disable-pip-version-check": "1", "quiet": "2"}
    parser = configparser.RawConfigParser()
    parser["global"] = {name: value for name, value in settings.items() if value}
    file = HOME / ".config" / "pip" / "pip.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    with file.open("w", encoding="utf-8") as stream:
        parser.write(stream)


def environment(pythons: dict[str, Path]) -> dict[str, str]:
    """Return the environment for ansible-test: its own home, real interpreters, no shims."""
    rest = [entry for entry in os.get_exec_path() if Path(entry).name != "shims"]
    path = [str(BIN), *map(str, dict.fromkeys(pythons.values())), *rest]
    return {**os.environ, "HOME": str(HOME), "PATH": os.pathsep.join(path)}


def without_files(collection: Path) -> list[str]:
    """Return the tests that found nothing here to look at; of these ansible-test does not speak."""
    files = sorted((collection / "tests" / "output" / "junit").glob("*.xml"))
    cases = [case for file in files for case in ET.parse(file).iter("testcase")]
    names = [case.get("name", "") for case in cases if case.findtext("skipped") == "No tests applicable."]
    return [name.partition("-python-")[0] for name in names]


def main() -> int:
    """Run the tests."""
    provide_pip()
    provide_pip_settings()
    pythons = interpreters(VERSIONS)
    collection = export(CACHE / "sanity" / CORE)
    command = [str(BIN / "ansible-test"), "sanity", "--local", "--color", "no", "--junit", *sys.argv[1:]]
    status = subprocess.run(command, cwd=collection, env=environment(pythons), check=False).returncode
    missing = [version for version in VERSIONS if version not in pythons]
    which = f"sanity, ansible-core {CORE}:"
    print(which, "ran" if not sys.argv[1:] else f"ran {' '.join(sys.argv[1:])}")
    print(which, "compiled and imported with Python", ", ".join(pythons))
    print(which, "not with Python", ", ".join(missing) or "(none left out)", "- not on this machine" * bool(missing))
    print(which, "no files for", ", ".join(without_files(collection)) or "(every test had files)")
    return status


if __name__ == "__main__":
    sys.exit(main())
