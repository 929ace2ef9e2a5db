"""What verdicts and codes mean, for somebody who sees the report and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from eoscheck.audit.findings import AuditReport, Code, Finding, Verdict
from eoscheck.measure.figures import CostFigure, Distribution
from eoscheck.report import numbers
from eoscheck.run.result import DemoResult, RunResult

MEANING = {
    Code.DUPLICATE: "one input came out more often than it should",
    Code.LOST: "an input that counts as processed never came out",
    Code.GAP: "a number is missing from a source's sequence",
    Code.PHANTOM: "something came out that never went in",
    Code.REORDERED: "two outputs are in the opposite order of their inputs",
    Code.WRONG_RESULT: "the right record with the wrong content",
    Code.ABORTED_VISIBLE: "a record that its writer took back can be read",
    Code.LOST_COMMIT: "a record that was committed cannot be read",
    Code.TORN_TRANSACTION: "one half of a transaction is committed and the other is not",
    Code.ZOMBIE_WRITE: "a writer that was replaced has written again, and it counts",
    Code.HANGING_TRANSACTION: "a transaction stays open and nobody will end it: readers are stuck",
    Code.OFFSET_AHEAD: "inputs are marked as done whose outputs are not there",
    Code.OFFSET_BEHIND: "inputs that are done already will be read and done again",
    Code.MISPARTITIONED: "a key is in a partition where its readers will not look",
    Code.OFFSET_REGRESSION: "the mark of what is done moved backwards",
    Code.STATE_DIVERGED: "the state is not what the input adds up to",
    Code.RESTORE_SHORT: "a restore ended before everything was restored",
    Code.RETENTION_BREACH: "a window was kept too long, or not long enough",
    Code.CORRUPTED: "a record is not what its writer wrote",
    Code.LOG_REWRITTEN: "one offset has held two different records",
    Code.STALLED: "nothing came out any more although input was waiting",
}
"""One sentence for each code of the anomaly catalogue."""


def overall(result: DemoResult) -> Verdict:
    """One run's own verdict; of several, a pass where every one came out as its scenario says it
    must (a bug on purpose must fail)."""
    if len(result.runs) == 1:
        return result.runs[0].verdict
    surprises = {run.verdict for run in result.runs if not run.as_expected}
    if not surprises:
        return Verdict.PASS
    return Verdict.UNKNOWN if surprises == {Verdict.UNKNOWN} else Verdict.FAIL


def headline(result: DemoResult) -> str:
    """The whole report in one line."""
    if len(result.runs) == 1:
        return run_headline(result.runs[0])
    surprises = sum(not run.as_expected for run in result.runs)
    if not surprises:
        return f"All {len(result.runs)} runs came out as they must"
    return f"{surprises} of {len(result.runs)} runs did not come out as they must"


def run_headline(run: RunResult) -> str:
    """One run in one line: what held, what did not, or why nobody knows."""
    if run.verdict is Verdict.PASS:
        allowed = found(run.audit.allowed)
        return f"{run.guarantee.value.capitalize()} held" + (
            f" ({allowed}, which it allows)" if allowed else ""
        )
    if run.verdict is Verdict.UNKNOWN:
        return f"Unknown: {run.reasons[0] if run.reasons else 'something could not be judged'}"
    return f"{run.guarantee.value.capitalize()} did not hold: {found(run.audit.anomalies)}"


def found(anomalies: dict[Code, int]) -> str:
    """`12 × LOST, 3 × WRONG_RESULT`, in the catalogue's order; empty where nothing was found."""
    present = [(code, anomalies[code]) for code in Code if anomalies.get(code)]
    return ", ".join(f"{number:,} × {code.value}" for code, number in present)


def first_of_each_code(findings: Sequence[Finding], *, most: int = 3) -> list[Finding]:
    """So that many of one kind do not hide the one of another."""
    shown: Counter[Code] = Counter()
    first = []
    for finding in findings:
        shown[finding.code] += 1
        if shown[finding.code] <= most:
            first.append(finding)
    return first


def place_of(finding: Finding) -> str:
    """The partition, or the topic where it is about all of it."""
    if finding.partition < 0:
        return finding.topic
    return f"{finding.topic}-{finding.partition}"


def struck_by(kind: str, *, instance: int | None, target: str) -> str:
    """A fault and who it was done to: `kill of instance 1`, `broker-kill of broker 2`."""
    whom = target or ("" if instance is None else f"instance {instance}")
    return f"{kind} of {whom}" if whom else kind


def lost_and_duplicated(audit: AuditReport) -> tuple[int, int]:
    """How many of each, allowed by the guarantee or not."""
    lost, duplicated = (
        audit.anomalies.get(code, 0) + audit.allowed.get(code, 0)
        for code in (Code.LOST, Code.DUPLICATE)
    )
    return lost, duplicated


def committed(run: RunResult) -> int:
    """Committed outputs, as the audit read them; as they were seen live where it does not say."""
    return run.audit.counts.get("output_records", run.figures.counts.observed)


def further_reasons(run: RunResult) -> list[str]:
    """The run's reasons, without those that its headline already gives."""
    told = {f"{number} × {code.value}" for code, number in run.audit.anomalies.items()}
    rest = [reason for reason in run.reasons if reason not in told]
    return [*(rest[1:] if run.verdict is Verdict.UNKNOWN else rest), *_of_the_protocol(run)]


def _of_the_protocol(run: RunResult) -> list[str]:
    """Why no app could help it, and who else is exposed."""
    hazard = run.expected.hazard
    if hazard is None or not run.as_expected:
        return []
    return [hazard.why, f"exposed: {hazard.exposed}"]


def expectation(run: RunResult) -> str:
    """A word beside the verdict where it is not simply a pass that had to be one."""
    if not run.as_expected:
        wanted = ", ".join(code.value for code in run.expected.codes)
        return f"must be {run.expected.verdict.value}" + (f" with {wanted}" if wanted else "")
    if run.expected.verdict is Verdict.PASS:
        return ""
    hazard = run.expected.hazard
    return "as it must" if hazard is None else f"as it must: the protocol's {hazard.class_}"


def lede(result: DemoResult) -> str:
    """The figures people ask for first, in a sentence each; empty where nothing was measured."""
    sentences = []
    for run in result.runs[:1]:
        summary = run.figures.recovery
        if summary.recovered is not None and summary.all_recovered is not None:
            sentences.append(
                f"Of {numbers.plural(summary.recovered.n, 'fault')}, half gave new output within"
                f" {numbers.duration(summary.recovered.p50.value)}, and from all partitions within"
                f" {numbers.duration(summary.all_recovered.p50.value)}"
                + _longest(summary.all_recovered)
            )
    if result.cost is not None:
        sentences.append(f"{cost_line(result.cost).capitalize()}.")
    return " ".join(sentences)


def _longest(figure: Distribution) -> str:
    if figure.censored:
        return f"; {numbers.count(figure.censored)} had not recovered when the run ended."
    return f"; the longest took {numbers.duration(figure.max)}."


def cost_line(cost: CostFigure) -> str:
    """The cost with its interval, in words; an interval around nothing is no cost that is known."""
    measured, baseline, share = cost.measured.label, cost.baseline.label, cost.cost
    if share.low is None or share.high is None:
        return f"{measured} costs {numbers.percent(share.value)} of the throughput of {baseline}"
    interval = f"95 % interval {numbers.percent(share.low)} to {numbers.percent(share.high)}"
    if share.low <= 0 <= share.high:
        return f"no cost of {measured} against {baseline} could be told ({interval})"
    return (
        f"{measured} costs {numbers.percent(share.value)} of the throughput of {baseline} "
        f"({interval})"
    )
