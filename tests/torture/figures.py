# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report says: a figure by chapter, engine and name, kept in a file beside this one."""

from __future__ import annotations

import fcntl
import json
import os
import typing as t
from pathlib import Path

from torture.scale import FULL

FOLDER = Path(__file__).resolve().parent / "figures"


def record(chapter: str, engine: str, figures: t.Mapping[str, t.Any]) -> None:
    """Keep the figures of the full form, and of any on a cluster; those of the short one are no news."""
    kind = "built" if os.environ.get("GPOPS_TEST_HOST") else "embedded"
    if not FULL and kind == "embedded":
        return
    path = FOLDER / f"{kind}.json"
    FOLDER.mkdir(exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = json.loads(path.read_text("utf-8")) if path.exists() else {}
        known.setdefault(chapter, {}).setdefault(engine, {}).update(figures)
        path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
