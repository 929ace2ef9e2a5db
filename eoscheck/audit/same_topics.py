"""Topics that somebody deletes and creates again while they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from eoscheck.cluster.view import ClusterView
from eoscheck.errors import EoscheckError, InfrastructureError, UsageError


@contextmanager
def same_topics(view: ClusterView, topics: Iterable[str]) -> Iterator[None]:
    """What is read within the block is of the topics that had these names at its begin.

    Raises UsageError for a topic that is not there at the begin, InfrastructureError at the end
    where one is another by then: its offsets begin anew, and readers go on with them unsuspecting.
    """
    before = {topic: view.topic_id(topic) for topic in topics}
    try:
        yield
    except EoscheckError:
        _check(view, before)  # it explains whatever else went wrong
        raise
    _check(view, before)


def _check(view: ClusterView, before: Mapping[str, str]) -> None:
    for topic, topic_id in before.items():
        try:
            same = view.topic_id(topic) == topic_id
        except UsageError:
            raise InfrastructureError(f"topic {topic!r} was deleted while it was read") from None
        if not same:
            raise InfrastructureError(
                f"topic {topic!r} was deleted and created again while it was read: audit again"
            )
