# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: whether a server had to prove who it is before it was handed a password. Private to the collection."""

from __future__ import annotations

import ipaddress
import typing as t

_PROVES = "verify-full"
_LOCAL_NAMES = ("", "localhost")
# A socket of the file system, or, with @, one of Linux without a file.
_SOCKETS = ("/", "@")


def warning(host: str, parameters: t.Mapping[str, str], has_password: bool) -> str | None:
    """What to say of a login, or None; the same for each login to a host, so that Ansible says it once a run.

    Args:
        host: The one that was logged in to, as it was given.
        parameters: libpq's, as they were used, wherever they come from.
        has_password: There was a password to hand over.
    """
    mode = parameters.get("sslmode", "prefer")
    # With this a password is proved, and not sent, and the proof is worth nothing to whoever stands between.
    bound = parameters.get("channel_binding") == "require"
    addresses = [each for each in parameters.get("hostaddr", "").split(",") if each] or [host]
    if not has_password or mode == _PROVES or bound or all(is_local(each) for each in addresses):
        return None
    return (
        f"{host or addresses[0]}: with ssl_mode {mode} the server does not have to prove that it has this name, and a "
        "false one can ask for the password in clear. Set ssl_mode to verify-full, and ca_cert to the certificate of "
        'the authority; the guide "Certificates" says where it comes from. ssl_warning: false leaves this warning out'
    )


def is_local(host: str) -> bool:
    """Whether this leads to the same machine, by a socket or by its loopback."""
    if host.lower() in _LOCAL_NAMES or host.startswith(_SOCKETS):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
