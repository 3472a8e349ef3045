"""The panel of Pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from tinymagic.widgets import look, units
from tinymagic.widgets.models.pipes import PipesModel
from tinymagic.widgets.panel import Confirmation, Panel, button, field, html, row
from tinymagic.widgets.panels.endpoint_run import EndpointRun
from tinymagic.widgets.row_list import RowList

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.pipe_results import Node, Pipe
    from tinymagic.api.workspace import Workspace
    from tinymagic.widgets.models.pipes import Details, Statistics

_HEADS = ["Type", "Changed", "Description"]
_TABS = ("Nodes", "Run")
_NOTHING = "There are no Pipes yet. %%tbsql --pipe NAME --publish makes one of a cell."

#: Characters of the SQL of a node.
_SQL = 50_000


class Pipes(Panel):
    """Search the Pipes of a Workspace, look at one, publish it, call its endpoint, take its nodes back into cells.

    Args:
        workspace: whose they are.
        on_new_cell: puts text into a new cell; the text is shown to be copied, too.
        model: instead of one of its own, for tests.
    """

    def __init__(
        self,
        workspace: Workspace | None = None,
        *,
        on_new_cell: Callable[[str], object] | None = None,
        model: PipesModel | None = None,
    ) -> None:
        self.model: PipesModel = model or PipesModel(workspace)
        self._on_new_cell = on_new_cell
        self._list = RowList(["Name", *_HEADS], self.model.select, what="Pipes", nothing=_NOTHING)
        self._facts, self._nodes, self._cells = html(), html(), html()
        self._node = field("Node", ipywidgets.Dropdown(options=[]), width="260px")
        self._node.style.description_width = "50px"
        self._publish = button("Publish ...", self._ask_publish, icon="upload", tip="Make this node the endpoint")
        self._unpublish = button(
            "Unpublish ...", self._ask_unpublish, icon="ban", kind="danger", tip="Take the endpoint back"
        )
        self._back = button("Back into cells", self._on_back, icon="code", tip="The nodes as cells of %%tbsql")
        self._confirmation = Confirmation()
        self.run = EndpointRun(self.model)
        self._tabs = ipywidgets.Tab([self._nodes, self.run])
        for place, title in enumerate(_TABS):
            self._tabs.set_title(place, title)
        actions = row(self._back, self._node, self._publish, self._unpublish)
        self._details = ipywidgets.VBox([self._facts, actions, self._confirmation, self._cells, self._tabs])
        self._details.layout.display = "none"
        reload_ = button("Reload", self.model.load, icon="refresh", tip="Fetch the list again")
        super().__init__(self.model, "Pipes", [self._list, row(reload_), self._details])
        self.model.observe(lambda _: self._draw_list(), "pipes")
        self.model.observe(self._draw_details, "details")
        self.model.observe(lambda _: self.changed(), ["outcome", "picture"])
        self._draw_list()
        self.model.load()

    def static(self) -> tuple[str, str]:
        """Return the table of Pipes, the one that was chosen, and what its endpoint gave."""
        pipes = self._pipes[:50]
        lines = [[look.text(each.name), *_row(each)] for each in pipes]
        shown = look.table(["Name", *_HEADS], lines, label="Pipes") if pipes else look.empty(_NOTHING)
        words = [f"{each.name}: {_type(each)}" for each in pipes]
        if len(self._pipes) > 50:
            words.append(f"and {len(self._pipes) - 50:,} more")
        return shown + self._facts.value + self._nodes.value + self.run.static(), "\n".join(words) or _NOTHING

    @property
    def _pipes(self) -> list[Pipe]:
        return list(self.model.pipes)

    def _draw_list(self) -> None:
        self._list.show([(each.name, _row(each)) for each in self._pipes])
        self.changed()

    def _draw_details(self, change: dict[str, Details | None]) -> None:
        before, details = change["old"], change["new"]
        self._details.layout.display = "none" if details is None else None
        self._confirmation.hide()
        self._cells.value = ""
        if details is None:
            self.changed()
            return
        pipe = details.pipe
        self._facts.value = _facts(details)
        self._nodes.value = "".join(_node(each, pipe) for each in pipe.nodes) or look.empty("This Pipe has no nodes.")
        names = [each.name or each.id for each in pipe.nodes]
        self._node.options = names
        published = pipe.endpoint_node
        if names:
            self._node.value = (published.name or published.id) if published is not None else names[-1]
        # What is a view, a copy or a sink already is no endpoint, too.
        can_publish = bool(names) and pipe.type in ("default", "endpoint")
        for widget in (self._node, self._publish):
            widget.layout.display = None if can_publish else "none"
        self._unpublish.layout.display = None if pipe.endpoint else "none"
        if not isinstance(before, type(details)) or before.pipe.name != pipe.name:
            self._tabs.selected_index = _TABS.index("Run" if pipe.endpoint else "Nodes")
        self._list.choose(pipe.name)
        self.changed()

    def _ask_publish(self) -> None:
        details, node = self.model.details, self._node.value
        if details is None or not node:
            return
        name, published = details.pipe.name, details.pipe.endpoint_node
        instead = f" {published.name} is not the endpoint any more then." if published is not None else ""
        self._confirmation.ask(
            f"Publish the node {node} of {name}? Who has a token that may read {name} can call it then.{instead}",
            "Publish it",
            lambda: self.model.publish(name, node),
        )

    def _ask_unpublish(self) -> None:
        details = self.model.details
        if details is None:
            return
        name = details.pipe.name
        calls = details.statistics.requests if details.statistics is not None else 0
        used = f" It was called {calls:,} times in the last day." if calls else ""
        readers = f" These Pipes read it: {', '.join(details.readers)}." if details.readers else ""
        self._confirmation.ask(
            f"Take the endpoint of {name} back? Calls of it fail then.{used}{readers}",
            "Unpublish it",
            lambda: self.model.unpublish(name),
        )

    def _on_back(self) -> None:
        cells = self.model.cells()
        if self._on_new_cell is not None:
            for each in cells:
                self._on_new_cell(each)
        several = "Cells" if len(cells) > 1 else "A cell"
        self._cells.value = look.section(f"{several} to copy, one click selects it") + "".join(map(_sql, cells))


def _type(pipe: Pipe) -> str:
    return "none" if pipe.type == "default" else pipe.type


def _row(pipe: Pipe) -> list[str]:
    kind = "done" if pipe.type == "endpoint" else ""
    return [look.badge(_type(pipe), kind), look.text(units.ago(pipe.updated_at)), look.text(pipe.description, most=70)]


def _facts(details: Details) -> str:
    pipe = details.pipe
    own = {each.name for each in pipe.nodes}
    reads = sorted({name for each in pipe.nodes for name in each.dependencies} - own)
    told = [look.badge(_type(pipe), "done" if pipe.endpoint else "")]
    told += [_told("reads", ", ".join(reads) or "nothing")]
    if details.readers is not None:
        told.append(_told("read by", ", ".join(details.readers) or "no Pipe"))
    if pipe.schedule is not None:
        told.append(_told("runs", f"{pipe.schedule.cron} {pipe.schedule.status or ''}".strip()))
    about = f"<div>{look.text(pipe.description)}</div>" if pipe.description else ""
    parts = [look.section(pipe.name), about, "<div>", " &nbsp; ".join(told), "</div>"]
    if details.statistics is not None:
        parts.append(_statistics(details.statistics))
    return "".join(parts) + look.note(details.statistics_problem, "warning")


def _told(what: str, words: str) -> str:
    return f'<span class="tm-quiet">{look.text(what)}</span> {look.text(words)}'


def _statistics(found: Statistics) -> str:
    if not found.requests:
        return f"<div>{_told('last day', 'no requests')}</div>"
    errors = f"{found.errors:,}"
    share = f" ({100 * found.errors / found.requests:.1f} %)" if found.errors else ""
    mark = ' class="tm-warning-text"' if found.errors else ""
    told = [
        _told("last day", f"{units.rows(found.requests)} requests"),
        f'<span class="tm-quiet">errors</span> <span{mark}>{look.text(errors + share)}</span>',
        _told("p95", units.took(found.p95_s)),
        _told("last", units.ago(found.last)),
    ]
    return "<div>" + " &nbsp; ".join(told) + "</div>"


def _node(node: Node, pipe: Pipe) -> str:
    kind = "endpoint" if pipe.endpoint in (node.id, node.name) else node.node_type
    badge = look.badge(kind, "done") if kind == "endpoint" else look.badge(kind if kind != "standard" else "")
    about = f'<div class="tm-quiet">{look.text(node.description)}</div>' if node.description else ""
    reads = f"<div>{_told('reads', ', '.join(node.dependencies))}</div>" if node.dependencies else ""
    fills = f"<div>{_told('fills', node.materialized)}</div>" if node.materialized else ""
    return f"{look.section(node.name or node.id)}{badge}{about}{reads}{fills}{_sql(node.sql)}"


def _sql(text: str) -> str:
    # No <pre>: notebooks break its lines within words.
    return f'<div><span class="tm-code">{look.text(text, most=_SQL)}</span></div>'
