# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded engine: a real PostgreSQL that speaks the dialect of Greenplum and Cloudberry."""

from __future__ import annotations

from .api import Sandbox

__all__ = ["Sandbox"]
