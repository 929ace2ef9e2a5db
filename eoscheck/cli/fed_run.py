"""`python -m eoscheck.cli.fed_run`: one run whose load another process makes.

Started by `eoscheck.locust`, as its child: Locust patches the standard library for its event loop,
which brokers, proxies and clients that wait in threads must not be put on. It is told what to do by
frames on standard input, and answers on standard output (`eoscheck.run.remote`). When its input
ends before its work does, the process that started it is gone: then it puts everything away.
"""

from __future__ import annotations

import _thread
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

from eoscheck.cli.session import open_session
from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from eoscheck.report.beside import write_all
from eoscheck.report.folders import as_demo
from eoscheck.run.fed import FedLoad, Telling
from eoscheck.run.naming import new_run_id
from eoscheck.run.needs import cluster_needs
from eoscheck.run.remote import (
    Begin,
    Concluded,
    Failed,
    FromRun,
    LoadEnded,
    ToRun,
    decode_to_run,
    encode,
    read_frame,
    write_frame,
)
from eoscheck.run.result import RunResult
from eoscheck.run.runner import plan_faults, run_scenario
from eoscheck.run.scenario import load_scenario


def main() -> int:
    # Whoever prints, prints for the user: only frames go where the other side reads.
    answers = os.fdopen(os.dup(1), "wb")
    words = os.fdopen(os.dup(0), "rb", buffering=0)  # a thread may wait at it when we end
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    say = _speaker(answers)
    try:
        frame = read_frame(words)
        begin = None if frame is None else decode_to_run(frame)
        if not isinstance(begin, Begin):
            raise InfrastructureError("the first frame says what to run: start this by Locust")
        heard: queue.Queue[ToRun] = queue.Queue()
        threading.Thread(target=_listen, args=(words, heard), daemon=True).start()
        concluded = _run(begin, heard=heard, say=say)
    except EoscheckError as error:
        say(Failed(reason=str(error)))
        return 2
    except KeyboardInterrupt:
        say(Failed(reason="the run was given up"))
        return 2
    say(concluded)
    return concluded.exit_code


def _speaker(pipe: IO[bytes]) -> Callable[[FromRun], None]:
    """From any thread. A reader that is gone is noticed where its words should come from."""
    lock = threading.Lock()

    def say(message: FromRun) -> None:
        with lock, suppress(BrokenPipeError):
            write_frame(pipe, encode(message))

    return say


def _listen(pipe: IO[bytes], heard: queue.Queue[ToRun]) -> None:
    while (frame := read_frame(pipe)) is not None:
        heard.put(decode_to_run(frame))
    heard.put(LoadEnded())  # nobody is there to say it
    _thread.interrupt_main()


def _run(begin: Begin, *, heard: queue.Queue[ToRun], say: Callable[[FromRun], None]) -> Concluded:
    load = partial(
        load_scenario,
        begin.scenario,
        base=None if begin.base is None else Path(begin.base),
        guarantee=begin.guarantee,
        overrides=begin.overrides,
    )
    run_id = new_run_id(load().name)
    scenario = load(run_id=run_id)
    seed = scenario.seed if begin.seed is None else begin.seed
    if scenario.load.input_file is not None:
        raise UsageError("load.input_file is for `eoscheck run`: Locust's users make their records")
    plan_faults(scenario, seed=seed)  # refused before a broker is started for it
    folder = Path(begin.reports) / run_id
    with open_session(scenario.cluster, cluster_needs(scenario)) as session:
        result = run_scenario(
            scenario,
            on=session,
            folder=folder,
            run_id=run_id,
            seed=seed,
            repeat=begin.repeat,
            listener=Telling(say),
            feed=FedLoad(title=scenario.title, heard=heard, say=say),
        )
    return _concluded(result, report=write_all(as_demo([result]), folder=folder))


def _concluded(result: RunResult, *, report: Path) -> Concluded:
    audit = result.audit
    return Concluded(
        verdict=result.verdict.value,
        exit_code=result.verdict.exit_code,
        guarantee=result.guarantee.value,
        reasons=result.reasons,
        anomalies={str(code): count for code, count in audit.anomalies.items() if count},
        allowed={str(code): count for code, count in audit.allowed.items() if count},
        audit_s=audit.duration_s,
        report=str(report),
    )


if __name__ == "__main__":
    sys.exit(main())
