# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report on a situation that really exists, opened in a real browser."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest
from integration.cluster import Cluster, Scene
from integration.playbook import play, succeeded
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
HOSTILE = [
    "<script>document.title = 'hit'</script>",
    '"><img src=x onerror="document.title = \'hit\'">',
    "{{ 7*7 }}",
    "\x1b[31mred",
    "\u202egnp.exe",
]
SHOWN = [*HOSTILE[:3], "\u241b[31mred", "\u27e8U+202E\u27e9gnp.exe"]
SECRET = "gpops-it-canary"
PHONE, DESKTOP = (390, 844), (1280, 900)
# The lowest contrast of a text with what is behind it, as WCAG counts.
CONTRAST = """() => {
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const color = numbers(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    throw new Error("nothing is behind it");
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let least = 21;
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    const [a, b] = [numbers(getComputedStyle(element).color), behind(element)].map(light).sort((x, y) => y - x);
    least = Math.min(least, (a + 0.05) / (b + 0.05));
  }
  return least;
}"""


@pytest.fixture(scope="session")
def browser() -> t.Iterator[Browser]:
    """The Chromium that .ci/chromium finds."""
    looked = subprocess.run([str(ROOT / ".ci" / "chromium"), "--find"], capture_output=True, text=True, check=False)
    if looked.returncode:
        pytest.skip(looked.stderr.strip())
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=looked.stdout.strip(), args=["--no-sandbox"])
        yield launched
        launched.close()


class Report(t.NamedTuple):
    """What the playbook left."""

    document: dict[str, t.Any]
    page: Path
    holder: int


@pytest.fixture(scope="module")
def report(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report on a situation that was real when it was written, in check mode."""
    with Scene(cluster) as scene:
        return written(cluster, scene, tmp_path_factory.mktemp("report"))


def written(cluster: Cluster, scene: Scene, tmp_path: Path) -> Report:
    """A lock jam, a full group and hostile queries, and the report on them."""
    table = scene.table()
    holder = scene.client(cluster.other, name="notebook").run("BEGIN", f"SELECT * FROM {table}")
    migration = scene.client(cluster.admin, name="migration").start(f"ALTER TABLE {table} ADD COLUMN b int")
    scene.waiting(migration)
    for number in range(3):
        scene.waiting(scene.client(cluster.other, name="web").start(f"SELECT {number}, * FROM {table}"))
    group = scene.group(cluster.user)
    scene.client(cluster.user, name="airflow").run("BEGIN", "SELECT 'loading'")
    scene.waiting(scene.client(cluster.user, name="airflow").start("SELECT 'next step'"))
    for text in HOSTILE:
        scene.client(cluster.other, name=text[:40].replace("\x1b", "?")).run("BEGIN", f"SELECT $${text}$$")
    found = {"processes": "{{ sessions }}", "groups": "{{ resource_groups }}"}
    tasks = [
        {"gpops.toolkit.gp_process_info": {"sort_by": "transaction_age"}, "register": "sessions"},
        {"gpops.toolkit.gp_resource_group_info": {"status": True, "names": [group]}, "register": "resource_groups"},
        {
            "gpops.toolkit.gp_backend": {"state": "terminated", "pids": [holder.pid]},
            "register": "ended",
        },
        {
            "gpops.toolkit.gp_report": {
                **found,
                "dest": str(tmp_path / "reports"),
                "name": "triage",
                "runbook": "triage",
                "cluster": "gp",
                "mode": "enforce",
                "remediation": "{{ ended }}",
                "login_password": SECRET,
                "connect_params": {"password": SECRET},
                "details": {"invocation": {"module_args": {"x": SECRET}}, "nested": [{"api_token": SECRET}]},
            },
            "register": "report",
        },
        {"ansible.builtin.assert": {"that": ["report is not changed", "report.findings | length > 1"]}},
    ]
    defaults = {"group/gpops.toolkit.gp": "{{ gp_connection }}"}
    plays = [{"hosts": "gp", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}]
    succeeded(play(plays, cluster, tmp_path, "--check"))
    document = json.loads((tmp_path / "reports" / "triage.json").read_text(encoding="ascii"))
    return Report(document, tmp_path / "reports" / "triage.html", holder.pid)


def opened(browser: Browser, report: Report, size: tuple[int, int], scheme: t.Literal["light", "dark"]) -> Page:
    """The page, with all in it unfolded; that it asks for nothing and complains of nothing is checked."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report.page.as_uri(), wait_until="networkidle")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert asked == [report.page.as_uri()]
    assert complaints == []
    return page


def test_the_report_says_what_goes_on(cluster: Cluster, report: Report, browser: Browser) -> None:
    texts = " ".join(finding["text"] for finding in report.document["findings"])
    assert f"The root is process {report.holder} ({cluster.other}, idle in transaction" in texts
    assert ", which holds up 4, 1 of them directly" in texts
    assert "is full: 1 of 1 run, 1 waits. 1 of those that run is idle in transaction." in texts
    assert "What would become of those chosen; nothing was sent: 1 would be terminated." in texts
    assert report.document["check_mode"] is True
    assert "check mode, nothing is sent" in opened(browser, report, DESKTOP, "light").inner_text("header")


def test_no_secret_is_in_it(report: Report) -> None:
    texts = [report.page.read_text(encoding="utf-8"), json.dumps(report.document)]
    assert [text.count(SECRET) for text in texts] == [0, 0]
    assert "invocation" not in texts[1]
    assert report.document["details"] == {"nested": [{}]}


def test_hostile_queries_are_text(report: Report, browser: Browser) -> None:
    page = opened(browser, report, DESKTOP, "light")
    text = page.inner_text("main")
    assert [shown for shown in SHOWN if f"SELECT $${shown}$$" not in text] == []
    assert page.title() == "triage: gp"
    assert page.locator("script, img, svg, iframe").count() == 0
    assert "49" not in page.title()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_it_fits_and_can_be_read(
    size: tuple[int, int], scheme: t.Literal["light", "dark"], report: Report, browser: Browser
) -> None:
    page = opened(browser, report, size, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    rows = page.evaluate("[...document.querySelectorAll('.bars tr')].map(row => row.offsetHeight)")
    assert max(rows) < 80
    assert page.evaluate(CONTRAST) >= 4.5
    background = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(background) < 60) if scheme == "dark" else (min(background) > 200)


def test_the_tree_is_a_nested_list(report: Report, browser: Browser) -> None:
    tree = opened(browser, report, PHONE, "light").locator("ul.tree > li", has_text=str(report.holder)).first
    assert tree.locator("> .who").inner_text().split()[:2] == ["root", str(report.holder)]
    assert tree.locator("> ul > li").count() == 1
    assert tree.locator("> ul > li > ul > li").count() == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a"}, "missing required arguments: dest"),
        ({"dest": "d", "name": "a", "tile": "x"}, "tile. Supported parameters include:"),
        ({"dest": "d", "name": "../a"}, "name: it is the name of a file without its suffix; it may neither"),
        ({"dest": "/dev/null", "name": "a"}, "dest: the folder /dev/null cannot be opened or made: Not a directory"),
        ({"dest": "d", "name": "a", "mode": "act"}, "value of mode must be one of: report, enforce, got: act"),
        ({"dest": "d", "name": "a", "processes": [1]}, "argument 'processes' is of type"),
        ({"dest": "d", "name": "a", "groups": "{{ groups }}"}, "groups: it is no result of gp_resource_group_info"),
    ],
)
def test_bad_options(options: dict[str, t.Any], message: str, cluster: Cluster, tmp_path: Path) -> None:
    tasks = [{"gpops.toolkit.gp_report": options}]
    done = play([{"hosts": "gp", "gather_facts": False, "tasks": tasks}], cluster, tmp_path)
    assert done.returncode != 0
    assert message in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(tmp_path.rglob("a.*"))
