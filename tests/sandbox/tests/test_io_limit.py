# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of io_limit, and how the engine gives it back."""

from __future__ import annotations

import pytest
from sandbox.io_limit import IoLimitProblem, normalised

PLACES = {"pg_default": 1663, "pg_global": 1664, "fast": 16400}
REST = "wbps=max,riops=max,wiops=max"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("-1", "-1"),
        ("pg_default:rbps=1000", f"1663:rbps=1000,{REST}"),
        (" pg_default : rbps = 1000 , wbps = max ", f"1663:rbps=1000,{REST}"),
        ("*:rbps=1000", f"*:rbps=1000,{REST}"),
        ("1663:wiops=2,riops=3,wbps=4,rbps=5", "1663:rbps=5,wbps=4,riops=3,wiops=2"),
        ("16399:rbps=1000", f"16399:rbps=1000,{REST}"),  # an oid is not looked up
        ("fast:rbps=0;pg_default:rbps=7", f"16400:rbps=max,{REST};1663:rbps=7,{REST}"),
    ],
)
def test_stored(text: str, stored: str) -> None:
    assert normalised(text, PLACES) == stored
    assert normalised(stored, PLACES) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        ":rbps=5",
        "fast:",
        "fast:rbps",
        "fast:rbps=",
        "fast:rbps=-1",
        "fast:iops=5",
        "fast:rbps=5,",
        "max:rbps=5",
        "fast:rbps=5;",
        ";fast:rbps=5",
        "fast:rbps=5 wbps=5",
        "fast-er:rbps=5",
        "fast:rbps=5x",
    ],
)
def test_syntax(text: str) -> None:
    with pytest.raises(IoLimitProblem, match="syntax error") as caught:
        normalised(text, PLACES)
    assert caught.value.sqlstate == "42601"


@pytest.mark.parametrize(
    ("text", "sqlstate", "message"),
    [
        ("slow:rbps=5", "42704", 'tablespace "slow" does not exist'),
        ("0:rbps=5", "42601", "io limit: tablespace oid exceeds the limit"),
        ("fast:rbps=5;*:rbps=5", "42601", "io limit: tablespace '*' cannot be used with other tablespaces"),
        ("*:rbps=5;fast:rbps=5", "42601", "io limit: tablespace '*' cannot be used with other tablespaces"),
        ("fast:rbps=5,rbps=6", "42601", "io limit: duplicated IO_KEY: rbps"),
        ("fast:rbps=1", "22023", "io limit: rbps must in range [2, 17592186044415] or equal 0"),
        ("fast:wbps=17592186044416", "22023", "io limit: wbps must in range [2, 17592186044415] or equal 0"),
        ("fast:wiops=4294967296", "22023", "io limit: wiops must in range [2, 4294967295] or equal 0"),
    ],
)
def test_refused(text: str, sqlstate: str, message: str) -> None:
    with pytest.raises(IoLimitProblem) as caught:
        normalised(text, PLACES)
    assert (caught.value.sqlstate, caught.value.message) == (sqlstate, message)


def test_two_on_one_disk() -> None:
    with pytest.raises(IoLimitProblem, match="tablespace 'pg_default' and 'pg_global' have the same disk") as caught:
        normalised("pg_default:rbps=5;pg_global:rbps=5", PLACES)
    assert "mount them separately" in caught.value.hint
