"""Bars of progress, and interrupts."""

from __future__ import annotations

import pytest

from tinymagic.api.progress import Progress
from tinymagic.errors import Cancelled
from tinymagic.notebook import progress as module
from tinymagic.notebook.interrupting import interruptible
from tinymagic.notebook.progress import progress


@pytest.fixture
def at_once(monkeypatch):
    """Show bars without waiting."""
    monkeypatch.setattr(module, "SHOWN_AFTER_S", 0.0)


class TestProgress:
    def test_short_work_shows_nothing(self, capsys):
        with progress("read") as tell:
            tell(Progress(1, 2, "B"))
        assert capsys.readouterr() == ("", "")

    def test_a_bar_shows_what_is_done_and_goes_away(self, at_once, capsys):
        with progress("append to trips", unit="rows") as tell:
            tell(Progress(500, 1000, "rows"))
            tell(Progress(1000, 1000, "rows"))
        text = capsys.readouterr().err
        assert "append to trips" in text
        assert "1.00k" in text
        assert " rows" in text
        assert text.endswith("\r")
        assert not text.rstrip("\r").rpartition("\r")[2].strip()

    @pytest.mark.parametrize("total", [None, 2000.0])
    def test_a_total_may_come_later_or_never(self, at_once, capsys, total):
        with progress("read") as tell:
            tell(Progress(10, None, "B"))
            tell(Progress(20, total, "B"))
        assert "read" in capsys.readouterr().err

    def test_work_that_is_tried_again_goes_back(self, at_once):
        with progress("read", total=10) as tell:
            tell(Progress(9, None, "B"))
            tell(Progress(1, None, "B"))
            assert tell.__self__._bar.n == 1

    def test_percent(self, at_once, capsys):
        with progress("job", unit="%") as tell:
            tell(Progress(40, None, "%"))
            assert tell.__self__._bar.total == 100
        assert "40" in capsys.readouterr().err

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_it_is_closed_whatever_happens(self, at_once, error):
        bars = []

        def work():
            with progress("read") as tell:
                tell(Progress(1, 2, "B"))
                bars.append(tell.__self__._bar)
                raise error

        with pytest.raises(error):
            work()
        assert bars[0].disable

    def test_signs_that_act_are_written_out(self, at_once, capsys):
        with progress("append to \x1b[31m") as tell:
            tell(Progress(1, 2, "B"))
        assert "\\x1b[31m" in capsys.readouterr().err


class TestInterruptible:
    def test_an_interrupt_cancels_and_goes_on(self):
        kept = []

        def work():
            with interruptible() as cancellation:
                kept.append(cancellation)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            work()
        assert kept[0].cancelled
        with pytest.raises(Cancelled):
            kept[0].check()

    def test_other_errors_do_not(self):
        with pytest.raises(ValueError, match="x"), interruptible() as cancellation:
            raise ValueError("x")
        assert not cancellation.cancelled
