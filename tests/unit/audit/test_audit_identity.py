"""Identity expressions: what they find, what they do not fit, and how a bad one is refused."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eoscheck.audit.identity import canonical, needs, parse, parts_of, reads_headers
from eoscheck.errors import UsageError


@pytest.mark.parametrize(
    ("expression", "key", "value", "found"),
    [
        ("key", b"p-1", None, "p-1"),
        ("key", b"17", None, 17),
        ("key", b"-17", None, -17),
        ("key", b"007", None, "007"),
        ("key", b"-0", None, "-0"),
        ("key", b"+1", None, "+1"),
        ("key", "٣".encode(), None, "٣"),
        ("key", b"", None, ""),
        ("key", b"\xff\x00", None, "0xff00"),
        ("key", None, b"v", None),
        ("value", None, b"v", "v"),
        ("value", b"k", None, None),
        ("json:/id", None, b'{"id": "17"}', 17),
        ("json:/id", None, b'{"x": {"id": 2}, "id": 1}', 1),
        ("json:/a/b", None, b'{"a": {"b": "x"}}', "x"),
        ("json:/a~1b/c~0d", None, b'{"a/b": {"c~d": 5}}', 5),
        ("json:/items/1", None, b'{"items": [7, 8]}', 8),
        ("json:/items/1", None, b'{"items": {"1": "x"}}', "x"),
        ("json:", None, b'"whole"', "whole"),
        ("json:/", None, b'{"": 3}', 3),
        (
            "json:/id",
            None,
            b'{"id": 123456789012345678901234567890}',
            123456789012345678901234567890,
        ),
        ("json:/id", None, b'{"id": 1.5}', None),
        ("json:/id", None, b'{"id": true}', None),
        ("json:/id", None, b'{"id": null}', None),
        ("json:/id", None, b'{"id": [1]}', None),
        ("json:/id", None, b"[1]", None),
        ("json:/id", None, b"{", None),
        ("json:/id", None, b"\xff", None),
        ("json:/id", None, None, None),
        ("json:/items/7", None, b'{"items": [7, 8]}', None),
        ("json:/items/1", None, b'{"items": "text"}', None),
        ("json:/0/-1", None, b"[[7, 8]]", None),
        ("json:/0/00", None, b"[[7, 8]]", None),
        ("json:/items/1", None, None, None),
    ],
)
def test_an_expression_finds_the_identity_or_nothing(
    expression: str, key: bytes | None, value: bytes | None, found: object
) -> None:
    identity = parse(expression)(key, value, None)
    assert identity == found
    assert type(identity) is type(found)


def test_of_headers_with_one_name_the_last_counts_as_in_kafka_itself() -> None:
    identify = parse("header:id")
    assert identify(None, None, [("id", b"1"), ("other", b"9"), ("id", b"2")]) == 2
    assert identify(None, None, [("other", b"9")]) is None
    assert identify(None, None, [("id", None)]) is None
    assert identify(None, None, None) is None


def test_a_function_of_the_user_s_own_is_called_and_its_errors_mean_no_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_audit_ids.py").write_text(
        "def both(key, value, headers):\n    return key.decode() + '-' + value.decode()\n"
        "def broken(key, value, headers):\n    raise RuntimeError('no')\n"
        "def strange(key, value, headers):\n    return 1.5\n"
        "def half(key, value, headers):\n    return '\\ud800'\n"
    )
    monkeypatch.chdir(tmp_path)
    assert parse("python:my_audit_ids:both")(b"a", b"1", None) == "a-1"
    for name in ("broken", "strange", "half"):
        assert parse(f"python:my_audit_ids:{name}")(b"a", b"1", None) is None
    with pytest.raises(UsageError, match="did you mean 'both'"):
        parse("python:my_audit_ids:bot")


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("keys", "did you mean 'key'"),
        ("key:id", "did you mean 'key'"),
        ("headers:x", "did you mean 'header:x'"),
        ("header:", "did you mean 'header:NAME'"),
        ("json", "did you mean 'json:/pointer'"),
        ("jsn:/a", "did you mean 'json:/a'"),
        ("json:a.b", "did you mean 'json:/a/b'"),
        ("json:/a~2", "~ is written ~0"),
        ("$.a.b", "did you mean 'json:/a/b'"),
        ("/a/b", "did you mean 'json:/a/b'"),
        ("payment_id", "header:NAME, json:/pointer, msgpack:/pointer"),
        ("", "key, value, header:NAME"),
        ("key+vaule", "'vaule' is no part of one (did you mean 'value'?)"),
        ("key+", "'' is no part of one: it is key"),
        ("header:a+jsn:/b", "'jsn:/b' is no part of one (did you mean 'json:/b'?)"),
        ("json:/a+headers:b", "(did you mean 'header:b'?)"),
        ("json:/a+msgpack:b.c", "(did you mean 'msgpack:/b/c'?)"),
        ("key+json:/a~2", "~ is written ~0"),
        ("msgpack", "did you mean 'msgpack:/pointer'"),
        ("msgpck:/a", "did you mean 'msgpack:/a'"),
        ("python:json", "python:module:function"),
        ("python:no_such_module_here:f", "cannot import no_such_module_here"),
        ("python:json:lods", "did you mean 'loads'"),
    ],
)
def test_a_bad_expression_is_refused_with_the_nearest_right_one(
    expression: str, words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        parse(expression)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("pointer", "document", "found"),
    [
        ("/id", {"id": 17}, 17),
        ("/id", {"id": "17"}, 17),
        ("/id", {"x": {"id": 2}, "id": "a"}, "a"),
        ("/a/b", {"a": {"b": -3}}, -3),
        ("/items/1", {"items": [7, 8]}, 8),
        ("/items/1", {"items": {"1": "x"}}, "x"),
        ("", "whole", "whole"),
        ("/id", {"id": 2**64 - 1}, 2**64 - 1),
        ("/id", {"id": 5, 2: 3}, 5),
        ("/a~1b", {"a/b": 1}, 1),
        ("/id", {"id": 1.0}, None),
        ("/id", {"id": True}, None),
        ("/id", {"id": None}, None),
        ("/id", {"id": b"x"}, None),
        ("/id", {"no": 1}, None),
        ("/id", [1], None),
    ],
)
def test_messagepack_is_walked_as_json_is(pointer: str, document: Any, found: object) -> None:
    identify = parse(f"msgpack:{pointer}")
    identity = identify(None, msgspec.msgpack.encode(document), None)
    assert identity == found
    assert type(identity) is type(found)


@pytest.mark.parametrize("expression", ["msgpack:/id", "msgpack:/items/1", "json:/id", "json:/0"])
@pytest.mark.parametrize(
    "value",
    [None, b"", b"\xc1", b"\xa2\xff\xfe", b"\x81\xa2id", b"\x81\xa2id\x01\x01"]
    + [nest * 100_000 for nest in (b"\x91", b"[", b'{"x":', b"\x81\xa1x")]
    + [b"\x82\xa1x" + b"\x91" * 100_000],
)
def test_bytes_that_are_no_document_fit_nothing_however_deep_they_go(
    expression: str, value: bytes | None
) -> None:
    assert parse(expression)(None, value, None) is None


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("header:source+json:/seq", "shop+17"),
        ("key+value", r'k+{"seq":17,"a\+b":"x"}'),
        ("key+json:/seq+header:source", "k+17+shop"),
        ("json:/a+b", "x"),  # the name holds it: no form begins after this +
        ("key+json:/a+b", "k+x"),
        ("json:/seq+json:/seq", "17+17"),
        ("header:source+json:/missing", None),
        ("header:none+json:/seq", None),
        ("header:empty+key", "+k"),
        ("header:odd+key", r"a\+b\\c+k"),
    ],
)
def test_parts_are_joined_as_text_and_none_may_be_missing(
    expression: str, found: str | None
) -> None:
    headers = [("source", b"shop"), ("empty", b""), ("odd", rb"a+b\c")]
    assert parse(expression)(b"k", b'{"seq":17,"a+b":"x"}', headers) == found


TEXTS = st.text("a+\\1", max_size=4)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_different_parts_never_make_the_same_identity(a: str, b: str, c: str, d: str) -> None:
    identify = parse("key+value")
    same = identify(a.encode(), b.encode(), None) == identify(c.encode(), d.encode(), None)
    assert same == ((canonical(a), canonical(b)) == (canonical(c), canonical(d)))
    assert isinstance(identify(a.encode(), b.encode(), None), str)
    assert canonical(f"{a}+{b}") == f"{a}+{b}"


def test_an_expression_says_what_it_needs_of_a_record() -> None:
    assert needs("key") == {"key"}
    assert needs("msgpack:/a") == {"value"}
    assert needs("header:a+json:/b") == {"headers", "value"}
    assert needs("python:json:loads") == {"key", "value", "headers"}
    assert parts_of("header:a+json:/b+c+key") == ("header:a", "json:/b+c", "key")
    for left, right in product(["key", "value", "json:/a", "header:x"], repeat=2):
        assert reads_headers(f"{left}+{right}") == (left[0] == "h" or right[0] == "h")


def test_text_and_number_of_one_integer_are_one_identity() -> None:
    assert canonical("12") == canonical(12) == 12
    assert canonical("012") == "012"
    assert canonical("1234567890123456789") == "1234567890123456789"  # may not fit in 64 bits


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab/~0", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.thorough
@settings(max_examples=300)
@given(document=json_values, steps=st.lists(st.text("ab/~0", max_size=2), max_size=3))
def test_a_pointer_finds_what_a_walk_through_the_document_finds(
    document: Any, steps: list[str]
) -> None:
    escaped = [step.replace("~", "~0").replace("/", "~1") for step in steps]
    identify = parse("json:" + "".join(f"/{step}" for step in escaped))
    found: Any = document
    for step in steps:
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step == "0" and found:
            found = found[0]
        else:
            found = None
    fits = isinstance(found, str) or (isinstance(found, int) and not isinstance(found, bool))
    expected = canonical(found) if fits else None
    assert identify(None, json.dumps(document).encode(), None) == expected
