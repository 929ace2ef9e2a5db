"""What a fault of the wire family does: a rule is armed, waited for, and undone."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults.action import Action, DidNotBiteError, Evidence, Struck
from eoscheck.faults.broker_target import Target, find_target
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import PlannedFault, of_role
from eoscheck.faults.wire import Delay, Hold, LastingFault, WireCrash, WireFault
from eoscheck.faults.wire_steps import BEGINS_ANEW
from eoscheck.faults.witness import Expected, Witness
from eoscheck.wire import Armed, Exchange, Firing, Request, Rule, Wire
from eoscheck.wire.steps import matches

"""What a client does once it gave up: it rolls back, or begins anew."""


def action(fault: PlannedFault, scene: Scene) -> Action:
    assert isinstance(fault.table, WireFault)
    if scene.wire is None or scene.witness is None:
        raise UsageError(
            "faults at steps of the protocol need proxies before our own brokers: leave out "
            "cluster.provider, or set it to 'embedded' or 'docker'"
        )
    return OnWire(fault, fault.table, scene, wire=scene.wire, witness=scene.witness)


class OnWire:
    """It strikes when the request comes (`eoscheck.faults.action.Triggered`)."""

    def __init__(
        self, fault: PlannedFault, table: WireFault, scene: Scene, *, wire: Wire, witness: Witness
    ) -> None:
        self._fault, self._table, self._scene = fault, table, scene
        self._wire, self._witness = wire, witness
        self._found: Target | None = None
        self._armed: Armed | None = None
        self._firing: Firing | None = None
        self._awaited: Expected | None = None
        self._healed: Evidence | None = None

    @property
    def target(self) -> str:
        number = self._fault.instance if self._firing is None else self._firing.instance
        who = of_role("any instance", self._table)
        if number is not None:
            who = self._scene.subject.called(number)
        at = self._table.step if self._firing is None else self._firing.step
        return f"{who} at {at}" + (f", to {self._found}" if self._found is not None else "")

    def wait_struck(self, *, timeout_s: float, stop: Callable[[], bool]) -> Struck:
        table = self._table
        if table.broker != "all":
            self._found = find_target(table.broker, scene=self._scene, chance=self._fault.chance())
        self._awaited = self._expect_its_end()
        self._armed = self._wire.arm(self._rule())
        self._firing = self._armed.wait(timeout_s=timeout_s, stop=stop)
        if self._firing is None:
            met = f"fewer than {table.nth}" if table.nth > 1 else "no"
            raise InfrastructureError(
                f"{self.target}: {met} such requests came within {timeout_s:g} s (faults.within)"
            )
        if not isinstance(table, WireCrash):
            return Struck(at=self._firing.t, instance=self._fault.instance)
        return Struck(
            at=self._firing.t,
            instance=self._firing.instance,
            transactional_id=self._firing.request.transactional_id,
        )

    def strike(self) -> Evidence:
        firing = self._firing
        assert firing is not None, "it was waited for"
        evidence: Evidence = {"step": firing.step, "broker": firing.broker}
        evidence |= identity(firing.request)
        if isinstance(self._table, WireCrash) and self._fault.wipe:
            wiped = self._scene.subject.wipe(firing.instance)
            if not wiped["wiped_files"]:
                raise InfrastructureError(
                    f"the state directory of {self._scene.subject.called(firing.instance)} was "
                    "empty: nothing to wipe (does the command use {state_dir}?)"
                )
            evidence |= wiped
        return evidence

    def wait_over(self, *, timeout_s: float, stop: Callable[[], bool]) -> bool:
        """False where only time says when it is over."""
        if self._armed is not None and self._armed.rule.release is not None:
            self._armed.wait_released(timeout_s=timeout_s, stop=stop)
        elif self._awaited is not None:
            self._awaited.wait(timeout_s=timeout_s, stop=stop)
        else:
            return False
        return True

    def heal(self) -> Evidence:
        if self._healed is None:
            self._healed = {}
            try:
                self._healed = self._undo()
            finally:
                if self._awaited is not None:
                    self._awaited.forget()
                self._disarm()
        if isinstance(self._table, WireCrash) and self._firing is not None:
            self._scene.subject.heal(self._firing.instance)
        return self._healed

    def _disarm(self) -> None:
        """After a span nothing is lost any more. What a single loss did goes on until the client
        finds out: only its own time-out may tell it."""
        if self._armed is None:
            return
        self._armed.disarm()
        spanned = isinstance(self._table, LastingFault) and self._table.for_ is not None
        if spanned and self._firing is not None:
            self._wire.close_stalled(instance=self._firing.instance)

    def _undo(self) -> Evidence:
        armed, firing, table = self._armed, self._firing, self._table
        if armed is None or firing is None:
            return {}
        if isinstance(table, Hold):
            if armed.rule.release is not None and not armed.released:
                raise self._nothing(table.release)
            return self._release(armed, firing)
        if self._awaited is not None and self._awaited.found is None:
            raise self._nothing("giving up")
        evidence: Evidence = {}
        if isinstance(table, LastingFault) and table.for_ is not None:
            evidence["requests"] = len(armed.firings)
        if self._awaited is not None and self._awaited.found is not None:
            evidence["gave_up_by"] = self._awaited.found.steps[0]
            evidence["gave_up_after_s"] = round(self._awaited.found.sent - firing.t, 3)
        return evidence

    def _nothing(self, wanted: str) -> DidNotBiteError:
        return DidNotBiteError(
            f"{self.target}: nothing that is {wanted} came within {self._table.down_s[1]:g} s of "
            "it (faults.at_most)"
        )

    def _release(self, armed: Armed, firing: Firing) -> Evidence:
        late = armed.release()
        if not late or late[0].answered is None:
            raise DidNotBiteError(f"{self.target}: the broker did not answer the held request")
        return {"held_s": round(late[0].answered - firing.t, 3), "error": late[0].error}

    def _rule(self) -> Rule:
        table = self._table
        lasts_s = table.lasts_s if isinstance(table, LastingFault) else 0.0
        return Rule(
            step=table.step,
            action=table.action,
            instance=self._fault.instance,
            among=self._scene.instances(table.role),
            nth=table.nth,
            span_s=lasts_s or None,
            broker=None if self._found is None else self._found.broker,
            delay_s=table.delay_s if isinstance(table, Delay) else 0.0,
            release=table.behind if isinstance(table, Hold) else None,
        )

    def _expect_its_end(self) -> Expected | None:
        table = self._table
        if isinstance(table, LastingFault) and table.until_given_up:
            return self._witness.expect(self._begins_anew)
        return None

    def _begins_anew(self, exchange: Exchange) -> bool:
        """The instance that was hit does, later than that."""
        firings = () if self._armed is None else self._armed.firings
        return (
            bool(firings)
            and exchange.instance == firings[0].instance
            and exchange.sent > firings[0].t
            and any(matches(step, exchange.steps) for step in BEGINS_ANEW)
        )


def identity(request: Request) -> Evidence:
    """What is known of it."""
    fields = msgspec.to_builtins(request)
    return {key: value for key, value in fields.items() if value not in (None, [], ())}
