"""Requests and answers as clients and brokers write them: by kafka-python's codec."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

FUZZ = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""On a machine that others use, slow says nothing."""


def encoded(message: Any, *, version: int, correlation_id: int = 7, client_id: str = "me") -> bytes:
    """A frame with its size."""
    message.API_VERSION = version
    if message.is_request():
        message.with_header(correlation_id=correlation_id, client_id=client_id)
    else:
        message.with_header(correlation_id=correlation_id)
    return bytes(message.encode(header=True, framed=True))
