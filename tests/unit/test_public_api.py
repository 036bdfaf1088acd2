"""What is public: that it is there, that it is documented, and that importing it costs nothing."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import version

import pytest

import clearprop as cp

NAMES = [name for name in cp.__all__ if name != "__version__"]
CALLABLE = [name for name in NAMES if callable(getattr(cp, name))]
PUBLIC_MODULES = [
    found.name
    for found in pkgutil.walk_packages(cp.__path__, "clearprop.")
    if not any(part.startswith("_") for part in found.name.split("."))
]


def ran(code):
    """What a fresh interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("name", cp.__all__)
def test_every_name_can_be_had(name):
    value = getattr(cp, name)
    assert value is not None
    assert getattr(cp, name) is value


def test_the_list_is_what_a_person_sees():
    assert dir(cp) == cp.__all__ or set(cp.__all__) <= set(dir(cp))
    assert len(set(cp.__all__)) == len(cp.__all__)
    assert cp.__version__ == version("clearprop")


def test_the_lazy_names_are_those_that_type_checkers_see():
    # The names are written down three times; a type checker cannot follow __getattr__.
    source = inspect.getsource(cp)
    block = source[source.index("if TYPE_CHECKING:") : source.index("__all__ =")]
    imported = set()
    for line in re.findall(r"import \(?([^()]*?)\)?(?=\n    from|\n\n|$)", block):
        imported |= {name.strip() for name in line.split(",") if name.strip()}
    assert imported == set(NAMES)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match=r"clearprop has no 'Netwrok'; it has .*Network"):
        cp.Netwrok  # noqa: B018
    assert not hasattr(cp, "nothing")


def test_importing_it_imports_nothing_else():
    heavy = "{'numpy', 'scipy', 'sklearn', 'rich', 'typer', 'matplotlib', 'torch', 'jax', 'sympy'}"
    assert ran(f"import sys, clearprop; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_a_network_needs_no_library_that_is_only_for_others():
    heavy = "{'torch', 'jax', 'sympy', 'sklearn', 'matplotlib', 'rich', 'pooch', 'typer'}"
    code = (
        "import sys, clearprop as cp; cp.Network([1, 1]).backprop([[1.0]], [[1.0]]); "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    assert ran(code) == "[]"


# --- documentation -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_everything_has_a_docstring(name):
    value = getattr(cp, name)
    assert inspect.getdoc(value)
    if inspect.isclass(value):
        assert value.__doc__
        for attribute, member in vars(value).items():
            public = not attribute.startswith("_")
            if public and isinstance(member, property | classmethod | staticmethod):
                assert inspect.getdoc(getattr(value, attribute, member)), attribute
            elif public and inspect.isfunction(member):
                assert member.__doc__, attribute


@pytest.mark.parametrize("name", CALLABLE)
def test_whoever_calls_it_learns_how(name):
    value = getattr(cp, name)
    if inspect.isclass(value) and issubclass(value, Exception):
        return
    text = inspect.getdoc(value)
    arguments = [p for p in inspect.signature(value).parameters if p not in ("self", "args")]
    inherited = {
        p
        for parent in getattr(value, "__mro__", ())[1:-1]
        if parent.__module__.startswith("clearprop")
        for p in inspect.signature(parent).parameters
    }
    # What engines make, and nobody else, describes attributes instead.
    described = re.findall(r"^(\w+(?:, \w+)*)(?: : |$)", text, flags=re.MULTILINE)
    known = {one for line in described for one in line.split(", ")}
    known |= {one.lstrip("*") for one in re.findall(r"^\*+\w+", text, flags=re.MULTILINE)}
    if value is not cp.Trace:
        assert set(arguments) - inherited <= known
    assert "Parameters\n---" in text or "Attributes\n---" in text or not set(arguments) - inherited


@pytest.mark.parametrize(
    "name",
    ["Activation", "Initializer", "Loss", "Network", "Scaling", "Trace", "History", "SGD",
     "evaluate", "fit", "one_hot", "train"],
)  # fmt: skip
def test_what_people_start_with_has_an_example(name):
    assert "Examples\n---" in inspect.getdoc(getattr(cp, name))


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_every_module_says_what_it_is_and_what_it_offers(name):
    module = importlib.import_module(name)
    assert module.__doc__
    offered = getattr(module, "__all__", [])
    assert len(set(offered)) == len(offered)
    for public in offered:
        assert hasattr(module, public), public
