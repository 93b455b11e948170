# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: which words name a secret that stands beside them. Private to the collection."""

from __future__ import annotations

import functools
import re

# How sure a name is: a value of a sure one is masked without quotes, too, where it stands in a statement.
SURE = 2
LIKELY = 1
NONE = 0

# What is looked for first: without any of it, a text has no name of a secret.
_TRACES = (
    "pass pwd pw secret token credential bearer authorization cookie key accessid sig= signature jwt ://".split()
    + "pgp_ crypt -u --user --proxy-user @".split()
)
_SURE = ("password", "passwd", "passphrase", "pwd")
_LIKELY_IN = ("password", "passwd", "passphrase", "passcode", "secret", "credential", "apikey", "privatekey")
_LIKELY_END = tuple(
    "accesskey accesskeyid accessid accountkey encryptionkey masterkey sharedkey signingkey storagekey "
    "token jwt".split()
)
_SHORT = ("pass", "pw", "psw", "token")
# They say something of passwords, not one.
_HARMLESS = frozenset("passwordencryption passwordhashalgorithm passfile pgpassfile passwordcheck".split())
# These need what comes before them: access.key, secret-key, access_key.id.
_SECOND_PARTS = frozenset(["key", "id", "pass", "pw", "text"])
# Names of a secret in headers, addresses and the like only: SQL has other uses for them.
_OF_HEADERS = frozenset("authorization bearer cookie sig signature".split())
# Their arguments are keys, or what they protect.
_CALLS = frozenset(
    "crypt encrypt decrypt encrypt_iv decrypt_iv hmac pgp_sym_encrypt pgp_sym_decrypt pgp_sym_encrypt_bytea "
    "pgp_sym_decrypt_bytea pgp_pub_decrypt pgp_pub_decrypt_bytea".split()
)
_OF_STATEMENTS = frozenset("create alter role user group mapping insert values".split())
# A longer word is looked at from its end.
LONGEST = 64
_PART_OF_NAME = re.compile(r"[\w.-]*")
MASK = "?"
# Where the text was cut in the middle of user:password.
_OPEN_PAIR = re.compile(r"['\"][\w.-]{1,64}:(?=[^\s'\":=/])")
_LAST_PART = 256


def may_have_one(text: str) -> bool:
    """Whether the text is worth a look; most are not."""
    lower = text.lower()
    return any(trace in lower for trace in _TRACES)


def sureness(text: str, start: int, end: int) -> int:
    """How sure the word of the text from start to end names a secret."""
    word = text[max(start, end - LONGEST) : end].lower()
    found = _sureness(word)
    if found == NONE and word in _SECOND_PARTS and start and text[start - 1] in ".-_":
        return min(LIKELY, _sureness(text[head(text, start) : end].lower()))
    return found


@functools.lru_cache(maxsize=4096)
def says_something(word: str) -> bool:
    """Whether it is to be looked at in its place; most words are not."""
    lower = word.lower()
    return (
        _sureness(lower) > NONE
        or lower in _SECOND_PARTS
        or lower in _OF_HEADERS
        or lower in _CALLS
        or lower in _OF_STATEMENTS
    )


def is_of_headers(word: str) -> bool:
    """Whether it names a secret where headers and addresses are written, be it the last part of a name."""
    return word in _OF_HEADERS


def is_call(word: str) -> bool:
    """Whether a function of this name takes secrets."""
    return word in _CALLS


def head(text: str, start: int) -> int:
    """Where the name begins of which a part begins at start, such as X-Api-Key or --secret-key."""
    before = _PART_OF_NAME.match(text[max(0, start - LONGEST) : start][::-1])
    return start - (before.end() if before else 0)


@functools.lru_cache(maxsize=4096)
def _sureness(word: str) -> int:
    parts = word.rstrip("0123456789").replace("-", "_").replace(".", "_").split("_")
    joined = "".join(parts)
    if joined in _HARMLESS:
        return NONE
    if joined.endswith(_SURE):
        return SURE
    if parts[-1] in _SHORT or joined.endswith(("dbpass", "userpass", "sshpass")):
        return LIKELY
    if joined.endswith(_LIKELY_END) or any(name in joined for name in _LIKELY_IN):
        return LIKELY
    return NONE


def without_open_pair(text: str) -> str:
    """The text without a password that user:password ends with, where it was cut off."""
    last = text[-_LAST_PART:].split(None)[-1:]
    found = _OPEN_PAIR.match(last[0]) if last and text.endswith(last[0]) else None
    return text[: len(text) - len(last[0]) + found.end()] + MASK if found else text
