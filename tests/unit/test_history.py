"""What training reports, epoch by epoch."""

import dataclasses
import json

import pytest

import clearprop as cp
from clearprop.errors import UnknownNameError

FIRST = cp.EpochReport(epoch=1, loss=0.5, learning_rate=0.1, seconds=1.5)
SECOND = cp.EpochReport(2, 0.25, 0.1, 3.0, validation_loss=0.3, validation_accuracy=0.875)


@pytest.fixture
def history():
    return cp.History([FIRST, SECOND], engine="reference")


def test_a_sequence_of_reports(history):
    assert len(history) == 2
    assert list(history) == [FIRST, SECOND]


def test_one_column_of_all_reports(history):
    assert history["loss"] == [0.5, 0.25]
    assert history["validation_accuracy"] == [None, 0.875]
    for field in dataclasses.fields(cp.EpochReport):
        assert len(history[field.name]) == 2
        assert cp.History()[field.name] == []


def test_a_column_that_does_not_exist(history):
    with pytest.raises(UnknownNameError, match=r"unknown column of a history 'los'.*'loss'"):
        history["los"]
    with pytest.raises(UnknownNameError, match="unknown column of a history 0"):
        cp.History()[0]


def test_plain_numbers_for_json(history):
    history.stopped = "callback"
    plain = json.loads(json.dumps(history.as_dict()))
    assert plain["epochs"][1]["validation_loss"] == 0.3
    assert plain["stopped"] == "callback"
    assert plain["best_epoch"] is None
    assert plain["engine"] == "reference"


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (FIRST, "epoch 1  loss 0.5"),
        (SECOND, "epoch 2  loss 0.25  accuracy 87.50%"),
        (
            dataclasses.replace(SECOND, validation_accuracy=None),
            "epoch 2  loss 0.25  validation loss 0.3",
        ),
    ],
)
def test_a_report_in_one_line(report, text):
    assert str(report) == text


def test_a_history_in_one_line(history):
    assert repr(history) == "<History of 2 epochs; epoch 2  loss 0.25  accuracy 87.50%>"
    history.epochs.append(dataclasses.replace(FIRST, epoch=3))
    assert repr(history) == "<History of 3 epochs; epoch 3  loss 0.5>"
    history.stopped = "early stopping"
    assert repr(history).endswith("; stopped: early stopping>")
    assert repr(cp.History()) == "<History of 0 epochs>"
