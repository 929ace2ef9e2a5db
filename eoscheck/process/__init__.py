"""Child processes that never outlive us, and what they printed."""

from eoscheck.process.children import Child, Supervisor
from eoscheck.process.output import tail

__all__ = ["Child", "Supervisor", "tail"]
