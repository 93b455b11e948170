# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which login hands a password to a server that has not proved who it is."""

from __future__ import annotations

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import tls


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *((host, True) for host in ("", "localhost", "LOCALHOST", "/run/gp", "@gp", "127.0.0.1", "127.9.9.9", "::1")),
        *((host, False) for host in ("gp", "192.0.2.1", "localhost.example.com", "127.example.com", "2001:db8::1")),
        ("fe80::1%eth0", False),
    ],
)
def test_what_is_local(host: str, local: bool) -> None:
    assert tls.is_local(host) == local


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_a_host_that_proves_no_name(mode: str) -> None:
    said = tls.warning("gp.example.com", {"sslmode": mode, "port": "6432"}, True)
    assert said is not None
    assert said.startswith(f"gp.example.com: with ssl_mode {mode} ")
    for word in ("verify-full", "ca_cert", "ssl_warning: false"):
        assert word in said


def test_libpq_s_own_default_is_prefer() -> None:
    assert "ssl_mode prefer" in str(tls.warning("gp", {}, True))


@pytest.mark.parametrize(
    ("host", "parameters", "has_password"),
    [
        ("gp", {"sslmode": "verify-full"}, True),
        ("gp", {"sslmode": "prefer"}, False),
        ("gp", {"sslmode": "require", "channel_binding": "require"}, True),
        ("localhost", {"sslmode": "prefer"}, True),
        ("gp", {"hostaddr": "127.0.0.1,::1"}, True),
    ],
)
def test_nothing_to_say(host: str, parameters: dict[str, str], has_password: bool) -> None:
    assert tls.warning(host, parameters, has_password) is None


def test_the_address_counts() -> None:
    assert tls.warning("localhost", {"hostaddr": "192.0.2.1"}, True) is not None
    assert str(tls.warning("", {"hostaddr": "192.0.2.1"}, True)).startswith("192.0.2.1: ")
