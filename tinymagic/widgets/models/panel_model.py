"""What all panels have in common: a Workspace, a state, a sentence, the line that does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from traitlets import Bool, Enum, Float, HasTraits, Unicode

from tinymagic.errors import Cancelled, TinybirdError
from tinymagic.widgets.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.api.http.cancelling import Cancellation
    from tinymagic.api.progress import Progress
    from tinymagic.api.workspace import Workspace

T = TypeVar("T")


class PanelModel(HasTraits):
    """The part of a panel that can be tested without a browser.

    Args:
        workspace: to talk to; ``None`` when nobody is connected yet.
        work: does what takes time; default is a thread.

    Attributes:
        busy: whether something is being done.
        percent: how far it is; ``None`` when nobody knows.
        message: the last thing to be said, in a full sentence.
        message_kind: ``error``, ``done``, ``warning`` or nothing.
        line: the line of ``%tinybird`` that does the same as the last action.
    """

    busy = Bool(False)
    percent = Float(None, allow_none=True)
    message = Unicode("")
    message_kind = Enum(("", "error", "done", "warning"), "")
    line = Unicode("")

    def __init__(self, workspace: Workspace | None = None, *, work: Work | None = None) -> None:
        super().__init__()
        self.workspace = workspace
        self.work = work or Work()

    def run(self, task: Callable[[Workspace, Cancellation], T], *, then: Callable[[T], object], line: str = "") -> None:
        """Do something with the Workspace beside the kernel; what goes wrong becomes the message.

        Args:
            task: asks the Workspace.
            then: puts the result into traits.
            line: of ``%tinybird`` that does the same.
        """
        workspace = self.workspace
        if workspace is None:
            self.say("You are not connected to a Workspace. Log in with %tinybird login.", "error")
            return
        self.begin(lambda cancellation: task(workspace, cancellation), then=then, line=line)

    def begin(self, task: Callable[[Cancellation], T], *, then: Callable[[T], object], line: str = "") -> None:
        """Do something that needs no Workspace, for instance make one; otherwise as `run`."""
        if line:
            self.line = line
        self.set_trait("percent", None)
        self.busy = True

        def done(result: T) -> None:
            self.busy = False
            then(result)

        self.work.start(task, done=done, failed=self._failed)

    def say(self, sentence: str, kind: str = "") -> None:
        """Set the message."""
        self.message_kind = kind
        self.message = sentence

    def cancel(self) -> None:
        """End what is being done."""
        self.work.cancel()

    def close(self) -> None:
        """End everything; called when the panel goes."""
        self.work.close()

    def on_progress(self, news: Progress) -> None:
        """Take news of an upload or a job, for ``on_progress=`` of the client."""
        self.set_trait("percent", 100 * news.done / news.total if news.total else None)

    def _failed(self, error: BaseException) -> None:
        self.busy = False
        if isinstance(error, Cancelled):
            self.say("Cancelled.", "warning")
        elif isinstance(error, TinybirdError):
            self.say(str(error), "error")
        else:
            self.say(f"{type(error).__name__}: {error}", "error")


def quoted(word: Any) -> str:
    """Return a word as a line of ``%tinybird`` needs it: in quotes when it has blanks or quotes.

    Example:
        >>> quoted("trips"), quoted("two words")
        ('trips', "'two words'")
    """
    shown = str(word)
    if shown and not shown.startswith("-") and not any(each.isspace() or each in "'\"$\\" for each in shown):
        return shown
    if "'" not in shown:
        return f"'{shown}'"
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
