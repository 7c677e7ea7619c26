"""``fleetbook evidence``: what an auditor or an authority gets, with its proofs and its own verifier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ingest.evidence import Bundle, Scope
    from ingest.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add ``fleetbook evidence`` to the command line."""
    app.command("evidence")(evidence)


def evidence(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder for the bundle.")],
    person: Annotated[str, typer.Option("--as", metavar="PERSON", help="Person who takes it out.")],
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Events of this run.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="AGENT", help="Events of this agent.")] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="Events of this month (UTC).")] = None,
    without_texts: Annotated[
        bool, typer.Option("--without-texts", help="Leave prompt, answer, argument and result texts out.")
    ] = False,
) -> None:
    """Write events, texts, proofs and a verifier that needs no Fleetbook into a folder. The log records it.

    Texts need read_payload or a grant of content, see `fleetbook grant-content`; without it, --without-texts.
    Ends with 1 when events that are not signed yet, or texts whose key is not at hand, were left out.
    """
    from app.commands.log_keep import require_keeper
    from app.commands.machines import whole_log
    from ingest.evidence import Scope, make_bundle
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    require_keeper(workspace, person, "No evidence made")
    scope = Scope(run_id=run, agent_id=agent, month=month)
    grant_id = None if without_texts else _texts_allowed(workspace, person, scope)
    bundle = make_bundle(whole_log(workspace), scope, out, with_texts=not without_texts)
    _record(workspace, person, scope, bundle, grant_id)
    _tell(bundle)
    if bundle.locked_count or bundle.unsigned_count:
        raise typer.Exit(1)


def _texts_allowed(workspace: Workspace, person_id: str, scope: Scope) -> str | None:
    """The grant under which the person may take texts out, None where the role lets them.

    Raises AccessRefused when neither does. Without a registry there is nothing to ask.
    """
    if not workspace.registry_file.exists():
        return None
    from runner.control import content_grants
    from runner.control.plane import Control

    with Control(workspace, process_name="fleetbook evidence", recorded_via="app") as control:
        registry = control.registry()
        # An agent of another origin is in no registry: its texts are asked about like all texts.
        agent_id = scope.agent_id if scope.agent_id in registry.agents and scope.run_id is None else None
        target = content_grants.target_of(control, registry, agent_id, scope.run_id)
        return content_grants.require(control, person_id, target, run_id=scope.run_id).grant_id


def _record(workspace: Workspace, person_id: str, scope: Scope, bundle: Bundle, grant_id: str | None) -> None:
    """The event that tells who took what out."""
    from ingest.contract import new_event_id
    from ingest.log.writer import LogWriter, utc_now

    now = utc_now()
    with LogWriter(workspace, recorded_via="app", process_name="fleetbook evidence") as writer:
        event_id = new_event_id(now)
        writer.append(
            [
                {
                    "event_id": event_id,
                    "event_type": "export_created",
                    "occurred_at": now,
                    "actor_id": person_id,
                    "person_id": person_id,
                    "export_id": event_id,
                    "export_format": "evidence",
                    "row_count": bundle.event_count,
                    "content_sha256": bundle.content_sha256,
                    "filter_text": _canonical({**scope.parts, "texts": str(bundle.text_count)}),
                    **({"grant_id": grant_id} if grant_id else {}),
                }
            ]
        )


def _tell(bundle: Bundle) -> None:
    typer.echo(f"{bundle.folder}: {bundle.event_count:,} events, {bundle.text_count:,} texts, with proofs.")
    if bundle.unkept_count:
        typer.echo(f"{bundle.unkept_count:,} events had a text that was not kept, as declared.")
    typer.echo(f"Check it anywhere: python {bundle.folder / 'verify.py'} --vkey KEY (needs cryptography).")
    if bundle.locked_count:
        typer.echo(
            f"{bundle.locked_count:,} texts are encrypted with a key that is not at hand and were left out: "
            "set FLEETBOOK_PAYLOAD_KEY and make the evidence again.",
            err=True,
        )
    if bundle.unsigned_count:
        typer.echo(
            f"{bundle.unsigned_count:,} events are not sealed and signed yet and were left out: "
            "run `fleetbook notarise` and make the evidence again.",
            err=True,
        )


def _canonical(parts: dict[str, str]) -> str:
    import json

    return json.dumps(parts, sort_keys=True, separators=(",", ":"))
