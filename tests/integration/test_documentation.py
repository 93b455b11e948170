# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the guides on each engine, the statements that they show, and the samples of what is returned."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import ARGUMENT_SPEC
from integration.cluster import Cluster, Scene
from integration.playbook import play, printed_inventory, readme_inventory, run_playbook, succeeded
from integration.test_playbooks import MODULES
from pages import playbooks, statements
from pages.rst import PAGES, Block, blocks, pages

EXAMPLES = [block for page in pages() for block in blocks(page) if block.language == "yaml"]
# Those of the page of statements are recorded, see the last test.
GRANTS = [b for page in pages() for b in blocks(page) if b.language == "sql" and b.page != "statements.rst"]
_OF_POLICIES = "gp_remediation_policies"


def read(block: Block) -> t.Any:
    return yaml.safe_load(block.text)


def playbook_pages() -> dict[str, list[t.Any]]:
    """The plays of each page that has any."""
    found: dict[str, list[t.Any]] = {}
    for block in EXAMPLES:
        content = read(block)
        if isinstance(content, list):
            found.setdefault(block.page, []).extend(content)
    return found


def inventory_of(page: str, cluster: Cluster) -> dict[str, t.Any]:
    """The inventory that is printed on the page; README's, where it has none."""
    printed = [block for block in variables_of("all") if block.page == page]
    return printed_inventory(read(printed[0]), cluster) if printed else readme_inventory(cluster)


def variables_of(key: str) -> list[Block]:
    return [block for block in EXAMPLES if isinstance(read(block), dict) and key in read(block)]


def test_each_example_is_of_a_kind_that_is_run() -> None:
    kinds = [read(block) for block in EXAMPLES]
    known = [isinstance(content, list) or {"all", _OF_POLICIES} & set(content) for content in kinds]
    assert all(known)


@pytest.mark.parametrize("page", playbook_pages())
def test_playbooks_of_a_page(page: str, cluster: Cluster, scene: Scene, tmp_path: Path) -> None:
    """As printed, with the inventory of the page and nothing else."""
    scene.keep_default_group()
    names = {name for content in playbook_pages()[page] for name in [content.get("ansible.builtin.import_playbook")]}
    assert {name.rpartition(".")[2] for name in names if name} <= set(playbooks.names())
    inventory = inventory_of(page, cluster)
    # A bastion is none of ours.
    hosts = inventory["all"]["hosts"].items()
    near = [name for name, host in hosts if (host or {}).get("ansible_connection") != "ssh"]
    succeeded(run_playbook(playbook_pages()[page], inventory, tmp_path, "--limit", ",".join(near)))


@pytest.mark.parametrize("block", variables_of(_OF_POLICIES), ids=str)
def test_policies_of_a_page(block: Block, cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "policies.yml"
    file.write_text(block.text, encoding="utf-8")
    succeeded(play("gpops.toolkit.remediate", cluster, tmp_path, "-e", f"@{file}"))


@pytest.mark.parametrize("block", variables_of("all"), ids=str)
def test_inventories_of_a_page(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "inventory.yml"
    file.write_text(block.text, encoding="utf-8")
    inventory = InventoryManager(loader=DataLoader(), sources=[str(file)])
    for host in inventory.get_hosts():
        connection = host.vars.get("gp_connection") or inventory.groups["all"].vars["gp_connection"]
        assert set(connection) <= set(ARGUMENT_SPEC)


@pytest.mark.parametrize("block", GRANTS, ids=str)
def test_statements_of_guides(block: Block, cluster: Cluster, scene: Scene) -> None:
    if cluster.family == "gp6" and "pg_monitor" in block.text:
        pytest.skip("Greenplum 6 has no such roles, as the page says")
    scene.sql(f"BEGIN; {block.text} ROLLBACK")


def test_the_statements_are_those_that_are_sent(cluster: Cluster, scene: Scene) -> None:
    if not cluster.embedded:
        pytest.skip("the page is recorded on embedded engines")
    written = (PAGES / "statements.rst").read_text(encoding="utf-8")
    assert statements.section(cluster, scene) in written, 'run "make pages"'


def test_the_action_group_hands_the_connection_to_every_module(cluster: Cluster, tmp_path: Path) -> None:
    # As the guide says; a module that did not get it would go to the local socket, where nobody listens.
    options: dict[str, dict[str, t.Any]] = {
        "gp_admission": {"roles": [{"name": cluster.other, "login": True}]},
        "gp_backend": {"state": "terminated", "users": ["nobody"]},
        "gp_file": {"dest": str(tmp_path / "files"), "name": "it.txt", "content": "lunch"},
        "gp_policy": {"policies": []},
        "gp_process_info": {},
        "gp_report": {"dest": str(tmp_path / "reports"), "name": "it"},
        "gp_resource_group": {"name": "default_group"},
        "gp_resource_group_info": {},
    }
    assert list(options) == MODULES
    plays = {
        "hosts": "gp",
        "gather_facts": False,
        "environment": {"PGPORT": "1", "PGHOST": "/nowhere", "PGUSER": "nobody"},
        "module_defaults": {"group/gpops.toolkit.gp": "{{ gp_connection }}"},
        "tasks": [{f"gpops.toolkit.{module}": options[module]} for module in MODULES],
    }
    assert f"ok={len(MODULES)} " in succeeded(play([plays], cluster, tmp_path, "--check"))
