"""Locust's web page: a tab with the faults and the verdict, and our report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Response, jsonify, request
from locust.web import WebUI

from eoscheck.history import FaultMissed
from eoscheck.locust.director import Director
from eoscheck.run.remote import Concluded

_KEY = "eoscheck"


def show_on(web: WebUI, director: Director) -> None:
    """`/eoscheck` is the state as JSON, `/eoscheck/report` the last report."""
    app = web.app
    assert app is not None
    base = str(getattr(director.options, "web_base_path", "") or "")
    web.template_args = {
        **web.template_args,
        "extendedTabs": [{"title": "Exactly-once", "key": _KEY}],
        "extendedTables": [
            {
                "key": _KEY,
                "structure": [
                    {"key": "when", "title": "At"},
                    {"key": "what", "title": "What"},
                    {"key": "outcome", "title": "Outcome"},
                ],
            }
        ],
    }

    @app.route(f"{base}/eoscheck")
    @web.auth_required_if_enabled
    def state() -> Response:
        return jsonify(state_of(director))

    @app.route(f"{base}/eoscheck/report")
    @web.auth_required_if_enabled
    def report() -> Response:
        conclusion = None if director.run is None else director.run.conclusion
        if not isinstance(conclusion, Concluded):
            return Response("there is no report yet", status=404, mimetype="text/plain")
        return Response(Path(conclusion.report).read_bytes(), mimetype="text/html")

    @app.after_request
    def extended(response: Response) -> Response:
        if request.path == f"{base}/stats/requests" and response.is_json:
            rows = state_of(director)["rows"]
            content = {**response.get_json(), "extendedStats": [{"key": _KEY, "data": rows}]}
            response.set_data(jsonify(content).get_data())
        return response


def state_of(director: Director) -> dict[str, Any]:
    """`phase`: idle, starting, load, judging, or how it ended: a verdict, or failed."""
    run = director.run
    if run is None:
        return {"phase": "idle", "rows": []}
    rows = [
        {"when": f"{began:.1f} s", "what": kind, "outcome": _outcome(began, ended)}
        for _id, kind, began, ended in run.bands.rows.values()
    ]
    rows += [
        {"when": f"{event.t:.1f} s", "what": event.kind, "outcome": f"did not bite: {event.reason}"}
        for event in run.faults
        if isinstance(event, FaultMissed)
    ]
    conclusion = run.conclusion if run.concluded.is_set() else None
    if isinstance(conclusion, Concluded):
        reasons = "; ".join(conclusion.reasons)
        outcome = f"{conclusion.verdict} {reasons}".strip()
        rows.append({"when": "verdict", "what": conclusion.guarantee, "outcome": outcome})
        rows.append({"when": "report", "what": conclusion.report, "outcome": "/eoscheck/report"})
        return {"phase": conclusion.verdict, "rows": rows}
    if conclusion is not None:
        rows.append({"when": "verdict", "what": "none", "outcome": conclusion.reason})
        return {"phase": "failed", "rows": rows}
    phase = "judging" if run.ended else "starting" if run.plan is None else "load"
    return {"phase": phase, "rows": rows}


def _outcome(began: float, ended: float | None) -> str:
    return "goes on" if ended is None else f"healed after {ended - began:.1f} s"
