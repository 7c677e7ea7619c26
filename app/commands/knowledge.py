"""``fleetbook knowledge``: document sources, their index, and what they say, under the reader's grants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from runner.control.plane import Control
    from runner.control.registry_extras import KnowledgeSource
    from runner.knowledge.index import Indexed

SourceArgument = Annotated[str, typer.Argument(help="Source, as `fleetbook knowledge list` names it.")]


def register(app: typer.Typer) -> None:
    """Add ``knowledge`` to the command line."""
    group = typer.Typer(
        no_args_is_help=True, help="Knowledge sources: folders of documents that agents search."
    )
    group.command("list")(list_sources)
    group.command("index")(index)
    group.command("search")(search)
    app.add_typer(group, name="knowledge")


def list_sources() -> None:
    """List the sources: folder, sensitivity, owner, the agents that have each, and who may read it."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    with _control("fleetbook knowledge") as control:
        registry = control.registry()
    if not registry.knowledge:
        console.print("No source is declared; knowledge in registry.yaml is the place.", markup=False)
    for name, source in registry.knowledge.items():
        agents = [agent_id for agent_id, agent in registry.agents.items() if name in agent.knowledge]
        roles = sorted(
            {
                grant.role
                for grant in registry.grants
                if grant.action == "read_knowledge"
                and grant.effect == "allow"
                and grant.knowledge in (None, name)
            }
        )
        console.print(Text.assemble((name, "bold"), f"  {source.sensitivity}  {source.folder}"))
        console.print(
            Text(
                f"  owner {source.owner or 'nobody'} · agents: {', '.join(agents) or 'none'} · "
                f"granted to: {', '.join(roles) or 'nobody'}",
                "dim",
            ),
            soft_wrap=True,
        )


def index(
    source: Annotated[str | None, typer.Argument(help="Source; all when left out.")] = None,
) -> None:
    """Bring the index of a source, or of all, to what its folder holds now. Each search does so as well.

    Ends with 1 when a document could not be read whole.
    """
    from rich.console import Console

    from runner.knowledge.retrieve import index_of

    console = Console(highlight=False)
    with _control("fleetbook knowledge index") as control:
        declared = control.registry().knowledge
        chosen = declared if source is None else {source: _source(declared, source)}
        problem_count = 0
        for name, one in chosen.items():
            there = index_of(control.workspace, name, one)
            changed = there.refresh()
            problem_count += _print_index(console, name, changed, there.documents())
    if problem_count:
        raise typer.Exit(1)


def search(
    source: SourceArgument,
    query: Annotated[str, typer.Argument(help="Words to look for.")],
    person: Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who reads.")],
) -> None:
    """Show the passages that a search finds, as an agent would get them; each one is an event.

    Ends with 1 when the person may not read the source.
    """
    from rich.console import Console
    from rich.text import Text

    from app.terminal import foreign
    from runner.errors import AccessRefused
    from runner.knowledge import retrieve

    console = Console(highlight=False)
    with _control("fleetbook knowledge search") as control:
        registry = control.registry()
        control.known_person(registry, person)
        _source(registry.knowledge, source)
        reader = retrieve.Reader(person_id=person, about={"actor_id": person})
        (permit,) = retrieve.permits(registry, reader, [source])
        is_allowed = permit.ruling.allowed
        hits = retrieve.look_up(control.workspace, [permit], query) if is_allowed else []
        with control.store.write(recorded_via="app") as tx:
            retrieve.tell(tx, reader, [] if is_allowed else [permit], hits)
        control.relay.flush()
    if not is_allowed:
        advice = "Grants of read_knowledge are under grants in registry.yaml."
        raise AccessRefused(permit.ruling.rule_id, permit.ruling.sentence, advice)
    if not hits:
        console.print("Nothing found.", markup=False)
    for hit in hits:
        place = f" · {hit.found.place}" if hit.found.place else ""
        console.print(
            Text(f"{hit.rank}. ", "bold").append_text(foreign(f"{hit.found.document}{place}", "bold"))
        )
        console.print(foreign(hit.found.text), soft_wrap=True)


def _print_index(console: Console, name: str, changed: int, documents: list[Indexed]) -> int:
    """One source; returns how many of its documents have a problem."""
    from app.terminal import foreign

    passages = sum(document.passage_count for document in documents)
    console.print(
        f"{name}: {len(documents)} documents, {passages} passages, {changed} read or dropped now",
        markup=False,
    )
    troubled = [document for document in documents if document.problem]
    for document in troubled:
        console.print(foreign(f"  {document.document}: {document.problem}", "yellow"), soft_wrap=True)
    return len(troubled)


def _source(declared: dict[str, KnowledgeSource], name: str) -> KnowledgeSource:
    from runner.control.declared import nearest
    from runner.errors import NotFound

    if name not in declared:
        advice = "Sources are declared under knowledge in registry.yaml."
        raise NotFound("knowledge source", name, nearest(name, declared), advice)
    return declared[name]


def _control(process_name: str) -> Control:
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    return Control(Workspace.open(home()), process_name=process_name)
