"""The exception tree, and what its errors say."""

import inspect
import re

import pytest

from clearprop import errors
from clearprop.errors import ClearpropError, NonFiniteError, UnknownNameError, unknown_name

CLASSES = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if one.__module__ == errors.__name__
]


def drawn_tree():
    """name -> (parent, built-in class) as the module's docstring draws it."""
    parents, path = {}, ["ClearpropError"]
    for line in errors.__doc__.splitlines():
        if found := re.match(r" {4}([│ ]*)[├└]── (\w+)(?: \((\w+)\))?", line):
            depth = len(found[1]) // 4 + 1
            path[depth:] = [found[2]]
            parents[found[2]] = (path[depth - 1], found[3])
    return parents


def test_the_tree_drawn_in_the_docstring_is_the_real_one():
    real = {}
    for one in CLASSES:
        if one is not ClearpropError:
            parent, *built_in = one.__bases__
            real[one.__name__] = (parent.__name__, built_in[0].__name__ if built_in else None)
    # A class that inherits its built-in class from another of ours is drawn without one.
    assert drawn_tree() == real


def test_every_error_is_one_of_ours_and_public():
    assert {one.__name__ for one in CLASSES} | {"unknown_name"} == set(errors.__all__)
    assert all(issubclass(one, ClearpropError) for one in CLASSES)
    assert all(one.__doc__ for one in CLASSES)


def test_an_unknown_name_says_what_was_given_and_what_is_known():
    error = unknown_name("loss", "kross_entropy", ["quadratic", "cross_entropy"])
    assert isinstance(error, UnknownNameError)
    assert str(error) == (
        "unknown loss 'kross_entropy'; did you mean 'cross_entropy'? "
        "Known: quadratic, cross_entropy"
    )


def test_a_name_in_capitals_is_nearly_right():
    assert "did you mean 'relu'?" in str(unknown_name("activation", "ReLU", ["tanh", "relu"]))
    assert "did you mean 'Width'?" in str(unknown_name("column", "width", ["Width", "Height"]))


@pytest.mark.parametrize("given", ["zzzzz", 7, None, ("relu",)])
def test_nothing_is_suggested_where_nothing_is_near(given):
    assert str(unknown_name("activation", given, ["tanh"])) == (
        f"unknown activation {given!r}. Known: tanh"
    )


def test_a_non_finite_error_says_where_it_happened():
    error = NonFiniteError("oh", quantity="z", layer=3, epoch=2, batch=7)
    assert isinstance(error, ArithmeticError)
    assert (error.quantity, error.layer, error.epoch, error.batch) == ("z", 3, 2, 7)
