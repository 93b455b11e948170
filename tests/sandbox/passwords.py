# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PURE but for new_secret: every role has a password of its own, which nobody can guess."""

from __future__ import annotations

import hashlib
import hmac
import secrets

LENGTH = 32


def new_secret() -> str:
    """From which the passwords of one sandbox are made."""
    return secrets.token_hex(16)


def password_of(secret: str, role: str) -> str:
    """Also of a role that a test makes later: who knows one password does not know the others."""
    return hmac.new(secret.encode(), role.encode(), hashlib.sha256).hexdigest()[:LENGTH]
