"""The grammar of `{name}`."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.errors import UsageError
from eoscheck.placeholders import Placeholder, fill, parse

VALUES = {"instance": 3, "state_dir": "/tmp/s"}


def test_placeholders_are_filled_wherever_they_stand() -> None:
    assert fill("--dir={state_dir}/{instance}", VALUES, what="x") == "--dir=/tmp/s/3"


def test_a_doubled_brace_is_a_literal_name() -> None:
    assert fill("{{instance}} {instance}", VALUES, what="x") == "{instance} 3"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"b": 1}}',
        '{"a":{"b":[{}]}}',
        "${HOME}/${lower}",
        "{0}{}",
        "{ instance }",
        "^[a-z]{3,5}$",
        "}{",
        "{{ .Names }}",
    ],
)
def test_braces_that_are_no_name_stay_as_they_are(text: str) -> None:
    assert fill(text, VALUES, what="x") == text


def test_an_unknown_name_is_refused_with_the_nearest_one_and_the_way_out() -> None:
    with pytest.raises(UsageError) as caught:
        fill("{instanse}", VALUES, what="subject.command")
    message = str(caught.value)
    assert message.startswith("subject.command: unknown placeholder {instanse}")
    assert "did you mean 'instance'" in message
    assert "{{instanse}}" in message
    assert "\n" not in message


def test_the_way_out_that_the_error_names_works() -> None:
    assert fill("{{instanse}}", VALUES, what="x") == "{instanse}"


@given(st.lists(st.sampled_from(["{instance}", "{{x}}", "{", "}", "$", '"', "a", " "])))
def test_literals_and_placeholders_alternate_and_lose_nothing(words: list[str]) -> None:
    text = "".join(words)
    try:
        pieces = parse(text, known=VALUES, what="x")
    except UsageError:
        return  # pieces happened to form another name
    rebuilt = "".join("{instance}" if isinstance(each, Placeholder) else each for each in pieces)
    assert rebuilt == text.replace("{{instance}}", "{instance}").replace("{{x}}", "{x}")
    assert not any(isinstance(a, str) and isinstance(b, str) for a, b in pairwise(pieces))
