# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports: plain data, the lock tree, findings, and a page in which nothing of a user's is markup."""

from __future__ import annotations

import datetime as dt
import html.parser
import json
import stat
import typing as t
from pathlib import Path

import jinja2
import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import ARGUMENT_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _on_controller
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import (
    findings,
    gp_report,
    lock_tree,
    plain_data,
    records,
    view,
)
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import page as report_page
from ansible_collections.gpops.toolkit.plugins.plugin_utils._report import text as report_text
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = dt.datetime(2026, 11, 22, 20, 0, 1, 500, tzinfo=dt.timezone(dt.timedelta(hours=1)))
HOSTILE = [
    "<script>window.hit = 1</script>",
    '"><img src=x onerror="window.hit = 1">',
    "'><svg onload=window.hit=1>",
    "{{ 7*7 }}{% raw %}",
    "\u202egnp.exe\u2066",
    "\x1b[31mred\x07\x00",
    "</style><style>*{display:none}",
    "\ud800",
]


def options(**given_options: t.Any) -> dict[str, t.Any]:
    return {
        **dict.fromkeys(gp_report.ARGUMENT_SPEC),
        "json": True,
        "html": True,
        "name": "report",
        **given_options,
    }


def compose(**given_options: t.Any) -> dict[str, t.Any]:
    return gp_report.compose(options(**given_options), False, NOW)


def process(pid: int, **fields: t.Any) -> dict[str, t.Any]:
    return {
        "pid": pid,
        "usename": "billy",
        "state": "active",
        "waiting": False,
        "query": "SELECT 1",
        "query_age": 5.0,
        "blocked_by": [],
        "blocks": [],
        **fields,
    }


def found(**results: t.Any) -> list[str]:
    return [finding.text for finding in findings.find(plain_data.plain(results))]


def waiter(pid: int, *blockers: int) -> dict[str, t.Any]:
    return process(pid, waiting=True, waiting_reason="lock", blocked_by=list(blockers), wait_age=3.0)


IDLE = {"state": "idle in transaction", "state_age": 720.0, "transaction_age": 725.0}


class TestData:
    def test_secrets_are_left_out_at_any_depth(self) -> None:
        given_value = {
            "login_password": "s1",
            "connect_params": {"password": "s2", "sslpassword": "s3", "keepalives": 1},
            "list": [{"invocation": {"module_args": {"x": "s4"}}, "API_KEY": "s5", "_ansible_no_log": False}],
            "token": 4711,
            "text": "ALTER ROLE a PASSWORD 's6'; postgresql://u:s7@host/db",
        }
        plain = plain_data.plain(given_value)
        assert plain == {
            "connect_params": {"keepalives": 1},
            "list": [{}],
            "text": "ALTER ROLE a PASSWORD '?'; postgresql://u:?@host/db",
        }

    def test_a_role_may_be_called_like_a_secret(self) -> None:
        summary = {"by_user": {"token": 3, "invocation": 1}, "counts": {"password": 2}}
        assert plain_data.plain(summary) == summary
        assert plain_data.plain({"by_user": {"token": "text"}}) == {"by_user": {}}

    @given(st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()), st.lists))
    def test_all_is_json(self, value: t.Any) -> None:
        json.loads(json.dumps(plain_data.plain(value), allow_nan=False))

    def test_what_json_does_not_know(self) -> None:
        loop: list[t.Any] = []
        loop.append(loop)
        values = [dt.date(2026, 1, 2), b"\xff", jinja2.StrictUndefined("no"), float("nan"), {1: (2, {3})}, "\ud800"]
        assert plain_data.plain(values) == ["2026-01-02", "\ufffd", None, None, {"1": [2, [3]]}, "?"]
        assert "..." in json.dumps(plain_data.plain(loop))


class TestTexts:
    @given(st.text(alphabet=st.characters()))
    def test_nothing_steers_the_screen(self, text: str) -> None:
        assert report_text.visible(text).isprintable()
        assert len(report_text.query(text)) <= report_text.QUERY_LENGTH

    def test_what_was_there_can_be_seen(self) -> None:
        assert report_text.visible("a\x1b[31m\u202eb\x7f\n  c") == "a\u241b[31m\u27e8U+202E\u27e9b\u27e8U+007F\u27e9 c"
        assert report_text.query(" \n" * 5000 + "x") == "x"
        assert report_text.query("x" * 5000) == "x" * (report_text.QUERY_LENGTH - 1) + "\u2026"

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (None, ""),
            (-3, "0.0 s"),
            (0.84, "0.8 s"),
            (59.9, "59 s"),
            (725, "12 min 05 s"),
            (11100, "3 h 05 min"),
            (190000, "2 d 4 h"),
        ],
    )
    def test_durations(self, seconds: float | None, text: str) -> None:
        assert report_text.duration(seconds) == text


def flat(nodes: t.Iterable[lock_tree.Node]) -> t.Iterator[lock_tree.Node]:
    for node in nodes:
        yield node
        yield from flat(node.children)


class TestLockTree:
    @given(st.dictionaries(st.integers(1, 12), st.sets(st.integers(1, 12), max_size=4), max_size=12))
    def test_everybody_is_there_once_whatever_the_circles(self, graph: dict[int, set[int]]) -> None:
        edges = {(waiter, blocker) for waiter, others in graph.items() for blocker in others if blocker != waiter}
        nodes = list(flat(lock_tree.lock_trees(graph)))
        pids = [node.pid for node in nodes]
        assert sorted(pids) == sorted({pid for edge in edges for pid in edge})
        shown = {(child.pid, node.pid) for node in nodes for child in node.children}
        named = {(node.pid, other) for node in nodes for other in node.also}
        assert shown | named == edges
        assert not shown & named

    def test_the_root_that_holds_up_most_comes_first(self) -> None:
        trees = lock_tree.lock_trees({2: {1}, 12: {11}, 13: {12}, 14: {12, 11}})
        assert [(tree.pid, tree.held, tree.is_cycle) for tree in trees] == [(11, 3, False), (1, 1, False)]
        assert [(node.pid, node.also) for node in trees[0].children] == [(12, []), (14, [12])]

    def test_a_circle_has_one_that_stands_for_it(self) -> None:
        trees = lock_tree.lock_trees({2: {3}, 3: {2}, 1: {3}})
        assert [(tree.pid, tree.is_cycle) for tree in trees] == [(2, True)]
        assert sorted(node.pid for node in flat(trees)) == [1, 2, 3]

    def test_a_long_queue_and_a_long_chain_are_bounded(self) -> None:
        queue = [process(1, **IDLE)] + [waiter(pid, *range(1, pid)) for pid in range(2, 400)]
        chain = [process(1001, **IDLE)] + [waiter(pid, pid - 1) for pid in range(1002, 2500)]
        trees, more = view.lock_tree(records.sessions({"processes": queue + chain}))
        assert (len(trees), more) == (2, 0)
        assert trees[1].children[0].row.pid == "2"
        assert trees[1].more == 398 - view.MAX_WAITERS
        deepest = trees[0]
        while deepest.children:
            deepest = deepest.children[0]
        assert deepest.more == 1


class TestFindings:
    def test_a_jam_with_one_root(self) -> None:
        listed = [process(123, **IDLE), *(waiter(pid, 123) for pid in (1, 2)), waiter(3, 2)]
        assert found(processes={"processes": listed})[0] == (
            "3 sessions wait for a lock. The root is process 123 (billy, idle in transaction for 12 min 00 s), "
            "which holds up 3, 2 of them directly and the others through those."
        )

    def test_a_root_in_utility_mode_is_named_as_such(self) -> None:
        root = process(123, **IDLE, kind="utility", usename=None)
        jam, idle = found(processes={"processes": [root, waiter(1, 123)]})
        assert "(role that was dropped, idle in transaction for 12 min 00 s, in utility mode), which holds up 1" in jam
        assert idle.endswith("process 123 of a role that was dropped in utility mode.")

    def test_several_roots_a_circle_and_a_wait_for_nobody_known(self) -> None:
        two = found(processes={"processes": [waiter(1, 8), waiter(2, 9)]})
        assert two == [
            "2 sessions wait for a lock. There are 2 roots.",
            "Process 8 (not in the list) holds up 1 directly.",
            "Process 9 (not in the list) holds up 1 directly.",
        ]
        circle = found(processes={"processes": [waiter(1, 2), waiter(2, 1)]})
        assert "Sessions wait for each other in a circle, among them process 1." in circle
        alone = found(processes={"processes": [{**waiter(1), "blocked_by": None}]})
        assert alone == ["1 session waits for a lock. For whom, the lock table does not tell."]

    def test_groups(self) -> None:
        groups = [
            {"name": "etl", "concurrency": 5, "status": {"running": 5, "queueing": 7}},
            {"name": "full", "concurrency": 1, "status": {"running": 1, "queueing": 0}},
            {"name": "odd", "concurrency": 4, "status": {"running": 1, "queueing": 1}},
            {"name": "unknown", "concurrency": 4, "status": None},
        ]
        listed = [process(1, resource_group="etl", **IDLE)]
        texts = found(processes={"processes": listed}, groups={"groups": groups, "enforced": False})
        assert texts[0] == "Group etl is full: 5 of 5 run, 7 wait. 1 of those that run is idle in transaction."
        assert "In group odd 1 waits, while 1 of 4 run." in texts
        assert "Group full is full: 1 of 1 run, nobody waits." in texts
        assert "The server does not enforce resource groups." in texts

    @pytest.mark.parametrize(
        ("used", "text"),
        [(10, None), (80, "20 left for ordinary roles."), (100, "an ordinary role can no longer connect.")],
    )
    def test_connections(self, used: int, text: str | None) -> None:
        texts = found(processes={"processes": [], "connections": {"used": used, "max": 103, "reserved": 3}})
        if text is None:
            assert texts == ["Nothing is conspicuous: nobody waits, and nothing is nearly full."]
        else:
            assert texts == [f"{used} of 103 connections are in use, 3 being kept for administrators: {text}"]

    def test_what_failed_and_what_cannot_be_seen(self) -> None:
        texts = found(
            processes={"failed": True, "msg": "no \x1b route"},
            groups={"unreachable": True},
            remediation={"failed": True, "msg": "too many", "guards": [{"guard": "window", "passed": False}]},
        )
        assert texts == [
            "The sessions could not be read: no \u241b route",
            "The resource groups could not be read: no reason was given",
            "The remediation failed: too many",
            "A guard stopped the runbook. window: no reason was given",
        ]
        assert found(processes={"processes": [process(1)], "count": 3, "hidden": 1}) == [
            "1 session hides its state and query from the role that looked; this report may lack causes.",
            "Only 1 of 3 selected sessions are in this report.",
        ]

    def test_what_was_done(self) -> None:
        policies = [
            {"name": "a", "outcome": "refused", "reason": "more than max_victims"},
            {"name": "b", "outcome": "done", "relieved": False},
        ]
        assert found(
            remediation={"policies": policies, "counts": {"terminated": 2, "not_applicable": 1, "gone": 0}}
        ) == [
            "Policy a: refused. more than max_victims",
            "Policy b did not relieve the situation.",
            "What became of the sessions chosen: 2 terminated, 1 not applicable.",
        ]

    def test_what_would_be_done_is_not_said_as_done(self) -> None:
        remediation = {
            "mode": "report",
            "guards": [{"guard": "windows", "passed": False, "reason": "later"}],
            "policies": [{"name": "b", "outcome": "would_act", "relieved": False}],
            "counts": {"would_be_terminated": 2},
            "victims": [{"pid": 1, "outcome": "would_be_terminated", "signalled": False}],
            "sessions": {"total": 13, "signalled": 0, "would_be_signalled": 2},
        }
        assert found(remediation=remediation) == [
            "A guard would stop the runbook. windows: later",
            "Policy b would not relieve the situation.",
            "What would become of those chosen; nothing was sent: 2 would be terminated.",
        ]
        page = report_page.render(compose(remediation=remediation))
        assert "What would be done" in page
        assert "2 of 13 sessions would be signalled; nothing was sent." in page
        for done in ("What was done", "were signalled", "stopped the runbook", "> terminated"):
            assert done not in page
        checked = {name: value for name, value in remediation.items() if name != "mode"}
        assert "What was done" not in report_page.render(compose(remediation=checked))

    def test_a_failure_is_told_once(self) -> None:
        refused = {"name": "a", "outcome": "refused", "reason": "more than max_victims"}
        lost = {"name": "a", "outcome": "not_run", "reason": "the server is gone"}
        stopped = {"guard": "windows", "passed": False, "reason": "later"}
        assert found(
            remediation={
                "failed": True,
                "msg": "1 of 2 did not succeed: a refused: more than max_victims",
                "policies": [refused],
            }
        ) == ["Policy a: refused. more than max_victims"]
        assert found(remediation={"failed": True, "msg": "the server is gone", "policies": [lost]}) == [
            "The remediation failed: the server is gone"
        ]
        assert found(remediation={"failed": True, "msg": "a guard stopped it: later", "guards": [stopped]}) == [
            "The remediation failed: a guard stopped it: later"
        ]


ROOT = process(7, **IDLE, backend_start="2026-11-26T03:00:00Z", blocks=[8])
JAM = {"processes": [ROOT, waiter(8, 7)], "connections": {"used": 9, "max": 10, "reserved": 1}}
AFTER = {"processes": [process(8)], "connections": {"used": 4, "max": 10, "reserved": 1}}
ENDED: dict[str, t.Any] = {"mode": "enforce", "victims": [{**ROOT, "outcome": "terminated", "signalled": True}]}


class TestBeforeAndAfter:
    def test_what_is_conspicuous_is_of_the_later_moment(self) -> None:
        assert not [text for text in found(processes=JAM, processes_after=AFTER, remediation=ENDED) if "root" in text]
        assert [text for text in found(processes=JAM) if text.startswith("1 session waits for a lock. The root")]

    def test_a_list_with_sessions_that_were_ended_is_from_before(self) -> None:
        texts = found(processes=JAM, remediation=ENDED)
        assert len([text for text in texts if text.startswith("Before anything was sent: ")]) == len(texts) == 3
        page = report_page.render(compose(processes=JAM, remediation=ENDED, mode="enforce"))
        for title in ("Numbers", "Connections", "Who waits for whom", "Longest transactions", "Sessions"):
            assert f"{title}, before</h2>" in page

    @pytest.mark.parametrize(
        "changed",
        [{"outcome": "alive"}, {"pid": 9}, {"backend_start": "2026-11-26T04:00:00Z"}, {"backend_start": None}],
    )
    def test_of_other_lists_that_is_not_known(self, changed: dict[str, t.Any]) -> None:
        victims = [{**ENDED["victims"][0], **changed}]
        assert records.moments({"processes": JAM, "remediation": {"victims": victims}})[0].name == ""

    def test_the_page_has_both_side_by_side(self) -> None:
        groups, after = (
            {"groups": [{"name": "etl", "concurrency": 5, "status": {"running": running, "queueing": 0}}]}
            for running in (5, 2)
        )
        page = report_page.render(
            compose(
                processes=JAM,
                processes_after=AFTER,
                groups=groups,
                groups_after=after,
                remediation=ENDED,
                mode="enforce",
            )
        )
        assert Page(page).open == []
        assert page.count("<h3>Before</h3>") == page.count("<h3>After</h3>") == 2
        words = " ".join(Page(page.replace("</td>", " </td>").replace("</th>", " </th>")).text.split())
        assert "Sessions 2 1 Active" in words
        assert "Connections 9 of 10 in use, 1 kept for administrators 4 of 10 in use" in words
        assert "Holds up 1 directly" in words
        assert "After No session is known to wait for another one." in words
        assert "5 of 5 running, 0 waiting" in words
        assert "2 of 5 running, 0 waiting" in words
        assert "Sessions, after" in words
        assert page.index('id="locks"') < page.index('id="done"') < page.index('id="groups"')

    def test_a_look_afterwards_that_failed_is_told(self) -> None:
        failed = {"failed": True, "msg": "the server is gone"}
        texts = found(processes=JAM, processes_after=failed, remediation=ENDED)
        assert "The sessions could not be read afterwards: the server is gone" in texts
        assert any(text.startswith("Before anything was sent: ") for text in texts)


class Page(html.parser.HTMLParser):
    """What a browser would make of the page: its elements, and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in {"meta", "col"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def everything(text: str, *, later: bool = False) -> dict[str, t.Any]:
    """A report in which a user wrote this wherever one can."""
    fields = ["usename", "datname", "application_name", "state", "query", "resource_group", "waiting_reason"]
    record = {**process(1), **dict.fromkeys(fields, text), "waiting": True, "transaction_age": 9.0, "blocks": [2]}
    victim = {**record, "policy": text, "outcome": text, "reason": text, "round": text}
    policy = {**dict.fromkeys(["name", "state", "outcome", "reason", "why"], text), "counts": {text: 1}}
    names = {text: 1}
    processes = {
        "processes": [record, {**record, "pid": 2, "blocked_by": [1], "blocks": []}],
        "summary": dict.fromkeys(["by_state", "by_user", "by_resource_group", "by_waiting_reason"], names),
        "engine": {"family": text, "version": text},
    }
    groups = {"groups": [{"name": text, "concurrency": 1, "status": {"running": 1, "queueing": 2}}]}
    return compose(
        title=text,
        runbook=text,
        cluster=text,
        processes=processes,
        groups=groups,
        processes_after=processes if later else None,
        groups_after=groups if later else None,
        remediation={
            "guards": [{"guard": text, "passed": False, "reason": text}],
            "policies": [policy],
            "victims": [victim],
            "counts": names,
        },
        details={text: [text]},
    )


class TestPage:
    @pytest.mark.parametrize("later", [False, True])
    @pytest.mark.parametrize("text", HOSTILE)
    def test_what_users_wrote_is_text(self, text: str, later: bool) -> None:
        harmless = Page(report_page.render(everything("abc", later=later)))
        page = Page(report_page.render(everything(text, later=later)))
        assert page.open == []
        assert page.tags == harmless.tags
        assert {name for name, _value in page.attributes} == {name for name, _value in harmless.attributes}
        assert page.text.count(report_text.visible(plain_data.plain(text))) > 15

    @settings(deadline=None)
    @given(st.text(max_size=40))
    def test_no_text_makes_markup(self, text: str) -> None:
        page = Page(report_page.render(everything(text)))
        assert page.open == []
        assert page.tags <= Page(report_page.render(everything("abc"))).tags
        assert all(character.isprintable() or character == "\n" for character in page.text)

    def test_it_needs_nothing_from_elsewhere(self) -> None:
        page = Page(report_page.render(everything("abc")))
        assert not {"script", "img", "iframe", "form", "object"} & page.tags
        links = [value for name, value in page.attributes if name in {"href", "src"}]
        assert links
        assert all(value is not None and value.startswith("#") for value in links)
        assert ("content", "light dark") in page.attributes

    def test_each_link_has_its_place(self) -> None:
        attributes = Page(report_page.render(everything("abc", later=True))).attributes
        ids = [value for name, value in attributes if name == "id"]
        assert len(ids) == len(set(ids))
        labels = [value or "" for name, value in attributes if name == "aria-labelledby"]
        links = [(value or "").removeprefix("#") for name, value in attributes if name == "href"]
        assert set(labels + links) <= set(ids)

    def test_a_thousand_sessions_of_quotes_stay_small(self) -> None:
        listed = [process(1, **IDLE)]
        listed += [{**waiter(pid, 1), "query": '"' * 1024, "transaction_age": 1.0} for pid in range(2, 1001)]
        victims = [{**record, "outcome": "alive", "reason": "it was signalled"} for record in listed]
        document = compose(processes={"processes": listed, "count": 1000}, remediation={"victims": victims})
        page = report_page.render(document)
        assert len(page.encode()) < 500_000
        assert f"and {1000 - view.MAX_SESSIONS} more sessions" in page
        assert f"and {1000 - view.MAX_DONE} more in the JSON report" in page
        assert f"and {999 - view.MAX_WAITERS} more below this one" in page

    def test_long_tables_are_folded(self) -> None:
        short = report_page.render(compose(remediation={"victims": [{**ROOT, "outcome": "alive"}] * view.LONG}))
        assert "<details>" not in short
        long = report_page.render(compose(remediation={"victims": [{**ROOT, "outcome": "alive"}] * (view.LONG + 1)}))
        assert f"<summary>List of the sessions chosen ({view.LONG + 1})</summary>" in long
        assert Page(long).open == []

    @pytest.mark.parametrize(
        "key", ["processes", "groups", "remediation", "processes_after", "groups_after", "details"]
    )
    @pytest.mark.parametrize("value", [{}, {"failed": True, "msg": "no"}, {"skipped": True, "changed": False}, None])
    def test_what_is_missing_does_not_matter(self, key: str, value: t.Any) -> None:
        assert Page(report_page.render(compose(**{key: value}))).open == []

    @pytest.mark.parametrize("value", [3, "text", [1], {"a": 1}, [[None]], [{"pid": "x"}], None])
    def test_nor_does_what_is_odd(self, value: t.Any) -> None:
        keys = ["processes", "summary", "connections", "engine", "hidden", "count", "groups", "policies", "victims"]
        odd = dict.fromkeys([*keys, "guards", "counts", "sessions"], value)
        results = ["processes", "groups", "remediation", "processes_after", "groups_after", "details"]
        assert Page(report_page.render(compose(**dict.fromkeys(results, odd)))).open == []

    def test_check_mode_is_told(self) -> None:
        document = gp_report.compose(options(mode="enforce"), True, NOW)
        assert "check mode, nothing is sent" in report_page.render(document)

    def test_widths_are_percent(self) -> None:
        partly = view.group_bar(records.Group("etl", 5, 5, 7))
        assert (partly.width, partly.second, partly.text) == (41.67, 58.33, "5 of 5 running, 7 waiting")
        over = view.group_bar(records.Group("etl", 2, 5, 0))
        assert (over.width, over.second) == (100.0, 0.0)
        assert view.group_bar(records.Group("etl", 0, 0, 0)).text == "0 running, closed, 0 waiting"
        assert view.group_bar(records.Group("etl", -1, 3, 0)).text == "3 running, no limit, 0 waiting"
        assert view.group_bar(records.Group("etl", 4, None, None)).text == "what runs is not known"


class TestFiles:
    def test_they_are_for_their_owner_and_replaced_as_a_whole(self, tmp_path: Path) -> None:
        folder = tmp_path / "a" / "b"
        for cluster in ("first", "second"):
            result = gp_report.write(options(dest=str(folder), cluster=cluster), False, NOW)
        assert result["changed"] is False
        assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json"]
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        document = json.loads(Path(result["json_path"]).read_text(encoding="ascii"))
        assert document["cluster"] == "second"
        assert document["generated"] == "2026-11-22T19:00:01Z"
        assert "second" in Path(result["html_path"]).read_text(encoding="utf-8")

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        precious = tmp_path / "precious"
        precious.write_text("mine", encoding="utf-8")
        (tmp_path / "report.json").symlink_to(precious)
        gp_report.write(options(dest=str(tmp_path), html=False), False, NOW)
        assert precious.read_text(encoding="utf-8") == "mine"

    def test_only_what_was_asked_for(self, tmp_path: Path) -> None:
        result = gp_report.write(options(dest=str(tmp_path), json=False), False, NOW)
        assert (result["json_path"], [path.name for path in tmp_path.iterdir()]) == (None, ["report.html"])

    @pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "a\\b", "a\nb", "x" * 201])
    def test_names_that_are_none(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match=r"^name: it is the name of a file without its suffix; it may"):
            gp_report.write(options(dest=str(tmp_path / "new"), name=name), False, NOW)
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize("option", ["processes", "groups"])
    def test_what_is_no_result(self, option: str, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match=f"^{option}: it is no result of "):
            gp_report.write(options(dest=str(tmp_path), **{option: {"all": ["a"], "ungrouped": []}}), False, NOW)
        results: list[dict[str, t.Any]] = [{}, {"failed": True}, {"skipped": True}, {option: []}]
        for result in results:
            gp_report.write(options(dest=str(tmp_path), **{option: result}), False, NOW)

    def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.touch()
        with pytest.raises(OptionError, match=r"^dest: the folder .*/file cannot be opened or made: Not a directory"):
            gp_report.write(options(dest=str(file)), False, NOW)
        (tmp_path / "report.json").mkdir()
        with pytest.raises(OptionError, match=r"^dest: .*/report.json cannot be written: Is a directory"):
            gp_report.write(options(dest=str(tmp_path)), False, NOW)
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_options_of_the_connection_are_all_known() -> None:
    assert set(ARGUMENT_SPEC) == _on_controller.CONNECTION_OPTIONS
