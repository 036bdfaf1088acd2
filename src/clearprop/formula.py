"""A formula typed by a person, made into functions: SymPy differentiates, nothing is executed.

The text is read with Python's own grammar and only arithmetic, numbers, the variable and the
functions of :data:`FUNCTIONS` are accepted, so that a formula out of a file cannot run code.
SymPy is imported only here and only when a formula is used.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from clearprop import arrays
from clearprop.errors import InputError, MissingDependencyError, unknown_name

__all__ = ["FUNCTIONS", "Formula", "parse_formula"]

# name in the formula -> (name in SymPy, name in clearprop.arrays)
FUNCTIONS: dict[str, tuple[str, str]] = {
    "exp": ("exp", "exp"),
    "log": ("log", "log"),
    "sqrt": ("sqrt", "sqrt"),
    "tanh": ("tanh", "tanh"),
    "erf": ("erf", "erf"),
    "sign": ("sign", "sign"),
    "abs": ("Abs", "abs"),
    "max": ("Max", "maximum"),
    "min": ("Min", "minimum"),
}
_CONSTANTS = ("pi", "e")
_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_LONGEST = 1000  # characters; deeper nesting than this allows no reader to check a formula


class Formula(NamedTuple):
    """What :func:`parse_formula` makes of a text: f(z), its derivative df(z, a), and both in LaTeX."""

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
        exp, log, sqrt, tanh, erf, sign, abs, max, min.

    Raises
    ------
    InputError
        Where the text holds anything else; the message names it.
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
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise InputError(f"a formula is a text of at most {_LONGEST} characters; given {text!r:.60}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            f"the formula {text!r} is not arithmetic in {variable} ({error}); "
            f"expected something like '(sqrt({variable}**2 + 1) - 1)/2 + {variable}'"
        ) from None
    symbol = sympy.Symbol(variable, real=True)
    expression = sympy.sympify(_build(tree, text, symbol, sympy))
    derivative = sympy.diff(expression, symbol)
    # Off the kink itself |z| and max() are ordinary, and nobody trains on a Dirac delta.
    derivative = derivative.replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    return Formula(
        text=text,
        f=_callable(expression, (symbol,), sympy),
        df=_callable(derivative, (symbol, sympy.Symbol("a", real=True)), sympy),
        latex=sympy.latex(expression),
        derivative_latex=sympy.latex(derivative),
        analytic=not expression.has(sympy.Abs, sympy.sign, sympy.Max, sympy.Min),
    )


def _build(node: ast.AST, text: str, symbol: Any, sympy: Any) -> Any:
    """The SymPy expression of one node of the syntax tree; anything not listed is refused."""

    def inner(child: ast.AST) -> Any:
        return _build(child, text, symbol, sympy)

    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            # A decimal is meant exactly as typed: 0.1 is 1/10, not the nearest double.
            return sympy.Rational(repr(number))
        case ast.Name(id=name) if name == symbol.name:
            return symbol
        case ast.Name(id="pi"):
            return sympy.pi
        case ast.Name(id="e"):
            return sympy.E
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](inner(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            first, second = inner(left), inner(right)
            if isinstance(op, ast.Pow) and not _modest_power(first, second):
                raise InputError(f"the formula {text!r} has a power too large to work out exactly")
            return _OPERATORS[type(op)](first, second)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in FUNCTIONS:
                raise unknown_name("function in a formula", name, FUNCTIONS)
            expected = 2 if name in ("max", "min") else 1
            if len(arguments) != expected:
                raise InputError(
                    f"in the formula {text!r}, {name} has {len(arguments)} arguments; "
                    f"expected {expected}"
                )
            return getattr(sympy, FUNCTIONS[name][0])(*map(inner, arguments))
        case ast.Name(id=name):
            raise unknown_name("name in a formula", name, [symbol.name, *_CONSTANTS, *FUNCTIONS])
    raise InputError(
        f"the formula {text!r} holds {ast.unparse(node)!r}; expected only numbers, {symbol.name}, "
        f"+ - * / ** and {', '.join(FUNCTIONS)}"
    )


def _modest_power(base: Any, exponent: Any) -> bool:
    """Whether a power of numbers is small enough to be worked out exactly (9**9**9 is not)."""
    return not (base.is_number and exponent.is_number) or bool(abs(exponent) <= 64)


def _callable(expression: Any, arguments: tuple[Any, ...], sympy: Any) -> Callable[..., Any]:
    """The expression as a Python function over any array library, in clearprop's own functions."""
    if expression.is_number:
        constant = float(expression)
        return lambda z, *_: z * 0 + constant
    functions = {ours: getattr(arrays, ours, abs) for _, ours in FUNCTIONS.values()}
    # Only names of ours can occur: SymPy writes the source out of the checked tree.
    made: Callable[..., Any] = sympy.lambdify(
        arguments, expression, modules=[functions], printer=_printer()
    )
    return made


def _printer() -> Any:
    """A printer of SymPy expressions as Python source in the functions of clearprop.arrays."""
    from sympy.printing.pycode import PythonCodePrinter

    class Printer(PythonCodePrinter):  # type: ignore[misc]
        def _print(self, expr: Any, **settings: Any) -> str:
            # sqrt(2) or 1/3 as a plain float: a NumPy scalar would turn float32 into float64.
            if getattr(expr, "is_number", False) and not expr.is_Integer:
                number = repr(float(expr))
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

    names = {ours_in_sympy: ours for ours_in_sympy, ours in FUNCTIONS.values()}
    return Printer({"fully_qualified_modules": False, "user_functions": names})
