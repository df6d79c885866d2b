"""The benchmark refuses results that contradict each other."""

from dataclasses import replace

import pytest

from bench.checks import ImplausibleResults, check
from bench.measure import PROFILE_SIZES
from bench.memory_sizes import MEMORY_OF_ONE_CORE_MB, MEMORY_SIZES_MB
from bench.results import (
    ImportTimes,
    MemoryResult,
    PackageResult,
    Results,
    Run,
    SizeResult,
    Summary,
)

SERVICE = "this service"
PEER = "a peer"
RUN = Run(
    init_ms=167.0,
    first_request_ms=3.0,
    get_cpu_ms=1.7,
    post_cpu_ms=2.1,
    get_duration_ms=1.5,
    peak_memory_mb=37.6,
)
SLOWER_RUN = replace(RUN, init_ms=180.0, get_cpu_ms=2.0)
INF = float("inf")
NAN = float("nan")


def good_results() -> Results:
    """The results of two rounds, like those in bench/results.md."""
    packages = [
        PackageResult(SERVICE, 2_000_000, [RUN, SLOWER_RUN]),
        PackageResult(PEER, 18_000_000, [SLOWER_RUN, RUN]),
    ]
    sizes = [
        size_result(size, replace(RUN, get_cpu_ms=1.7 * growth, post_cpu_ms=2.1 * growth))
        for size, growth in zip(PROFILE_SIZES, (1, 1.5, 7, 27), strict=True)
    ]
    by_memory = [
        memory_result(name, memory_mb, 170.0 * MEMORY_OF_ONE_CORE_MB / memory_mb)
        for name in (SERVICE, PEER)
        for memory_mb in MEMORY_SIZES_MB
    ]
    return Results(
        rounds=2,
        packages=packages,
        reference=packages[1],
        sizes=sizes,
        imports=ImportTimes(200.0, {"app": 20.0, "botocore.utils": 150.0}),
        by_memory=by_memory,
    )


def size_result(size: int, run: Run) -> SizeResult:
    service = PackageResult(SERVICE, 2_000_000, [run])
    return SizeResult(size, service, PackageResult(PEER, 18_000_000, [run]))


def memory_result(package: str, memory_mb: int, first_answer_ms: float) -> MemoryResult:
    return MemoryResult(package, memory_mb, first_answer_ms, 1.5, 0.35)


def with_service_runs(runs: list[Run]) -> Results:
    good = good_results()
    service = replace(good.service, runs=runs)
    return replace(good, packages=[service, good.reference])


def with_size(index: int, run: Run) -> Results:
    good = good_results()
    good.sizes[index] = size_result(PROFILE_SIZES[index], run)
    return good


def with_start(memory_mb: int, first_answer_ms: float) -> Results:
    good = good_results()
    index = MEMORY_SIZES_MB.index(memory_mb)  # the service's results are first
    good.by_memory[index] = memory_result(SERVICE, memory_mb, first_answer_ms)
    return good


def without(field: str) -> Results:
    """Good results without the first element of one list."""
    good = good_results()
    return replace(good, **{field: getattr(good, field)[1:]})


def test_good_results_are_accepted() -> None:
    check(good_results())


@pytest.mark.parametrize("rounds", [1, 2, 9])
def test_results_that_are_equal_in_all_rounds_are_accepted(rounds: int) -> None:
    """Interpolating between equal values has rounding errors."""
    good = good_results()
    run = replace(RUN, init_ms=108.74108208590582)
    packages = [PackageResult(name, 1, [run] * rounds) for name in (SERVICE, PEER)]
    check(replace(good, rounds=rounds, packages=packages, reference=packages[1]))


def test_a_median_outside_its_quartiles_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def summary(*_: object) -> Summary:
        return Summary(median=2.0, lower_quartile=1.0, upper_quartile=1.5, ratio=1.0)

    monkeypatch.setattr(PackageResult, "summary", summary)
    with pytest.raises(ImplausibleResults, match="is not between the quartiles"):
        check(good_results())


def test_results_without_memory_sizes_are_accepted() -> None:
    """Control groups cannot be created on every machine."""
    check(replace(good_results(), by_memory=[]))


@pytest.mark.parametrize(
    "imports",
    [
        # The start waited for a database that did not respond.
        pytest.param(ImportTimes(1200, {"app": 1003.0, "botocore": 160.0}), id="the start waits"),
        pytest.param(ImportTimes(167, {"app": 1003.0, "botocore": 160.0}), id="parts beyond whole"),
        pytest.param(ImportTimes(200, {"app": 201.5}), id="parts a little beyond whole"),
        pytest.param(ImportTimes(200, {"app": 139.0}), id="parts are missing"),
        pytest.param(ImportTimes(200, {"botocore": 170.0}), id="app is missing"),
        pytest.param(ImportTimes(NAN, {"app": 170.0}), id="whole is not a number"),
        pytest.param(ImportTimes(200, {"app": INF}), id="a part is infinite"),
    ],
)
def test_imports_that_do_not_fit_the_start_are_refused(imports: ImportTimes) -> None:
    with pytest.raises(ImplausibleResults, match=r"import|init phase"):
        check(replace(good_results(), imports=imports))


@pytest.mark.parametrize("own_ms", [141.0, 200.5])
def test_imports_may_take_most_of_the_start(own_ms: float) -> None:
    check(replace(good_results(), imports=ImportTimes(200, {"app": own_ms})))


@pytest.mark.parametrize("value", [0.0, -1.0, NAN, INF])
def test_a_value_without_a_ratio_is_refused(value: float) -> None:
    with pytest.raises(ImplausibleResults, match="this service, round 2"):
        check(with_service_runs([RUN, replace(RUN, get_cpu_ms=value)]))


@pytest.mark.parametrize("runs", [[], [RUN], [RUN] * 3], ids=len)
def test_a_package_with_other_rounds_is_refused(runs: list[Run]) -> None:
    with pytest.raises(ImplausibleResults, match="runs of 2 rounds"):
        check(with_service_runs(runs))


@pytest.mark.parametrize("field", ["sizes", "by_memory"])
def test_a_missing_row_is_refused(field: str) -> None:
    with pytest.raises(ImplausibleResults):
        check(without(field))


def test_a_reference_that_was_not_measured_is_refused() -> None:
    stranger = PackageResult("another", 1, [RUN, RUN])
    with pytest.raises(ImplausibleResults, match="not among the packages"):
        check(replace(good_results(), reference=stranger))


@pytest.mark.parametrize("field", ["get_cpu_ms", "post_cpu_ms", "peak_memory_mb"])
def test_a_larger_profile_that_costs_less_is_refused(field: str) -> None:
    (smaller,) = good_results().sizes[1].service.runs
    (larger,) = good_results().sizes[2].service.runs
    less = replace(larger, **{field: getattr(smaller, field) * 0.79})
    about_the_same = replace(larger, **{field: getattr(smaller, field) * 0.81})
    check(with_size(2, about_the_same))
    with pytest.raises(ImplausibleResults, match=rf"{field} is .* for 100000 bytes"):
        check(with_size(2, less))


def test_a_usual_profile_unlike_the_rounds_is_refused() -> None:
    with pytest.raises(ImplausibleResults, match=r"for 1000 bytes is 0\.5, but 1\.9 in the rounds"):
        check(with_size(0, replace(RUN, get_cpu_ms=0.5)))


def test_a_slower_start_with_more_memory_is_refused() -> None:
    with_512_mb = 170 * MEMORY_OF_ONE_CORE_MB / 512
    check(with_start(1024, with_512_mb * 1.24))
    with pytest.raises(ImplausibleResults, match=r"with 1024 MB, but in .* with 512 MB"):
        check(with_start(1024, with_512_mb * 1.26))


def test_a_start_with_one_core_unlike_the_rounds_is_refused() -> None:
    with pytest.raises(ImplausibleResults, match="start with one core"):
        check(with_start(MEMORY_OF_ONE_CORE_MB, 50.0))


def test_every_contradiction_is_named_in_a_line_of_its_own() -> None:
    good = good_results()
    bad = replace(good, rounds=3, reference=PackageResult("another", 1, []))
    with pytest.raises(ImplausibleResults) as caught:
        check(bad)
    assert len(str(caught.value).splitlines()) == 3
