"""The bar: there where it is wanted, and silent where output is no terminal."""

import io
import sys

import pytest

import clearprop as cp
from clearprop.progress import Bar, Silent, choose_progress

DATA = ([[0.0], [1.0]], [[1.0], [0.0]])


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def to_terminal(monkeypatch):
    """Makes standard error a terminal 100 columns wide (called by the test: pytest resets it)."""

    def become():
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setenv("TERM", "xterm-256color")
        return sys.stderr

    return become


def fit(**settings):
    return cp.fit(
        cp.Network([1, 1], seed=0), DATA, epochs=3, batch_size=1, validation_data=DATA, **settings
    )


def test_silent_where_output_is_no_terminal(capsys):
    fit()
    assert capsys.readouterr() == ("", "")


def test_silent_where_it_is_not_wanted(to_terminal):
    terminal = to_terminal()
    fit(progress=False)
    assert terminal.getvalue() == ""


def test_shown_on_a_terminal_and_then_gone(to_terminal, capsys):
    terminal = to_terminal()
    fit()
    shown = terminal.getvalue()
    assert "epoch 3" in shown
    assert "loss" in shown
    assert "accuracy" in shown
    assert "100%" in shown
    assert shown.endswith("\x1b[2K")  # the line is erased
    assert capsys.readouterr().out == ""


def test_where_it_is_asked_for_its_last_state_is_left_in_a_file(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    fit(progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 3  loss" in err
    assert "100%" in err
    assert "\x1b" not in err


def test_the_bar_is_cleared_away_after_an_error(to_terminal):
    terminal = to_terminal()

    def fail(net, report):
        raise RuntimeError("a callback of one's own")

    with pytest.raises(RuntimeError, match="of one's own"):
        fit(callbacks=[fail])
    assert terminal.getvalue().endswith("\x1b[2K")


@pytest.mark.parametrize(("wanted", "kind"), [(True, Bar), (False, Silent), (None, Silent)])
def test_which_is_chosen(wanted, kind, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(choose_progress(wanted, total=3)) is kind


def test_a_terminal_has_a_bar(to_terminal):
    to_terminal()
    assert type(choose_progress(None, total=3)) is Bar


def test_silence_takes_whatever_it_is_told():
    with Silent() as silent:
        assert silent.advance(3) is None
        assert silent.describe("epoch 1") is None
