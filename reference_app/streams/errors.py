"""What can go wrong, by what has to be done about it.

Two kinds never leave the runtime: `TransactionAborted` (roll back and go on) and `SessionLost`
(close dirty, discard the clients, rejoin). The others end the process: one line, one exit code.
"""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

# The client's own codes have names with an underscore.
PARTITION_EOF: int = KafkaError._PARTITION_EOF  # noqa: SLF001
NO_LEADER: int = KafkaError._NOENT  # noqa: SLF001 - of a partition, asked for by the admin client
MAX_POLL_EXCEEDED: int = KafkaError._MAX_POLL_EXCEEDED  # noqa: SLF001
_FENCED = frozenset(
    {
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError._FENCED,  # noqa: SLF001
        KafkaError._FATAL,  # noqa: SLF001 - what a fenced static member is told from then on
    }
)
_PASSING = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)


class TransactionAborted(Exception):  # noqa: N818 - an outcome, not a programming error
    """The open transaction must be, or has been, aborted: drop the overlay, seek back, go on."""


class SessionLost(Exception):  # noqa: N818 - Kafka Streams: TaskMigratedException
    """This session no longer owns its work, or cannot know whether its commit happened.

    Nothing of it may be committed or aborted any more: its clients are discarded, and a new session
    reads the committed offsets and the changelogs back.
    """


class Stopped(Exception):  # noqa: N818 - a signal came
    """A wait ended because the process is to stop."""


class StreamsError(Exception):
    """Ends the process with one line on stderr and `exit_code`."""

    exit_code = 2


class ConfigurationError(StreamsError):
    """Options, topics or permissions have to be put right by the user."""


class BrokerUnavailableError(StreamsError):
    """No broker answered within `default_api_timeout_ms`."""


class ProcessingError(StreamsError):
    """A record could not be processed: nothing of the open transaction was committed."""

    exit_code = 1


class StateError(StreamsError):
    """A state directory cannot be read or written: no record is to blame for it."""


class FencedError(StreamsError):
    """Another process claims this one's identity, again and again."""

    exit_code = 3


class DirtyCloseError(StreamsError):
    """Stopped, but the last commit failed or took too long: a restart goes on from the one before.

    Nothing is lost by it.
    """

    exit_code = 4


class StuckError(StreamsError):
    """A call of the client does not come back, long past its time-out."""

    exit_code = 5


def kafka_error(error: BaseException) -> KafkaError | None:
    """The client's error inside an exception, if it is one of the client's."""
    if isinstance(error, KafkaException) and error.args and isinstance(error.args[0], KafkaError):
        return error.args[0]
    return None


def is_passing(error: KafkaError) -> bool:
    """True where a request may simply be made again: the broker, or its coordinator, is not there
    now. Requests of the admin client do not mark all of these as retriable."""
    return error.retriable() or error.code() in _PASSING


def consumer_failure(error: KafkaError, where: str) -> StreamsError | SessionLost:
    """What to raise for an error that a consumer reports and that does not pass by itself."""
    if error.code() in _FENCED:
        return FencedError(
            f"{where}: another process joined with this --group-instance-id, give each its own "
            f"({error.str()})"
        )
    return SessionLost(f"{where}: {error.str()}")


def is_retriable(error: BaseException) -> bool:
    """True where the same call may be made again (librdkafka: `rd_kafka_error_is_retriable`)."""
    cause = kafka_error(error)
    return cause is not None and cause.retriable()


def requires_abort(error: BaseException) -> bool:
    cause = kafka_error(error)
    return cause is not None and cause.txn_requires_abort() and not cause.fatal()


def reason(error: BaseException) -> str:
    """The error in one line, without the client's wrapping."""
    cause = kafka_error(error)
    return f"{cause.name()}: {cause.str()}" if cause is not None else str(error)
