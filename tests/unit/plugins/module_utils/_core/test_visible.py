# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of others in what we say: nothing in them steers a terminal, and data stays data."""

from __future__ import annotations

import unicodedata

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import module, visible
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError
from hypothesis import given
from hypothesis import strategies as st

BAD = "\x1b]0;title\x07\x9b31m\x7f\r\u202e\u2066\u2029\u200f"
SHOWN = r"\x1b]0;title\x07\x9b31m\x7f\x0d\u202e\u2066\u2029\u200f"


def test_what_steers_is_a_code() -> None:
    assert visible.visible(BAD) == SHOWN
    assert visible.visible("a\n\tb ä 漢 \U0001f600") == "a\n\tb ä 漢 \U0001f600"
    assert visible.in_one_line("a\n\tb") == r"a\x0a\x09b"
    assert visible.visible("\U000e0041\ud800") == r"\U000e0041\ud800"


@given(st.text(st.characters(codec=None)))
def test_nothing_that_steers_is_left(text: str) -> None:
    for character in visible.visible(text):
        assert character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        }
    assert visible.visible(visible.visible(text)) == visible.visible(text)


def test_messages_of_a_result_are_visible_and_its_data_is_as_it_is() -> None:
    result = {
        "msg": BAD,
        "victims": [{"query": BAD, "application_name": BAD, "reason": BAD}],
        "diff": {"before": BAD, "after": {BAD: [BAD]}},
        "statement": BAD,
        "count": 1,
    }
    assert visible.said(result) == {
        "msg": SHOWN,
        "victims": [{"query": BAD, "application_name": BAD, "reason": SHOWN}],
        "diff": {"before": SHOWN, "after": {SHOWN: [SHOWN]}},
        "statement": BAD,
        "count": 1,
    }


@pytest.mark.parametrize("fails", [True, False])
def test_every_message_and_warning_of_an_operation_goes_through_it(fails: bool) -> None:
    def operation(_options: object, _check_mode: bool) -> tuple[dict[str, object], list[str]]:
        if fails:
            raise GpopsError(BAD, statement=BAD)
        return {"processes": [{"query": BAD}]}, [BAD]

    outcome = module.perform(module.Definition(operation), {}, False)
    if fails:
        assert outcome.result == {"msg": SHOWN, "failed": True, "statement": BAD}
    else:
        assert outcome.result == {"processes": [{"query": BAD}]}
        assert outcome.warnings == [SHOWN]
