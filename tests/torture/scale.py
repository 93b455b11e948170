# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How hard it is tried: a short form for every change, and the full one of the report."""

from __future__ import annotations

import os
import typing as t

FULL = os.environ.get("GPOPS_TORTURE") == "full"
_T = t.TypeVar("_T")


def scaled(short: _T, full: _T) -> _T:
    """The number of the form that runs."""
    return full if FULL else short
