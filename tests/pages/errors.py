# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts that the code can say, with … in place of what differs."""

from __future__ import annotations

import ast
import typing as t

from pages.rst import ROOT

_GAP = "…"


def said() -> list[str]:
    """All texts of the code that runs, longer than a word."""
    found: list[str] = []
    for path in sorted((ROOT / "plugins").glob("*_utils/*.py")):
        found += filter(None, map(_text, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
    # An error of an option is said as "option: problem".
    return found


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or _GAP for part in node.values)
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "OptionError" and len(node.args) > 1:
        return ": ".join(_text(part) or _GAP for part in node.args[:2])
    return None


def is_said(quoted: str, texts: t.Sequence[str]) -> bool:
    """Whether one of the texts contains what is quoted; a … stands for anything on one line in both."""
    pieces = [piece for piece in quoted.split(_GAP) if piece.strip()]
    return any(_in_order(pieces, text) for text in texts)


def _in_order(pieces: t.Sequence[str], text: str) -> bool:
    at = 0
    for piece in pieces:
        at = text.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True
