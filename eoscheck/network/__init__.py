"""Proxies between the subject, the brokers and each other: where network faults are put."""

from eoscheck.network.links import Link
from eoscheck.network.network import Disturbance, Network, Toxic, start_network

__all__ = ["Disturbance", "Link", "Network", "Toxic", "start_network"]
