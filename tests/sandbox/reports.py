# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors and notices on their way to the client: the sandbox's own marks come out, a signal's message goes in."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import wire
from .translate import PREFIX

MESSAGE_AGE = 5.0  # seconds after which a message that was left for a signal is stale
MESSAGE_BYTES = 128

_OWN = b"gpops_sandbox"
_MARK = "GPSBX"
_SIGNALLED = ("57014", "57P01")
# PostgreSQL 16 says more of what it refuses than the engines before it.
_SHORTER = {"permission denied to alter role": "permission denied"}
# Where in the sandbox's functions it happened is nothing that the engine would say.
_INTERNAL_FIELDS = frozenset("WFLRpqstcdn")


@dataclass(frozen=True)
class Report:
    """What the client gets, and the mark that was in it."""

    raw: bytes
    mark: dict[str, Any] | None = None


@dataclass(frozen=True)
class Syntax:
    """The engine's own words for a syntax error that PostgreSQL finds elsewhere in the same text."""

    message: str
    position: int


def rewrite(raw: bytes, pid: int, messages: Path, syntax: Syntax | None = None, *, shorter: bool = False) -> Report:
    """One ErrorResponse or NoticeResponse of the backend with this pid."""
    own = _OWN in raw
    if not own and syntax is None and b"\0C57" not in raw and b"\0C42501\0" not in raw:
        return Report(raw)
    fields = wire.parse_fields(wire.body(raw))
    code = fields.get("C", "")
    if code == _MARK:
        return Report(b"", json.loads(fields["M"]))
    if code == "42501" and shorter and fields["M"] in _SHORTER:
        fields["M"] = _SHORTER[fields["M"]]
        fields.pop("D", None)
    if code in _SIGNALLED:
        fields["M"] += _left_message(messages / str(pid))
    if own:
        fields = {name: value for name, value in fields.items() if value and name not in _INTERNAL_FIELDS}
        fields["M"] = fields["M"].replace(PREFIX, "")
        fields.pop("P", None)
    if syntax is not None and code == "42601":
        fields |= {"M": syntax.message, "P": str(syntax.position)}
    return Report(wire.report(raw[:1], fields))


def _left_message(path: Path) -> str:
    """What pg_cancel_backend(pid, message) left for this backend, as the engine appends it."""
    try:
        fresh = time.time() - path.stat().st_mtime < MESSAGE_AGE
        text = bytes.fromhex(path.read_text().strip())[:MESSAGE_BYTES].decode("utf-8", "ignore")
        path.unlink()
    except (OSError, ValueError):
        return ""
    return f': "{text}"' if fresh else ""
