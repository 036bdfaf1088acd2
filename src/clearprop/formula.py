"""A formula typed by a person, made into functions: SymPy differentiates, nothing is executed.

The text is read with Python's own grammar and only arithmetic, numbers, the variable and the
functions of :data:`FUNCTIONS` are accepted, so that a formula out of a file cannot run code. Nor
can it keep the machine busy: SymPy works numbers out exactly, so only ordinary ones are let in.
SymPy is imported only here and only when a formula is used.
"""

import ast
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from clearprop import arrays
from clearprop.errors import InputError, MissingDependencyError, unknown_name

__all__ = ["FUNCTIONS", "Formula", "Function", "parse_formula"]


class Function(NamedTuple):
    """A function that formulas may use.

    Attributes
    ----------
    in_sympy, in_arrays : str
        What SymPy and :mod:`clearprop.arrays` call it.
    of_numbers : callable
        The same for Python's numbers.
    arguments : int
        How many it takes.
    """

    in_sympy: str
    in_arrays: str
    of_numbers: Callable[..., float]
    arguments: int = 1


FUNCTIONS: dict[str, Function] = {
    "exp": Function("exp", "exp", math.exp),
    "log": Function("log", "log", math.log),
    "sqrt": Function("sqrt", "sqrt", math.sqrt),
    "tanh": Function("tanh", "tanh", math.tanh),
    "erf": Function("erf", "erf", math.erf),
    "sign": Function("sign", "sign", lambda x: float((x > 0) - (x < 0))),
    "abs": Function("Abs", "abs", abs),
    "max": Function("Max", "maximum", max, arguments=2),
    "min": Function("Min", "minimum", min, arguments=2),
}
# name in the formula -> name in SymPy, and its value
_CONSTANTS = {"pi": ("pi", math.pi), "e": ("E", math.e)}
_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_LONGEST = 1000  # characters; nobody can check a longer formula by reading it
_LARGEST_POWER = 1000
_MOST_BITS = 4096  # of the numerator or denominator of an exact number


class Formula(NamedTuple):
    """What :func:`parse_formula` makes of a text: f(z), its derivative df(z, a), both in LaTeX."""

    text: str
    f: Callable[[Any], Any]
    df: Callable[[Any, Any], Any]
    latex: str
    derivative_latex: str
    analytic: bool


def parse_formula(text: str, variable: str = "z") -> Formula:
    """The function of one variable that ``text`` describes, with its derivative and LaTeX.

    Parameters
    ----------
    text : str
        Python arithmetic in ``variable``: numbers, ``+ - * / **``, parentheses, ``pi``, ``e`` and
        exp, log, sqrt, tanh, erf, sign, abs, max, min. At most 1000 characters.

    Raises
    ------
    InputError
        Where the text holds anything else, which the message names; where a number in it is not
        finite, not real or very long; where it has no derivative in these functions.
    MissingDependencyError
        Where SymPy is not installed.

    Examples
    --------
    >>> square = parse_formula("z**2 / 2")
    >>> square.f(3.0), square.df(3.0, 4.5), square.derivative_latex
    (4.5, 3.0, 'z')
    """
    try:
        import sympy
    except ImportError:
        raise MissingDependencyError(
            "a formula needs SymPy to derive it, and SymPy is not installed; "
            "install it with: pip install sympy"
        ) from None
    given: Any = text
    if not isinstance(given, str) or len(given) > _LONGEST:
        raise InputError(
            f"a formula is a text of at most {_LONGEST} characters; given {repr(given)[:60]}"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            f"the formula {text!r} is not arithmetic in {variable} ({error}); "
            f"expected something like '(sqrt({variable}**2 + 1) - 1)/2 + {variable}'"
        ) from None
    try:
        return _derive(text, tree, sympy.Symbol(variable, real=True), sympy)
    except RecursionError:
        raise InputError(
            f"the formula {text!r} is nested too deeply; expected fewer functions inside functions"
        ) from None


def _derive(text: str, tree: ast.AST, symbol: Any, sympy: Any) -> Formula:
    """The Formula of a syntax tree."""
    expression = _term(tree, text, symbol, sympy).exact
    derivative = sympy.diff(expression, symbol)
    # Off the kink itself |z| and max() are ordinary, and nobody trains on a Dirac delta.
    derivative = derivative.replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    if not (_writable(expression, sympy) and _writable(derivative, sympy)):
        raise InputError(
            f"the formula {text!r} has no finite real derivative that can be written with "
            f"{', '.join(FUNCTIONS)}; expected no division by zero, and inside abs, sign, max and "
            f"min only what is real for every {symbol.name}"
        )
    return Formula(
        text=text,
        f=_callable(text, expression, (symbol,), sympy),
        df=_callable(text, derivative, (symbol, sympy.Symbol("a", real=True)), sympy),
        latex=sympy.latex(expression),
        derivative_latex=sympy.latex(derivative),
        analytic=not expression.has(sympy.Abs, sympy.sign, sympy.Max, sympy.Min),
    )


def _writable(expression: Any, sympy: Any) -> bool:
    """Whether an expression is finite, real, and made of the functions of formulas alone."""
    if expression.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I):
        return False
    classes = [getattr(sympy, function.in_sympy) for function in FUNCTIONS.values()]
    known = (sympy.Heaviside, *(one for one in classes if isinstance(one, type)))
    found = expression.atoms(sympy.Function, sympy.Derivative, sympy.Subs)
    return all(isinstance(part, known) for part in found)


class _Term(NamedTuple):
    """A part of the formula: exact, and as a plain number unless the variable is in it."""

    exact: Any
    number: float | None


def _term(node: ast.AST, text: str, symbol: Any, sympy: Any) -> _Term:
    """What one node of the syntax tree stands for; anything not listed is refused."""

    def inner(*children: ast.AST) -> list[_Term]:
        return [_term(child, text, symbol, sympy) for child in children]

    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            value = _finite(float, [number], text)
            # A decimal is meant exactly as typed: 0.1 is 1/10, not the nearest double.
            return _Term(sympy.Rational(repr(number)), value)
        case ast.Name(id=name) if name == symbol.name:
            return _Term(symbol, None)
        case ast.Name(id=name) if name in _CONSTANTS:
            in_sympy, value = _CONSTANTS[name]
            return _Term(getattr(sympy, in_sympy), value)
        case ast.Name(id=name) if name in FUNCTIONS:
            raise InputError(
                f"in the formula {text!r}, {name} has no argument; expected {name}({symbol.name})"
            )
        case ast.Name(id=name):
            raise unknown_name("name in a formula", name, [symbol.name, *_CONSTANTS, *FUNCTIONS])
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            apply = _OPERATORS[type(op)]
            return _combined(apply, apply, inner(operand), text, symbol)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            apply, terms = _OPERATORS[type(op)], inner(left, right)
            power = terms[1].exact
            if isinstance(op, ast.Pow) and power.is_Rational and abs(power) > _LARGEST_POWER:
                raise _too_large(text)
            return _combined(apply, apply, terms, text, symbol)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in FUNCTIONS:
                raise unknown_name("function in a formula", name, FUNCTIONS)
            function = FUNCTIONS[name]
            if len(arguments) != function.arguments:
                raise InputError(
                    f"in the formula {text!r}, the number of arguments of {name} is "
                    f"{len(arguments)}; expected {function.arguments}"
                )
            exact = getattr(sympy, function.in_sympy)
            return _combined(exact, function.of_numbers, inner(*arguments), text, symbol)
    raise InputError(
        f"the formula {text!r} holds {ast.unparse(node)!r}; expected only numbers, {symbol.name}, "
        f"{', '.join(_CONSTANTS)}, + - * / ** and {', '.join(FUNCTIONS)}"
    )


def _combined(
    exact: Callable[..., Any],
    of_numbers: Callable[..., Any],
    terms: Sequence[_Term],
    text: str,
    symbol: Any,
) -> _Term:
    """A function of terms, exactly and in plain numbers, where the result is an ordinary one."""
    from sympy import Rational

    numbers = [term.number for term in terms if term.number is not None]
    # Python's numbers go first: they overflow at once, where SymPy would write out every digit.
    number = _finite(of_numbers, numbers, text) if len(numbers) == len(terms) else None
    result = exact(*(term.exact for term in terms))
    if number is None and result.is_number:
        raise InputError(
            f"in the formula {text!r}, a part with {symbol.name} in it is always {result}; "
            "expected that number itself"
        )
    if any(max(abs(q.p), q.q).bit_length() > _MOST_BITS for q in result.atoms(Rational)):
        raise _too_large(text)
    return _Term(result, number)


def _finite(function: Callable[..., Any], numbers: Sequence[Any], text: str) -> float:
    """``function(*numbers)`` where that is a finite real number."""
    try:
        value = function(*numbers)
    except (ArithmeticError, ValueError, TypeError):
        value = math.nan
    if isinstance(value, complex) or not math.isfinite(value):
        raise InputError(
            f"the formula {text!r} has a number in it that is infinite, undefined or not real; "
            "expected finite real numbers"
        )
    return float(value)


def _too_large(text: str) -> InputError:
    return InputError(
        f"the formula {text!r} has a power or a number too large to work out exactly; expected "
        f"powers up to {_LARGEST_POWER}"
    )


def _callable(
    text: str, expression: Any, arguments: tuple[Any, ...], sympy: Any
) -> Callable[..., Any]:
    """The expression as a Python function over any array library, in clearprop's own functions."""
    if expression.is_number:
        constant = _finite(float, [expression], text)
        return lambda z, *_: z * 0 + constant
    names = [function.in_arrays for function in FUNCTIONS.values()]
    # Only names of ours can occur: SymPy writes the source out of the checked tree.
    made: Callable[..., Any] = sympy.lambdify(
        arguments,
        expression,
        modules=[{name: getattr(arrays, name, abs) for name in names}],
        printer=_printer(text),
    )
    return made


def _printer(text: str) -> Any:
    """A printer of SymPy expressions as Python source in the functions of clearprop.arrays."""
    from sympy.printing.pycode import PythonCodePrinter

    class Printer(PythonCodePrinter):  # type: ignore[misc]
        def _print(self, expr: Any, **settings: Any) -> str:
            # sqrt(2) or 1/3 as a plain float: a NumPy scalar would turn float32 into float64.
            if getattr(expr, "is_number", False) and not (expr.is_Integer and abs(expr) < 2**53):
                number = repr(_finite(float, [expr], text))
                return f"({number})" if number.startswith("-") else number
            return str(super()._print(expr, **settings))

        def _pair(self, name: str, arguments: Any) -> str:
            # Numbers go last: the array functions take the array first.
            first, *others = sorted(arguments, key=lambda part: bool(part.is_number))
            source = str(self._print(first))
            for other in others:
                source = f"{name}({source}, {self._print(other)})"
            return source

        def _print_Max(self, expr: Any) -> str:  # noqa: N802
            return self._pair("maximum", expr.args)

        def _print_Min(self, expr: Any) -> str:  # noqa: N802
            return self._pair("minimum", expr.args)

        def _print_sign(self, expr: Any) -> str:
            return f"sign({self._print(expr.args[0])})"

        def _print_Heaviside(self, expr: Any) -> str:  # noqa: N802
            # 0 left of the kink, 1 right of it, 1/2 on it.
            return f"((sign({self._print(expr.args[0])}) + 1)/2)"

        def _print_Pow(self, expr: Any, rational: bool = False) -> str:  # noqa: N802
            if expr.exp.is_Rational and abs(expr.exp) * 2 == 1:
                root = f"sqrt({self._print(expr.base)})"
                return root if expr.exp > 0 else f"1/{root}"
            return str(super()._print_Pow(expr, rational=rational))

    functions = {function.in_sympy: function.in_arrays for function in FUNCTIONS.values()}
    return Printer({"fully_qualified_modules": False, "user_functions": functions})
