# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server answered becomes typed rows, or one clear error."""

from __future__ import annotations

import contextlib
import json
import time
import typing as t

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core import answers
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import Rows
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import BadAnswer, ConnectionLost
from ansible_collections.gpops.toolkit.plugins.module_utils._resource_groups import catalog
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import snapshot
from ansible_collections.gpops.toolkit.plugins.module_utils._signals import sender
from hypothesis import given
from hypothesis import strategies as st

WHAT = "a list of things"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("12", answers.PID, 12),
        ("-12", answers.WHOLE, -12),
        ("t", answers.BOOLEAN, True),
        ("f", answers.BOOLEAN, False),
        (None, answers.maybe(answers.TEXT), None),
        ("", answers.TEXT, ""),
        ("2026-01-31T23:59:59.123456Z", answers.INSTANT, "2026-01-31T23:59:59.123456Z"),
        # What a service's function returns: no row is one thing, false and void are others.
        (None, answers.ANYTHING, None),
        ("f", answers.ANYTHING, False),
        ("t", answers.ANYTHING, True),
        ("", answers.ANYTHING, ""),
    ],
)
def test_texts_become_values(text: str | None, kind: answers.Kind, value: object) -> None:
    (found,) = answers.one(Rows(("x",), [(text,)]), WHAT, kind)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *(
            (text, answers.PID)
            for text in (None, "", "0", "-1", "1.5", "abc", "4294967296", "\u0661", "0x1", "9" * 9999)
        ),
        *((text, answers.BOOLEAN) for text in (None, "", "true", "1")),
        *((text, answers.INSTANT) for text in (None, "", "infinity", "2026-01-31 23:59:59", "0044-03-15T12:00:00Z BC")),
        *((text, answers.TEXT) for text in (None, "a\0b", "\ud800")),
    ],
)
def test_what_does_not_fit_is_one_error(text: str | None, kind: answers.Kind) -> None:
    with pytest.raises(BadAnswer, match=f"something that is not {WHAT}: row 1: ") as caught:
        answers.one(Rows(("x",), [(text,)]), WHAT, kind)
    assert kind.words in caught.value.message
    assert len(caught.value.message) < 300
    # What became of the statement is as unknown as when no answer came.
    assert isinstance(caught.value, ConnectionLost)
    assert caught.value.was_sent


@pytest.mark.parametrize(
    "answer",
    [Rows((), []), Rows(("x",), []), Rows(("x",), [("1",), ("2",)]), Rows(("x", "y"), [("1", "2")])],
)
def test_rows_and_columns_are_counted(answer: Rows) -> None:
    with pytest.raises(BadAnswer, match=r"columns, not 1|rows, not one"):
        answers.one(answer, WHAT, answers.WHOLE)


def test_columns_have_their_names() -> None:
    kinds = {"a": answers.WHOLE, "b": answers.TEXT}
    assert answers.records(Rows(("a", "b"), [("1", "x")]), WHAT, kinds) == [{"a": 1, "b": "x"}]
    with pytest.raises(BadAnswer, match="its columns are b, a"):
        answers.records(Rows(("b", "a"), [("1", "x")]), WHAT, kinds)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "x",
            "{}",
            "1",
            "null",
            "[null]",
            "[[]]",
            "[1]",
            '[{"a": NaN}]',
            '[{"a": Infinity}]',
            '[{"a": 1}',
            "[] []",
        ),
        *(
            "[" * 200_000,
            '{"a":' * 200_000,
            '[{"a": ' + "9" * 1_000_000 + "}]",
            '[{"a": 1e999}]',
            '[{"a": "1"}]',
            "[{}]",
        ),
        *('[{"a": true}]', '[{"a": null}]', '[{"a": [1]}]', '[{"a": 1, "a": "x"}]'),
    ],
)
def test_json_that_is_not_what_was_asked_for(text: str) -> None:
    before = time.monotonic()
    with pytest.raises(BadAnswer, match=f"something that is not {WHAT}: ") as caught:
        answers.json_records(text, WHAT, {"a": answers.NUMBER})
    assert len(caught.value.message) < 300
    assert time.monotonic() - before < 5


def test_what_may_be_missing_stays_missing() -> None:
    """Which columns there are tells one engine from another."""
    kinds = {"a": answers.WHOLE, "b": answers.maybe(answers.TEXT)}
    assert answers.json_records('[{"a": 1}, {"a": 2, "b": null, "c": 3}]', WHAT, kinds) == [
        {"a": 1},
        {"a": 2, "b": None},
    ]
    assert answers.json_records(None, WHAT, kinds) == []


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from("pid sess_id tag mode granted session groupname concurrency 1".split()), inner),
    ),
    max_leaves=12,
)
READERS: list[t.Callable[[Rows], object]] = [
    snapshot.rows_from,
    snapshot.locks_from,
    sender.seen,
    lambda answer: catalog._status_from(answers.json_record(answer.rows[0][0], WHAT, catalog._STATUS_KINDS)),
]


@pytest.mark.parametrize("reader", READERS)
@given(found=anything, columns=st.integers(1, 5))
def test_any_json_is_read_or_refused(reader: t.Callable[[Rows], object], found: t.Any, columns: int) -> None:
    text = json.dumps(found)
    with contextlib.suppress(BadAnswer):
        reader(Rows(("x",) * columns, [(text,) * columns]))


def test_a_pid_is_there_once() -> None:
    row = {"pid": 1, "sess_id": 2}
    both = Rows(("list", "others"), [(json.dumps([row]), json.dumps([{**row, "state": "idle"}]))])
    assert snapshot.rows_from(both) == [row]
    with pytest.raises(BadAnswer, match="1 is there twice"):
        snapshot.rows_from(Rows(("list", "others"), [(json.dumps([row, row]), "[]")]))
