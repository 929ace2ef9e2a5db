"""A trace as text: the steps of each instance, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from confluent_kafka import KafkaError
from rich.text import Text

from eoscheck.run.trace import Traced
from eoscheck.wire import Request

_QUIET = frozenset({"ApiVersions", "Metadata"})


def trace_lines(trace: Sequence[Traced]) -> Iterator[Text]:
    """Instance by instance, each by time."""
    for instance in sorted({each.instance for each in trace}):
        yield Text(f"instance {instance}", style="bold")
        yield from (_line(each) for each in trace if each.instance == instance)


def _line(each: Traced) -> Text:
    """`  11.219  broker 1  EndTxn(commit)  1.9 ms  payments-0 0/3  crash-after`."""
    line = Text(f"{each.sent:9.3f}  ", style="dim" if each.request.api in _QUIET else "")
    line.append(f"broker {each.broker}  {', '.join(each.steps):<32} ")
    line.append(f"{became(each):<24}", style="yellow" if each.error or _lost(each) else "")
    line.append(f" {who(each.request)}", style="dim")
    if each.times > 1:
        line.append(f"  × {each.times} until {each.last or each.sent:.3f}", style="dim")
    if each.action is not None:
        line.append(f"  ← {each.action}", style="bold red")
    line.rstrip()
    return line


def became(each: Traced) -> str:
    """What came of it: how long the answer took, and the error in it."""
    if each.outcome == "one-way":
        return "no answer wanted"
    if each.answered is None:
        return "no answer"
    took = f"{(each.answered - each.sent) * 1000:.1f} ms"
    return f"{took} {error_name(each.error)}" if each.error else took


def error_name(code: int) -> str:
    """Kafka's, as in `NOT_COORDINATOR`."""
    return KafkaError(code).name()


def who(request: Request) -> str:
    """In whose name: the transactional id with producer id and epoch, or the group's member."""
    said = []
    if request.transactional_id is not None:
        said.append(request.transactional_id)
    if request.producer_id is not None and request.producer_id >= 0:
        said.append(f"producer {request.producer_id}/{request.producer_epoch}")
    if request.group is not None and request.transactional_id is None:
        said.append(request.group)
    if request.generation is not None and request.generation >= 0:
        said.append(f"generation {request.generation}")
    return " ".join(said)


def _lost(each: Traced) -> bool:
    return each.outcome == "unanswered"
