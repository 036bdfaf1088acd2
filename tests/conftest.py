"""What every test relies on: one BLAS thread per worker, the Hypothesis profiles, and MNIST."""

import os

# Several workers run at once. If each of them also kept every core busy inside a matrix product,
# they would wait for one another. BLAS reads these variables when NumPy is first imported.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Derandomized: a failure seen once is seen by everybody. No deadline and no "too slow": how long an
# example takes says something about the machine, nothing about the mathematics.
settings.register_profile(
    "default",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# A search for new counterexamples: `pytest --hypothesis-profile thorough`.
settings.register_profile(
    "thorough", settings.get_profile("default"), derandomize=False, max_examples=2000
)
settings.load_profile("default")


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder ``mnist`` in CLEARPROP_DATA, with the four files of MNIST."""
    data = os.environ.get("CLEARPROP_DATA")
    if not data:
        pytest.skip("CLEARPROP_DATA is not set: it names the folder that holds mnist/")
    folder = Path(data) / "mnist"
    if not folder.is_dir():
        pytest.skip(f"CLEARPROP_DATA={data} holds no folder mnist")
    return folder


def _skips_are_refused() -> bool:
    # Set by .ci/run, which installs everything that any test needs: there, a skip hides something.
    return os.environ.get("CLEARPROP_NO_SKIPS") == "1"


def _skipped(config: pytest.Config) -> list[pytest.TestReport]:
    # Under pytest-xdist only the controller has a terminal, and there all reports come together.
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    return terminal.stats.get("skipped", []) if terminal else []


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.OK and _skips_are_refused() and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = _skipped(terminalreporter.config)
    if skipped and _skips_are_refused():
        terminalreporter.section("skipped, and CLEARPROP_NO_SKIPS=1 allows none", red=True)
        for report in skipped:
            terminalreporter.line(report.nodeid)
