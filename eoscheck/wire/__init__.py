"""A proxy that reads Kafka's protocol: sees each step of each instance, and acts just there."""

from eoscheck.wire.armed import Armed
from eoscheck.wire.request import Request
from eoscheck.wire.rules import Behind, Firing, Rule, WireAction
from eoscheck.wire.steps import Step, TopicRoles
from eoscheck.wire.trace import Exchange
from eoscheck.wire.wire import Wire

__all__ = [
    "Armed",
    "Behind",
    "Exchange",
    "Firing",
    "Request",
    "Rule",
    "Step",
    "TopicRoles",
    "Wire",
    "WireAction",
]
