# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what our statements have in common. Private to the collection."""

from __future__ import annotations


def seconds(interval: str) -> str:
    """The seconds of an interval; not as a float, of which extra_float_digits says how many digits are shown."""
    return f"pg_catalog.date_part('epoch', {interval})::numeric"
