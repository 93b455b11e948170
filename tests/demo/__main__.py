# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""make demo: an embedded engine, a dozen real clients that misbehave, and the playbooks that show them.

python tests/demo [gp6|gp7|cb]
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from integration.cluster import Scene, embedded
from sandbox import Sandbox
from sandbox.profiles import PROFILES

HERE = Path(__file__).resolve().parent
# It stays when all else of the demo is gone.
REPORTS = HERE.parent.parent / ".cache" / "demo"
PAGE = REPORTS / "triage.html"


def misbehave(scene: Scene) -> None:
    """Open the sessions that an operator is called for."""
    cluster = scene.cluster
    orders = scene.table("orders")
    # Who opens a transaction in a notebook and goes to lunch.
    for number in range(3):
        scene.client("billy", name="jupyter").run("BEGIN", f"SELECT {number} AS lunch")
    # A report that never ends.
    scene.client("billy", name="dashboard").start("SELECT pg_sleep(3600) /* yearly report */")
    # A reader, a migration behind it, and everybody else behind the migration.
    scene.client("billy", name="notebook").run("BEGIN", f"SELECT * FROM {orders}")
    migration = scene.client(cluster.admin, name="migration")
    migration.start(f"ALTER TABLE {orders} ADD COLUMN b int")
    scene.waiting(migration)
    time.sleep(0.1)
    for number in range(3):
        scene.waiting(scene.client("billy", name="web").start(f"SELECT {number}, * FROM {orders}"))
    # A resource group with room for one, which somebody holds idle in transaction. Our own role is in it too.
    group = scene.group("sammy", name="etl")
    scene.client("sammy", name="airflow").run("BEGIN", "SELECT 'loading'")
    for number in range(2):
        scene.waiting(scene.client("sammy", name="airflow").start(f"SELECT {number} AS step"))
    scene.join_group("ops", group)


def play(title: str, box: Sandbox, playbook: str, *arguments: str) -> None:
    """Run a playbook on the engine."""
    # In a file or a pipe a title is bold to nobody.
    print(f"\n\033[1m{title}\033[0m" if sys.stdout.isatty() else f"\n{title}", flush=True)
    print(shlex.join(["$", "ansible-playbook", Path(playbook).name, *arguments]).replace("'$'", "$"), flush=True)
    environ = {
        "ANSIBLE_NOCOWS": "true",
        "ANSIBLE_REMOTE_TMP": str(Path(box.dir) / "ansible"),
        "GPOPS_DEMO_HOST": box.host,
        "GPOPS_DEMO_PORT": str(box.port),
        "GPOPS_DEMO_PASSWORDS": str(box.passwords),
        "GPOPS_DEMO_REPORTS": str(REPORTS),
    }
    subprocess.run(
        ["ansible-playbook", "-i", str(HERE / "inventory.yml"), playbook, *arguments],
        cwd=HERE,
        env={**os.environ, **environ},
        check=True,
    )


def processes(title: str, box: Sandbox, **options: t.Any) -> None:
    """List sessions with these options of gp_process_info."""
    play(title, box, "gpops.toolkit.processes", "-e", json.dumps({"gp_process_options": options}))


def keep_page() -> None:
    """Give the page of the only triage the name that was said at the start."""
    (page,) = (REPORTS / "demo").glob("triage-*.html")
    page.replace(PAGE)


def main() -> None:
    """Start, show, clean up; also when interrupted."""
    # Ctrl-C and a polite kill take the same way out, through all the clean-ups.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    profile = sys.argv[1] if len(sys.argv) > 1 else "gp6"
    if profile not in PROFILES:
        sys.exit(f"PROFILE is one of {', '.join(sorted(PROFILES))}, and not {profile}")
    shutil.rmtree(REPORTS, ignore_errors=True)
    print(f"The HTML report that this demo leaves: {PAGE}", flush=True)
    print(f"Starting an embedded engine that speaks {profile} ...", flush=True)
    with Sandbox(profile=profile) as box:
        print(f"The passwords of its roles, which are for this run only: {box.passwords}", flush=True)
        cluster = embedded(box)
        with Scene(cluster) as scene, contextlib.ExitStack() as last:
            # A second Ctrl-C does not interrupt the cleaning up after the first.
            last.callback(signal.signal, signal.SIGINT, signal.SIG_IGN)
            misbehave(scene)
            processes("Everything that goes on, the oldest session first:", box)
            processes("Who holds others up, the worst first:", box, blocking=1, sort_by="blocks")
            processes(
                "Who waits for a slot of the full group 'etl', asked from within that very group:",
                box,
                waiting_for=["resource_group"],
            )
            play("What the policies of the inventory would do (nothing is sent):", box, "gpops.toolkit.remediate")
            acting = ("-e", "@admin.yml", "-e", "gp_remediation_mode=enforce")
            play("Write down what is wrong, and act:", box, "gpops.toolkit.triage", *acting)
            keep_page()
            processes("What is left:", box)
            groups = str(HERE / "declare_groups.yml")
            play("Resource groups from the inventory, as a CI job sees the drift:", box, groups, "--check", "--diff")
            play("Apply them:", box, groups)
            play("Once more, nothing is left to do:", box, groups)
    print(f"\nThe sessions of the demo were closed, and the engine stopped. What is left is the report: {PAGE}")
    print("Next: README.md")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
