# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same clusters as the integration tests have."""

from __future__ import annotations

from integration.conftest import cluster, scene

__all__ = ["cluster", "scene"]
