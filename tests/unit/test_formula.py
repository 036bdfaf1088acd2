"""Formulas that people type: what they become, and what is refused."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sympy", reason="formulas need SymPy")

from clearprop.arrays import as_numpy
from clearprop.errors import InputError, MissingDependencyError, UnknownNameError
from clearprop.formula import FUNCTIONS, parse_formula

Z = np.array([-2.5, -0.7, 0.3, 1.9])
POSITIVE = np.array([0.2, 0.9, 2.5, 7.0])

# formula -> (where, f, f')
FORMULAS = {
    "z": (Z, lambda z: z, np.ones_like),
    "z**3": (Z, lambda z: z**3, lambda z: 3 * z**2),
    "-z + +2*z - 1": (Z, lambda z: z - 1, np.ones_like),
    "(sqrt(z**2 + 1) - 1)/2 + z": (
        Z,
        lambda z: (np.sqrt(z**2 + 1) - 1) / 2 + z,
        lambda z: z / (2 * np.sqrt(z**2 + 1)) + 1,
    ),
    "1/(1 + exp(-z))": (
        Z,
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    ),
    "tanh(0.1*z) + erf(z)": (
        Z,
        lambda z: np.tanh(z / 10) + np.vectorize(math.erf)(z),
        lambda z: 0.1 / np.cosh(z / 10) ** 2 + 2 / math.sqrt(math.pi) * np.exp(-(z**2)),
    ),
    "log(z) / sqrt(z)": (
        POSITIVE,
        lambda z: np.log(z) / np.sqrt(z),
        lambda z: (1 - np.log(z) / 2) / z**1.5,
    ),
    "z**(1/3)": (POSITIVE, np.cbrt, lambda z: 1 / (3 * np.cbrt(z) ** 2)),
    "pi*z + e**z": (Z, lambda z: np.pi * z + np.exp(z), lambda z: np.pi + np.exp(z)),
    "2**z": (Z, lambda z: 2**z, lambda z: math.log(2) * 2**z),
    "z / (1 + abs(z))": (Z, lambda z: z / (1 + np.abs(z)), lambda z: 1 / (1 + np.abs(z)) ** 2),
    "max(z, 0) + min(2, z)": (
        Z,
        lambda z: np.maximum(z, 0) + np.minimum(z, 2),
        lambda z: (z > 0) + 1.0 * (z < 2),
    ),
    "min(max(z, -1), 1)": (Z, lambda z: np.clip(z, -1, 1), lambda z: 1.0 * (np.abs(z) < 1)),
    "sign(z) * z**2": (Z, lambda z: np.sign(z) * z**2, lambda z: 2 * np.abs(z)),
    "1e-3*z + 12345678901234567890": (
        Z,
        lambda z: 1e-3 * z + 12345678901234567890,
        lambda z: 0 * z + 1e-3,
    ),
    "2": (Z, lambda z: 0 * z + 2, lambda z: 0 * z),
    "sqrt(2)*pi": (Z, lambda z: 0 * z + math.sqrt(2) * math.pi, lambda z: 0 * z),
}
every_formula = pytest.mark.parametrize("text", FORMULAS)


@every_formula
def test_f_and_its_derivative(text):
    z, f, df = FORMULAS[text]
    formula = parse_formula(text)
    assert np.allclose(formula.f(z), f(z), rtol=1e-14, atol=0)
    assert np.allclose(formula.df(z, formula.f(z)), df(z), rtol=1e-13, atol=1e-16)


@every_formula
def test_float32_stays_float32(text):
    z, f, df = FORMULAS[text]
    formula = parse_formula(text)
    single = z.astype(np.float32)
    assert formula.f(single).dtype == formula.df(single, single).dtype == np.float32
    assert np.allclose(formula.f(single), f(z), rtol=1e-5, atol=1e-5)
    assert np.allclose(formula.df(single, single), df(z), rtol=1e-5, atol=1e-5)


@every_formula
@pytest.mark.parametrize("library", ["torch", "jax.numpy"])
def test_arrays_of_other_libraries(text, library):
    xp = pytest.importorskip(library)
    z, f, df = FORMULAS[text]
    formula = parse_formula(text)
    there = xp.asarray(z)
    for found, expected in ((formula.f(there), f(z)), (formula.df(there, there), df(z))):
        assert type(found) is type(there)
        assert np.allclose(as_numpy(found), expected, rtol=1e-5, atol=1e-5)


@every_formula
def test_there_is_latex_for_people(text):
    formula = parse_formula(text)
    for latex in (formula.latex, formula.derivative_latex):
        assert latex
        assert latex.count("{") == latex.count("}")


def test_a_decimal_is_meant_as_it_is_typed():
    assert parse_formula("0.1*z").latex == r"\frac{z}{10}"


@pytest.mark.parametrize("text", FORMULAS)
def test_what_has_a_kink_is_not_analytic(text):
    kinked = any(name in text for name in ("abs", "max", "min", "sign"))
    assert parse_formula(text).analytic is not kinked


def test_another_variable():
    assert parse_formula("x**2", variable="x").df(3.0, 9.0) == 6


# --- what is refused -----------------------------------------------------------------------------

FOREIGN = [
    "__import__('os')",
    "[].append(z)",
    "().__class__",
    "z.real",
    "z[0]",
    "lambda: z",
    "(z := 1)",
    "'z'",
    "f'{z}'",
    "b'z'",
    "1j*z",
    "True*z",
    "None",
    "...",
    "[z]",
    "{z}",
    "(z, z)",
    "z if z else 1",
    "z > 0",
    "z and 1",
    "not z",
    "~z",
    "z % 2",
    "z // 2",
    "z @ z",
    "z << 2",
    "exp(*z)",
    "exp(z=z)",
    "exp(**z)",
    "max(z, *z)",
    "[z for z in z]",
    "exp",
    "max(exp, z)",
    "exp(exp)(z)",
    "z()",
    "z(z)",
    "print(z)",
    "eval(z)",
    "Abs(z)",
    "sympy",
    "y",
    "a",
    "exp()",
    "exp(z, z)",
    "max(z)",
    "min(z, 1, 2)",
]
NO_ARITHMETIC = [
    "",
    "  ",
    "z z",
    "z +",
    "2z",
    "z\n+1",
    "(z",
    "z; z",
    "import os",
    "\0z",
    "√z",
    "z = 1",
]
NO_NUMBER = [
    "1/0",
    "z + 1/(1 - 1)",
    "z/0",
    "z*0.0**-1",
    "1e999*z",
    "log(0)*z",
    "sqrt(-1)*z",
    "(-8)**(1/3)*z",
    "exp(1000)*z",
    "z**exp(exp(exp(10)))",
    "(1e200*z)**2",
    "exp(600)*exp(600)*z",
    "sign(log(z))",
    "abs(sqrt(z))",
    "0*z",
    "z - z",
    "z/(z - z)",
]
ENDLESS = [
    "9**9**9**9",
    "9**9**9",
    "z**9**9",
    "(2*z)**1000000000",
    "((((9**64)**64)**64)**64)**64",
    "((((1.00000001**999)**999)**999)**999)*z",
    "((((0.5**999)**999)**999)**999)*z",
    "(((((2*z)**999)**999)**999)**999)**999",
    "exp(100)**exp(exp(exp(100)))*z",
    "((2*z/z)**999)**(999**(z/z))",
    "-" * 990 + "z",
    "exp(" * 190 + "z" + ")" * 190,
    "(" * 400 + "z" + ")" * 400,
    "z*" * 499 + "z**z" * 10,
    "z" * 10_000,
]


def brief(text):
    return ascii(text[:40])


@pytest.mark.parametrize("text", [*FOREIGN, *NO_ARITHMETIC, *NO_NUMBER, *ENDLESS], ids=brief)
def test_what_is_no_formula(text):
    with pytest.raises(InputError) as caught:
        parse_formula(text)
    said = str(caught.value)
    assert "formula" in said
    assert "expected" in said or "Known:" in said or "at most 1000 characters" in said


@pytest.mark.parametrize("value", [None, 3, b"z", ["z"], len])
def test_what_is_no_text(value):
    with pytest.raises(InputError, match="a formula is a text of at most 1000 characters; given"):
        parse_formula(value)


def test_a_slip_of_the_pen_is_put_right():
    with pytest.raises(UnknownNameError, match=r"unknown function in a formula 'tahn'.*'tanh'"):
        parse_formula("tahn(z)")
    with pytest.raises(UnknownNameError, match=r"unknown name in a formula 'x'. Known: z, pi, e"):
        parse_formula("x**2")


@given(
    st.text(max_size=40) | st.text(st.sampled_from("z0129.e+-*/() ,pixmaexplogsqrt"), max_size=25)
)
def test_no_text_at_all_does_anything_else_than_this(text):
    try:
        formula = parse_formula(text)
    except InputError:
        return
    with np.errstate(all="ignore"):
        assert np.shape(formula.f(POSITIVE)) == POSITIVE.shape
        assert np.shape(formula.df(POSITIVE, POSITIVE)) == POSITIVE.shape


def test_without_sympy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    with pytest.raises(MissingDependencyError, match="pip install sympy"):
        parse_formula("z")


def test_every_function_has_a_formula_above():
    assert all(any(name + "(" in text for text in FORMULAS) for name in FUNCTIONS)
