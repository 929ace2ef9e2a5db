"""What a team that has never seen the project does first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tutorial import build_wheel, follow, require_followed


@pytest.mark.timeout(900)
def test_the_tutorial_to_the_letter_is_red_on_the_wrong_loop_and_green_on_the_right_one(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The built wheel in a fresh environment; its files and commands are the page's own."""
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    require_followed(follow(tmp_path, wheel=wheel))
