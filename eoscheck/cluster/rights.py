"""What we may not see, where Kafka would answer as if it were not there."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from kafka.errors import (
    KafkaError,
    TransactionalIdAuthorizationFailedError,
    TransactionalIdNotFoundError,
)

from eoscheck.cluster.admin_client import open_admin
from eoscheck.errors import InfrastructureError


def sees_every_transaction(client_config: Mapping[str, str], *, timeout_s: float = 10.0) -> bool:
    """Whether ListTransactions hides nothing from us: it leaves out, silently, the transactional
    ids that we may not DESCRIBE (KIP-664), so that "no coordinator knows of it" proves nothing.

    Asks about an id that nobody has: only who may describe all is told that it is not there. To be
    asked only where a transaction stands open: on a cluster that never had one, Kafka would make
    its internal topic for them.
    Raises InfrastructureError where the cluster does not answer.
    """
    admin = open_admin(client_config, timeout_s=timeout_s)
    try:
        admin.describe_transactions([f"eoscheck-{uuid.uuid4()}"])
    except TransactionalIdNotFoundError:
        return True
    except TransactionalIdAuthorizationFailedError:
        return False
    except KafkaError as error:
        raise InfrastructureError(f"the cluster does not tell our rights: {error}") from error
    finally:
        admin.close()
    return True
