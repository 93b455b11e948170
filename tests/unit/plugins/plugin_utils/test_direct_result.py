# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever Ansible's inside does after an operation ran, its result reaches the user."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import os
import queue
import signal
import sys
import threading
import time
import types
import typing as t
from pathlib import Path

import ansible
import pytest
from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.gpops.toolkit.plugins.module_utils._core import driver, interruption
from ansible_collections.gpops.toolkit.plugins.module_utils._core import module as modules
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import ARGUMENT_SPEC
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import GpopsError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.module import Definition
from ansible_collections.gpops.toolkit.plugins.plugin_utils import _direct

ANSIBLE = str(Path(ansible.__file__).parent)
VICTIMS = [{"pid": 7, "outcome": "terminated", "query": "SELECT '{{ 1 + 1 }}'", "signalled": True}]
Operation = t.Callable[[t.Mapping[str, t.Any], bool], "tuple[dict[str, t.Any], list[str]]"]


def ends_sessions(_options: t.Mapping[str, t.Any], _check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
    return {"changed": True, "victims": VICTIMS}, ["a warning"]


def fails(_options: t.Mapping[str, t.Any], _check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
    raise GpopsError("one is still there", changed=True, victims=VICTIMS)


class Shell:
    tmpdir = None

    @staticmethod
    def env_prefix(**_variables: str) -> str:
        return ""


class Templar:
    @staticmethod
    def template(value: t.Any) -> t.Any:
        return value


class Action(_direct.DirectAction):
    """An action plugin on a task of its own; what it runs as a module is noted."""

    module = "gp_test"

    def __init__(self, operation: Operation, **keywords: t.Any) -> None:
        """Without Ansible's own, which wants a playbook."""
        type(self).definition = Definition(operation, {"users": {"type": "list", "elements": "str"}})
        of_the_task = {"args": {"users": ["a"], "login_password": "s3cret"}, "async_val": 0, "check_mode": False}
        none = {"environment": [{"PGHOST": "here"}], "delegate_to": None, "timeout": None, "action": "gp_test"}
        self._task = types.SimpleNamespace(**{**of_the_task, **none, **keywords})  # type: ignore[assignment]  # a stand-in
        self._connection = types.SimpleNamespace(transport="local", become=None, _shell=Shell())  # type: ignore[assignment]  # a stand-in
        self._templar = Templar()  # type: ignore[assignment]  # a stand-in
        self.modules: list[str] = []

    def _execute_module(self, **options: t.Any) -> dict[str, t.Any]:  # type: ignore[override]  # called by name
        self.modules.append(options["module_name"])
        return {"as_a_module": True}


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What it says with -vvv."""
    texts: list[str] = []
    monkeypatch.setattr(_direct, "display", types.SimpleNamespace(vvv=texts.append))
    monkeypatch.delenv("GPOPS_DIRECT", raising=False)
    return texts


@pytest.mark.parametrize("operation", [ends_sessions, fails])
def test_nothing_of_ansible_is_called_after_the_operation(operation: Operation) -> None:
    calls: list[str] = []

    def watched(options: t.Mapping[str, t.Any], check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
        sys.setprofile(note)
        return operation(options, check_mode)

    def note(frame: types.FrameType, event: str, _argument: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(ANSIBLE):
            calls.append(f"{name}: {frame.f_code.co_name}")

    action = Action(watched)
    try:
        found = action.run(task_vars={})
    finally:
        sys.setprofile(None)
    assert calls == []
    assert found["victims"] == VICTIMS
    assert found["changed"] is True


def test_the_watch_sees_a_call_of_ansible() -> None:
    """Else the test before this could not fail."""
    calls = []
    sys.setprofile(lambda frame, event, _argument: calls.append((event, frame.f_code.co_filename)))
    try:
        boolean("yes")
    finally:
        sys.setprofile(None)
    assert any(event == "call" and name.startswith(ANSIBLE) for event, name in calls)


def broken(*_arguments: t.Any, **_keywords: t.Any) -> t.NoReturn:
    raise RuntimeError("another ansible-core")


def garbage(*_arguments: t.Any, **_keywords: t.Any) -> object:
    return object()


INSIDE = [
    (ActionBase, "_compute_environment_string"),
    (Templar, "template"),
    (constants.config, "get_config_value"),
    (_direct, "_encoder"),
    (_direct, "ArgumentSpecValidator"),
    (_direct, "boolean"),
    (_direct, "json"),
]


@pytest.mark.parametrize("how", [broken, garbage])
@pytest.mark.parametrize(("owner", "name"), INSIDE, ids=[name for dummy, name in INSIDE])
def test_what_is_not_as_expected_makes_it_a_module(
    owner: t.Any, name: str, how: t.Callable[..., t.Any], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it does no harm: the operation runs once, here or there, and its result comes."""
    ran: list[int] = []

    def once(options: t.Mapping[str, t.Any], check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
        ran.append(1)
        return ends_sessions(options, check_mode)

    monkeypatch.setattr(owner, name, how)
    action = Action(once)
    try:
        found = action.run(task_vars={"gpops_direct": True})
    except AnsibleError:  # of a result that is none
        assert (ran, action.modules, how) == ([], [], garbage)
        return
    assert len(ran) + len(action.modules) == 1
    assert found == {"as_a_module": True} or found["victims"] == VICTIMS
    if how is broken:
        assert action.modules == ["gpops.toolkit.gp_test"]
        assert said[0].startswith("gpops.toolkit.gp_test runs as a module: this ansible-core is not understood (")


def test_an_error_of_the_user_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def undefined(_value: t.Any) -> t.NoReturn:
        raise AnsibleError("'nothing' is undefined")

    monkeypatch.setattr(Templar, "template", staticmethod(undefined))
    with pytest.raises(AnsibleError, match="'nothing' is undefined"):
        Action(ends_sessions).run(task_vars={})


def test_a_display_that_fails_does_so_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_text: str) -> t.NoReturn:
        raise BrokenPipeError

    def never(_options: t.Mapping[str, t.Any], _check_mode: bool) -> t.NoReturn:
        raise AssertionError("it ran")

    monkeypatch.setattr(_direct, "display", types.SimpleNamespace(vvv=closed))
    with pytest.raises(BrokenPipeError):
        Action(never).run(task_vars={})


def test_tidying_up_does_not_take_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionBase, "cleanup", broken)
    Action(ends_sessions).cleanup()


def test_an_environment_that_cannot_be_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGHOST", raising=False)

    class Broken(dict[str, str]):
        def pop(self, *_arguments: t.Any) -> t.NoReturn:
            raise OSError("no")

    def breaks(options: t.Mapping[str, t.Any], check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
        assert os.environ["PGHOST"] == "here"
        monkeypatch.setattr(os, "environ", Broken(os.environ))
        return ends_sessions(options, check_mode)

    found = Action(breaks).run(task_vars={})
    monkeypatch.undo()
    os.environ.pop("PGHOST", None)
    assert found["victims"] == VICTIMS


class Text(str):
    """What Ansible could take for more than a text."""

    __slots__ = ()


class Number(int):
    """Nor this for a number."""


def test_odd_values_arrive_as_plain_data() -> None:
    odd = {
        "text": Text("{{ 1 + 1 }}"),
        "half": "a\ud800b",
        "number": Number(3),
        "when": dt.timedelta(seconds=1),
        "exact": decimal.Decimal("1.5"),
        "tuple": (1, None, True),
        3: b"bytes",
    }
    found = Action(lambda _options, _check: ({"changed": True, "odd": odd}, [])).run(task_vars={})["odd"]
    assert found["half"] == "a\\ud800b"
    assert found["tuple"] == [1, None, True]
    assert found["3"] == "b'bytes'"
    assert [type(found[name]) for name in ("text", "number", "when", "exact")] == [str, int, str, str]


class Line:
    """A driver that signals at once and then is silent, in the place of a server."""

    def __init__(self) -> None:
        self.driver = driver.DriverThread()

    def ask(self, seconds: float) -> None:
        self.driver.call(lambda: time.sleep(seconds), 60)


@pytest.fixture
def alarm() -> t.Iterator[list[str]]:
    """As Ansible sets it for the timeout of a task."""
    rang: list[str] = []
    before = signal.signal(signal.SIGALRM, lambda *_dummy: rang.append("the alarm of Ansible"))
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    yield rang
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_the_timeout_of_the_task_leaves_what_is_known(alarm: list[str]) -> None:
    def slow(_options: t.Mapping[str, t.Any], _check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
        line = Line()
        try:
            line.ask(5)
        except GpopsError as error:
            raise GpopsError(f"process 7: signalled: {error.message}", changed=True, victims=VICTIMS) from None
        raise AssertionError("nobody heard the alarm")

    found = Action(slow, timeout=3).run(task_vars={})
    assert found["failed"] is True
    assert found["msg"] == "process 7: signalled: Timed out after 3 seconds, the timeout of the task"
    assert found["victims"] == VICTIMS
    assert found["timedout"] == {"period": 3}
    assert alarm == []
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_an_alarm_that_nobody_waits_for_takes_nothing(alarm: list[str]) -> None:
    def busy(options: t.Mapping[str, t.Any], check_mode: bool) -> tuple[dict[str, t.Any], list[str]]:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            pass
        return ends_sessions(options, check_mode)

    found = Action(busy, timeout=3).run(task_vars={})
    assert found["victims"] == VICTIMS
    assert "failed" not in found
    assert alarm == []


def test_whoever_would_wait_after_the_alarm_is_told() -> None:
    alarm = interruption.Alarm()
    alarm.ring("late")
    waiter: queue.SimpleQueue[t.Any] = queue.SimpleQueue()
    with pytest.raises(interruption.Interrupted, match="late") as raised, alarm.wakes(waiter):
        raise AssertionError("it waits")
    assert not raised.value.was_sent
    assert alarm.heard


@pytest.mark.usefixtures("alarm")
def test_outside_the_main_thread_no_alarm_is_taken() -> None:
    found: list[t.Any] = []

    def look() -> None:
        with interruption.alarm_of_the_task("late"):
            found.append(signal.getsignal(signal.SIGALRM))

    before = signal.getsignal(signal.SIGALRM)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [before]


class Module:
    """An AnsibleModule of which a part fails once the operation ran."""

    params: t.ClassVar[dict[str, t.Any]] = {}
    check_mode = False
    no_log_values: t.ClassVar[set[str]] = set()
    exit_json = fail_json = warn = log = staticmethod(broken)


@pytest.mark.parametrize(("operation", "status"), [(ends_sessions, 0), (fails, 1)])
@pytest.mark.parametrize("breaks", ["exit_json", "warn"])
def test_a_module_ends_with_its_result(
    operation: Operation, status: int, breaks: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(modules, "_Module", lambda **_options: Module())
    monkeypatch.setattr(modules, "warn", broken if breaks == "warn" else lambda _text: None)
    with pytest.raises(SystemExit) as ended:
        modules.run_module(Definition(operation))
    printed = json.loads(capsys.readouterr().out)
    assert ended.value.code == status
    assert printed["victims"] == VICTIMS
    assert printed["changed"] is True
    assert printed["failed"] is bool(status)
    assert printed.get("warnings", []) == ([] if status else ["a warning"])


def test_an_alarm_breaks_off_what_is_only_computed() -> None:
    alarm = interruption.Alarm()
    with alarm.interrupts(), pytest.raises(interruption.Interrupted):
        alarm.ring("late")


def test_the_log_of_the_system_has_no_secret_and_takes_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, msg, log_args: written.append((msg, log_args)))
    module = object.__new__(modules._Module)
    params = {"connect_params": str({"password": "s3cret"}), "users": "a\0b"}
    module.log("Invoked with " + " ".join(f"{name}={value}" for name, value in params.items()), log_args=params)
    assert written == [
        (
            "Invoked with connect_params=NOT_LOGGING_PARAMETER users=a\\0b",
            {"connect_params": "NOT_LOGGING_PARAMETER", "users": "a\\0b"},
        )
    ]


def test_no_option_but_the_password_is_secret() -> None:
    """Of what is secret Ansible hides each occurrence, also of a port or a number of seconds."""
    secret = [name for name, option in ARGUMENT_SPEC.items() if option.get("no_log")]
    assert secret == ["login_password"]
    specs = Path(modules.__file__).resolve().parents[2].glob("roles/*/meta/argument_specs.yml")
    assert [path for path in specs if "no_log" in path.read_text(encoding="utf-8")] == []
