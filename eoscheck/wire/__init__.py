"""A proxy that reads Kafka's protocol: sees each step of each instance, and acts just there."""

from eoscheck.wire.request import Request
from eoscheck.wire.rules import Firing, Rule, WireAction
from eoscheck.wire.steps import Step, TopicRoles
from eoscheck.wire.trace import Exchange
from eoscheck.wire.wire import Armed, Wire

__all__ = [
    "Armed",
    "Exchange",
    "Firing",
    "Request",
    "Rule",
    "Step",
    "TopicRoles",
    "Wire",
    "WireAction",
]
