"""Learning curves: what is drawn is what the history holds, and a picture is whole or not there."""

from pathlib import Path

import pytest

import clearprop as cp
from clearprop.draw.curves import PICTURES, learning_curves, save_picture
from clearprop.history import EpochReport, History

START = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def _history(*losses: float, accuracy: bool = True) -> History:
    return History(
        [
            EpochReport(
                epoch=epoch,
                loss=loss,
                learning_rate=0.1,
                seconds=float(epoch),
                validation_loss=loss + 0.1,
                validation_accuracy=0.5 if accuracy else None,
            )
            for epoch, loss in enumerate(losses, start=1)
        ]
    )


def test_the_curves_are_those_of_the_history() -> None:
    figure = learning_curves(_history(0.9, 0.7, 0.6), monitored="test", title="digits")
    loss, accuracy = figure.axes
    assert figure.get_suptitle() == "digits"
    drawn = {line.get_label(): list(line.get_ydata()) for line in loss.get_lines()}
    assert drawn == {
        "training, epoch's mean": [0.9, 0.7, 0.6],
        "test": pytest.approx([1.0, 0.8, 0.7]),
    }
    assert [list(line.get_xdata()) for line in loss.get_lines()] == [[1, 2, 3]] * 2
    assert [list(line.get_ydata()) for line in accuracy.get_lines()] == [[0.5, 0.5, 0.5]]


def test_without_classes_there_is_one_panel() -> None:
    assert len(learning_curves(_history(0.9, 0.7, accuracy=False)).axes) == 1


def test_a_history_without_validation_has_one_curve() -> None:
    history = History([EpochReport(1, 0.5, 0.1, 1.0), EpochReport(2, 0.4, 0.1, 2.0)])
    (panel,) = learning_curves(history).axes
    assert [line.get_label() for line in panel.get_lines()] == ["training, epoch's mean"]


def test_a_loss_that_falls_far_is_drawn_on_a_logarithmic_scale() -> None:
    assert learning_curves(_history(9.0, 0.001)).axes[0].get_yscale() == "log"
    assert learning_curves(_history(9.0, 5.0)).axes[0].get_yscale() == "linear"


def test_a_loss_of_zero_is_drawn_too() -> None:
    history = History([EpochReport(1, 0.5, 0.1, 1.0), EpochReport(2, 0.0, 0.1, 2.0)])
    assert learning_curves(history).axes[0].get_yscale() == "linear"


def test_a_single_epoch_is_a_point() -> None:
    panel = learning_curves(_history(0.5)).axes[0]
    assert all(line.get_marker() == "o" for line in panel.get_lines())


def test_the_epoch_whose_parameters_were_kept_is_marked() -> None:
    history = _history(0.9, 0.7, 0.8)
    history.best_epoch = 2
    labels = [line.get_label() for line in learning_curves(history).axes[0].get_lines()]
    assert labels[-1] == "best, epoch 2"


def test_a_history_without_epochs_cannot_be_drawn() -> None:
    with pytest.raises(cp.InputError, match="no epoch yet"):
        learning_curves(History())


@pytest.mark.parametrize("ending", PICTURES)
def test_a_picture_is_what_its_name_says_and_the_same_each_time(
    tmp_path: Path, ending: str
) -> None:
    for name in ("one", "two"):
        save_picture(learning_curves(_history(0.9, 0.7)), tmp_path / f"{name}{ending}")
    one, two = ((tmp_path / f"{name}{ending}").read_bytes() for name in ("one", "two"))
    assert one.startswith(START[ending])
    assert one == two
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["curves", "curves.bmp", "curves.csv"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(cp.InputError, match=r"ends in \.png, \.svg, \.pdf"):
        save_picture(learning_curves(_history(0.9)), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(cp.InputError, match=r"nowhere.*cannot be written"):
        save_picture(learning_curves(_history(0.9)), tmp_path / "nowhere" / "curves.png")
