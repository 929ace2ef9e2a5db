"""One connection of a client, and the one to the broker that stands for it."""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable

from eoscheck.errors import UsageError
from eoscheck.network.links import Link
from eoscheck.wire.asked import Asked
from eoscheck.wire.delivery import Delivery
from eoscheck.wire.dial import Dial
from eoscheck.wire.frames import Framer, NotKafkaError, Piece
from eoscheck.wire.reader import ANSWER_HEAD, REQUEST_LEAST, Reader, reads_answer
from eoscheck.wire.side import Side
from eoscheck.wire.state import State
from eoscheck.wire.steps import steps_of
from eoscheck.wire.trace import STALLED, Exchange, Outcome

_TLS_RECORD = 0x16  # a handshake; as the first byte of a size it would be 369 MB
_CORRELATION = struct.Struct(">i")
_CORRELATION_AT = 4
_ANSWER_LEAST = 4


class Tunnel:
    """Bytes go on in order, a request when it is whole. What a rule does to one is in
    `actions.act`."""

    def __init__(self, state: State, link: Link, *, act: Act) -> None:
        self.state, self.link = state, link
        state.numbered += 1
        self.number = state.numbered
        self.client = Side(
            loop=state.loop,
            data=self._from_client,
            eof=self._client_eof,
            lost=self._client_lost,
            full=lambda full: self.broker.read(not full),
            opened=state.sockets,
            buffer=state.buffer,
        )
        self.broker = Side(
            loop=state.loop,
            data=self._from_broker,
            eof=self._broker_eof,
            lost=self.end,
            full=self._broker_full,
            opened=state.sockets,
            buffer=state.buffer,
        )
        self._delivery = Delivery(self.client, loop=state.loop)
        self.stalled = False
        self.detached = False
        self.copies = 0
        """Of requests that were duplicated."""
        self._held: Asked | None = None
        self._act = act
        self._reader = Reader(name=state.topic_name, learn=state.learn_topic)
        self._requests = Framer(least=REQUEST_LEAST)
        self._answers = Framer(least=_ANSWER_LEAST, head=ANSWER_HEAD)
        self._waiting: deque[bytes] = deque()
        self._asked: deque[Asked] = deque()
        self._answering: Asked | None = None
        self._parts: list[bytes] = []
        self._rest: bytes | None = None  # of a stream that is not Kafka's, behind what waits
        self._blocked = True
        self._full = self._plain = self._plain_answers = self._ended = False
        self._touched = False
        """Some answer is, or was, not to be passed on as it comes."""
        self._eof = {"client": False, "broker": False}
        self._dial: Dial | None = None

    # ---------------------------------------------------------------- begin and end

    def begin(self, client: socket.socket) -> None:
        self.state.connections.add(self)
        self.client.open(client)
        self._read_client()
        self._dial = Dial(
            self.state.loop,
            self.link.upstream,
            connected=self.connected,
            failed=lambda _: self.end(),  # the broker is down: the client is told as a proxy can
        )

    def connected(self, broker: socket.socket) -> None:
        self.broker.open(broker)
        self.resume()

    def end(self) -> None:
        """Both sides are closed; what was written is still sent. Idempotent."""
        if self._ended:
            return
        self._ended = True
        self.state.connections.discard(self)
        if self._dial is not None:
            self._dial.cancel()
        self.client.close()
        self.broker.close()
        if self._held is not None:
            self._asked.append(self._held)
        while self._asked:
            self.settle(self._asked.popleft(), "unanswered")

    def abort(self) -> None:
        """Ends it at once."""
        self.end()
        self.client.abort()
        self.broker.abort()

    def _client_lost(self) -> None:
        if not self.detached:
            self.end()

    def _client_eof(self) -> None:
        self._eof["client"] = True
        self.pump()

    def _broker_eof(self) -> None:
        self._eof["broker"] = True
        self._delivery.flush()
        self.client.write_eof()
        if self._eof["client"] or self.detached:
            self.end()

    # ---------------------------------------------------------------- flow

    def block(self) -> None:
        """No request goes on until `resume`."""
        self._blocked = True
        self._read_client()

    def resume(self) -> None:
        self._blocked = False
        self.pump()

    def _broker_full(self, full: bool) -> None:
        self._full = full
        self._read_client()

    def _read_client(self) -> None:
        self.client.read(not (self._blocked or self._full))

    @property
    def alive(self) -> bool:
        """Something may still go through it: its instance is not dying."""
        return not self._ended and (self.detached or not self.state.is_dying(self.link.source))

    def detach(self, asked: Asked) -> None:
        """The client's side is closed; the broker's waits for `release` of this request."""
        self.detached = self.stalled = True
        self._held = asked
        self.block()
        self._waiting.clear()
        self.client.close()

    def release(self, asked: Asked, frame: bytes) -> None:
        if self._ended:
            return  # the broker has closed it: it is settled
        self._held, asked.fate = None, "swallow"
        out: list[bytes] = []
        self.forward(asked, frame, out)
        self.flush(out)

    # ---------------------------------------------------------------- requests

    def _from_client(self, data: bytes) -> None:
        if not self.alive:
            return
        if self._plain:
            self.broker.write(data)
            return
        if self._rest is not None:
            self._rest += data
            return
        try:
            self._waiting.extend(piece.data for piece in self._requests.feed(data))
        except NotKafkaError as error:
            if error.rest[:1] == bytes([_TLS_RECORD]):
                self._refuse_tls()
                return
            self._rest = error.rest
        self.pump()

    def _refuse_tls(self) -> None:
        self.state.fail(
            UsageError(
                f"instance {self.link.source} speaks TLS, which hides the protocol from the wire "
                "proxy: let it use PLAINTEXT or SASL_PLAINTEXT"
            )
        )
        self.abort()

    def pump(self) -> None:
        """What waits goes on, as far as it may."""
        if self._waiting and not self._blocked and self.alive:
            if self.state.armed:
                self._meet_rules()
            else:
                self._pass_on()
        if not self._waiting and not self._blocked and not self._ended:
            if self._rest is not None:
                self._go_plain()
            if self._eof["client"]:
                self.broker.write_eof()
                if self._eof["broker"]:
                    self.end()
        self._read_client()

    def _pass_on(self) -> None:
        """No rule wants any of them: they are sent, and then read."""
        sent = self.state.clock()
        frames = tuple(self._waiting)
        self._waiting.clear()
        self.broker.write(frames[0] if len(frames) == 1 else b"".join(frames))
        for frame in frames:
            asked = self._read(frame, sent)
            if not self._expect(asked):
                return

    def _meet_rules(self) -> None:
        out: list[bytes] = []
        while self._waiting and not self._blocked and self.alive:
            frame = self._waiting.popleft()
            asked = self._read(frame, self.state.clock())
            met = self.state.meet(asked.request, asked.steps, self.link)
            if met is None:
                self.forward(asked, frame, out)
            else:
                asked.armed, asked.firing = met
                asked.action = asked.firing.rule.action
                self._act(self, asked, frame, out)
        self.flush(out)

    def _read(self, frame: bytes, sent: float) -> Asked:
        request = self._reader.read(frame)
        asked = Asked(request=request, steps=steps_of(request, self.state.roles), sent=sent)
        if self.stalled:
            asked.fate, asked.action = "swallow", STALLED
        return asked

    def forward(self, asked: Asked, frame: bytes, out: list[bytes]) -> None:
        out.append(frame)
        self._expect(asked)

    def _expect(self, asked: Asked) -> bool:
        """Its answer. Whether requests follow it, and not tokens without headers."""
        if asked.request.acks == 0:
            self.settle(asked, "one-way")
            return True
        self.ask(asked)
        if asked.ends_headers:
            self._rest = b"".join([*self._waiting, self._requests.drain(), self._rest or b""])
            self._waiting.clear()
            return False
        return True

    def flush(self, out: list[bytes]) -> None:
        """To the broker, before something else happens."""
        self.broker.write(b"".join(out))
        out.clear()

    def ask(self, asked: Asked) -> None:
        """Its answer, or the connection's end, settles it."""
        self._touched = self._touched or asked.fate != "deliver"
        self._asked.append(asked)

    def _go_plain(self) -> None:
        """What follows is not read, and passes as it is."""
        rest, self._rest, self._plain = self._rest or b"", None, True
        self.broker.write(rest)

    # ---------------------------------------------------------------- answers

    def _from_broker(self, data: bytes) -> None:
        if not self.alive:
            return
        if self._plain_answers:
            self._plainly_to_client(data)
            return
        pieces: list[Piece] = []
        rest = b""
        try:
            pieces.extend(self._answers.feed(data))
        except NotKafkaError as error:
            rest, self._plain_answers = error.rest, True
        at_once = not (self._touched or self.stalled or self._delivery.waits or self.state.holds)
        if at_once:
            self.client.write(b"".join([piece.data for piece in pieces]))
        out: list[bytes] = []
        for piece in pieces:
            self._answer(piece, out)
            if not (at_once or self.alive):  # one of them was a crash
                return
        if not at_once:
            self._delivery.write(out)
        if rest:
            self._plainly_to_client(rest)

    def _plainly_to_client(self, data: bytes) -> None:
        if not self.stalled:
            self._delivery.write([data])

    def _answer(self, piece: Piece, out: list[bytes]) -> None:
        """`out` is given what is for the client."""
        if piece.first:
            number: int = _CORRELATION.unpack_from(piece.data, _CORRELATION_AT)[0]
            self._answering = self._find(number)
        asked = self._answering
        if asked is None:  # of a request that we did not see: as it is
            if not self.stalled:
                out.append(piece.data)
            return
        if asked.fate == "deliver":
            out.append(piece.data)
        if not reads_answer(asked.request):
            if piece.first:
                asked.error = self._reader.answered(asked.request, piece.data)
        elif piece.first and piece.last:
            asked.error = self._reader.answered(asked.request, piece.data)
        else:
            self._parts.append(piece.data)
            if piece.last:
                asked.error = self._reader.answered(asked.request, b"".join(self._parts))
                self._parts.clear()
        if piece.last:
            if asked.fate == "crash":
                self._crash(asked, out)
            self.settle(asked, "answered")

    def _find(self, number: int) -> Asked | None:
        """Brokers answer in order, but what they never answer is passed over."""
        if self._asked and self._asked[0].request.correlation_id == number:
            return self._asked.popleft()
        for asked in self._asked:
            if asked.request.correlation_id == number:
                self._asked.remove(asked)
                return asked
        return None

    def _crash(self, asked: Asked, out: list[bytes]) -> None:
        if asked.armed is not None and asked.firing is not None:
            armed, firing = asked.armed, asked.firing
            asked.armed = asked.firing = None
            self._delivery.write(out)
            out.clear()
            self.state.kill(armed, firing)

    # ---------------------------------------------------------------- what became of it

    def settle(self, asked: Asked, outcome: Outcome) -> None:
        now = self.state.clock()
        exchange = Exchange(
            sent=asked.sent,
            answered=now if outcome == "answered" else None,
            instance=self.link.source,
            broker=self.link.broker,
            connection=self.number,
            steps=asked.steps,
            request=asked.request,
            outcome=outcome,
            error=asked.error,
            action=asked.action,
        )
        if asked.armed is not None and asked.firing is not None:
            if outcome == "unanswered":
                asked.armed.missed()
            else:
                asked.armed.done(asked.firing)
        self.state.tell(exchange)
        if self.state.armed:
            for held in self.state.released_by(exchange):
                self._delivery.wait_for(held)
        if asked.settled is not None:
            asked.settled(exchange)


Act = Callable[[Tunnel, Asked, bytes, list[bytes]], None]
