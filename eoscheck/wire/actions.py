"""What a rule does to the request that it met."""

from __future__ import annotations

import struct
from dataclasses import replace

import msgspec

from eoscheck.wire.armed import Armed, Held
from eoscheck.wire.asked import Asked
from eoscheck.wire.rules import Firing
from eoscheck.wire.trace import COPY, Exchange
from eoscheck.wire.tunnel import Tunnel

_CORRELATION = struct.Struct(">i")
_CORRELATION_AT = 8
_FIRST_OF_COPIES = -2
"""Clients count from 0 up: a copy's correlation id is none of theirs."""


def act(tunnel: Tunnel, asked: Asked, frame: bytes, out: list[bytes]) -> None:
    """`asked` was met by `asked.armed`; `out`: what goes to the broker before it."""
    assert asked.armed is not None
    assert asked.firing is not None
    armed, firing = asked.armed, asked.firing
    one_way = asked.request.acks == 0
    match firing.rule.action:
        case "crash-before":
            _take(asked)
            tunnel.flush(out)
            tunnel.ask(asked)
            tunnel.state.kill(armed, firing)
        case "crash-after":
            asked.fate = "crash"
            if one_way:
                _take(asked)
            tunnel.forward(asked, frame, out)
            if one_way:
                tunnel.flush(out)
                tunnel.state.kill(armed, firing)
        case "drop-request":
            _take(asked)
            tunnel.stalled = tunnel.stalled or not one_way
            tunnel.settle(asked, "unanswered")
            armed.done(firing)
        case "drop-response":
            asked.fate = "swallow"
            tunnel.stalled = tunnel.stalled or not one_way
            tunnel.forward(asked, frame, out)
        case "delay":
            _delay(tunnel, asked, frame, out)
        case "duplicate":
            _duplicate(tunnel, asked, frame, out)
        case "hold":
            _hold(tunnel, asked, frame, out)
        case "close":
            _take(asked)
            tunnel.flush(out)
            tunnel.ask(asked)
            tunnel.end()
            armed.done(firing)


def _take(asked: Asked) -> tuple[Armed, Firing]:
    """The action is told done here, not when the answer comes."""
    armed, firing = asked.armed, asked.firing
    assert armed is not None
    assert firing is not None
    asked.armed = asked.firing = None
    return armed, firing


def _delay(tunnel: Tunnel, asked: Asked, frame: bytes, out: list[bytes]) -> None:
    armed, firing = _take(asked)
    tunnel.flush(out)
    tunnel.block()

    def go_on() -> None:
        timer.cancel()
        forget()
        if not tunnel.alive:
            return
        late: list[bytes] = []
        tunnel.forward(asked, frame, late)
        tunnel.flush(late)
        armed.done(firing)
        tunnel.resume()

    timer = tunnel.state.loop.later(firing.rule.delay_s, go_on)
    forget = armed.on_let_go(go_on)


def _duplicate(tunnel: Tunnel, asked: Asked, frame: bytes, out: list[bytes]) -> None:
    """On the same connection, right behind it: the second may not overtake the first."""
    armed, firing = _take(asked)
    number = _FIRST_OF_COPIES - tunnel.copies
    tunnel.copies += 1
    copy = replace(
        asked,
        request=msgspec.structs.replace(asked.request, correlation_id=number),
        fate="swallow",
        action=COPY,
        armed=armed,
        firing=firing,
    )
    second = bytearray(frame)
    _CORRELATION.pack_into(second, _CORRELATION_AT, number)
    tunnel.forward(asked, frame, out)
    tunnel.forward(copy, bytes(second), out)


def _hold(tunnel: Tunnel, asked: Asked, frame: bytes, out: list[bytes]) -> None:
    armed, firing = _take(asked)
    tunnel.flush(out)
    held = Held(release=lambda: tunnel.release(asked, frame), drop=tunnel.end)

    def settled(exchange: Exchange) -> None:
        held.settled.set_result(exchange)
        tunnel.end()

    asked.settled = settled
    tunnel.detach(asked)
    armed.keep(held)
    armed.done(firing)
