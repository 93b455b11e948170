# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What no linter holds together."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.gpops.toolkit.plugins.module_utils import _resource_group

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_action_group_lists_every_module() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    assert runtime["action_groups"]["gp"] == modules


def test_the_role_declares_groups_with_the_options_of_the_module() -> None:
    role = ROOT / "roles" / "gp_resource_groups"
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    module = _resource_group.ARGUMENT_SPEC
    entry = {name: spec["type"] for name, spec in module["groups"]["options"].items()}
    assert {name: spec["type"] for name, spec in options["gp_resource_groups_desired"]["options"].items()} == entry
    own = {name: spec for name, spec in module.items() if name not in {*entry, "groups"}}
    settings = {
        name: {key: spec[key] for key in ("type", "default") if key in spec}
        for name, spec in options.items()
        if name not in {"gp_connection", "gp_resource_groups_desired"}
    }
    assert settings == {f"gp_resource_groups_{name}": spec for name, spec in own.items()}
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert defaults == {name: spec["default"] for name, spec in settings.items() if "default" in spec}
