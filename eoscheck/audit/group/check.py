"""The pipeline's consumer group: its offsets against the outputs, and its commits by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

from eoscheck.audit.batches.authors import Authors
from eoscheck.audit.capture import Captured
from eoscheck.audit.checks.commits import check_commits, check_writers, outputs_of
from eoscheck.audit.checks.joined import Joined
from eoscheck.audit.checks.offsets import Standings, check_offsets, merge, stand
from eoscheck.audit.checks.outcome import Checked, merged
from eoscheck.audit.findings import Code
from eoscheck.audit.group.reader import ReadCommits, read_commits
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster.raw_log import RawLog
from eoscheck.cluster.view import ClusterView


@dataclass(kw_only=True)
class GroupCheck:
    """Takes shard after shard, then decides. `commits` are those of `__consumer_offsets`, read
    after the outputs: None where there is no raw view."""

    spec: AuditSpec
    captured: Captured
    commits: ReadCommits | None
    authors: Authors
    _standings: Standings = field(default_factory=dict)

    @property
    def note(self) -> list[str]:
        """What was left out, where the commits may not be read."""
        if self.commits is None or self.commits.commits is not None:
            return []
        return [f"{self.commits.why}: {Code.OFFSET_REGRESSION} was not looked for"]

    def add(self, joined: Joined) -> Checked:
        spec, captured = self.spec, self.captured
        if spec.offsets == "due":
            standing = stand(joined, after=captured.after)
            self._standings = merge([self._standings, standing])
        if self.commits is None or self.commits.commits is None or spec.input is None:
            return Checked()
        outputs = outputs_of(joined, self.authors)
        if outputs is None:
            return Checked()
        return check_writers(
            self.commits.commits,
            outputs,
            source=spec.input,
            output=spec.output,
            limit=spec.max_findings,
        )

    def finish(self) -> Checked:
        spec, captured = self.spec, self.captured
        assert spec.group is not None
        assert spec.input is not None
        assert captured.input_read is not None
        read = captured.input_read.partitions
        ends = {number: end.position for number, end in read.items()}
        parts = [
            check_offsets(
                self._standings,
                topic=spec.input,
                group=spec.group,
                before=captured.due_below,
                after=captured.after,
                ends={} if spec.sample is not None else ends,
                output_gaps=captured.output_read.gaps,
                informational=spec.offsets == "informational",
                limit=spec.max_findings,
            )
        ]
        if self.commits is not None and self.commits.commits is not None:
            parts.append(
                check_commits(
                    self.commits.commits,
                    number=self.commits.number,
                    outputs_transactional=captured.output_read.transactional,
                )
            )
        return merged(parts, limit=spec.max_findings)


def open_group_check(
    spec: AuditSpec,
    captured: Captured,
    *,
    log: RawLog | None,
    view: ClusterView,
    authors: Authors,
) -> GroupCheck | None:
    """None where the audit knows of no group."""
    if spec.group is None or spec.input is None:
        return None
    commits = None
    if log is not None:
        commits = read_commits(
            log, view, group=spec.group, topic=spec.input, limit=spec.max_findings
        )
    return GroupCheck(spec=spec, captured=captured, commits=commits, authors=authors)
