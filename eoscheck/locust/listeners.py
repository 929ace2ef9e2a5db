"""Ties generators, the director and the web page to each Locust that is started."""

from __future__ import annotations

from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from eoscheck.locust.director import Director
from eoscheck.locust.generator import Generator
from eoscheck.locust.options import add_options
from eoscheck.locust.user import serve
from eoscheck.locust.web import show_on


def _on_init(environment: Environment, **_: Any) -> None:
    if environment.runner is None:
        return
    if not isinstance(environment.runner, WorkerRunner):
        director = Director(environment)
        if environment.web_ui is not None:
            show_on(environment.web_ui, director)
    if not isinstance(environment.runner, MasterRunner):
        serve(environment, Generator(environment))


def register() -> None:
    events.init_command_line_parser.add_listener(add_options)
    events.init.add_listener(_on_init)
