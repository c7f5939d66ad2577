import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.recipe import Version, VersionError, requirement, version

NUMBERS = st.integers(0, 3)
PRERELEASES = st.sampled_from([(), ("alpha",), ("alpha", 1), ("beta",), (1,), (2,), ("rc", 10)])
VERSIONS = st.builds(Version, NUMBERS, NUMBERS, NUMBERS, PRERELEASES)
GRID = [Version(*numbers) for numbers in itertools.product(range(4), range(4), range(4))]


def in_order(*texts: str) -> bool:
    return [str(one) for one in sorted(version(text) for text in reversed(texts))] == list(texts)


def test_the_order_is_that_of_the_specification() -> None:
    assert in_order(
        "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
        "1.0.0-rc.1", "1.0.0", "1.0.1", "1.1.0", "2.0.0",
    )  # fmt: skip


def test_build_metadata_does_not_count() -> None:
    assert version("1.0.0+a") == version("1.0.0+b")
    assert str(version("1.0.0-rc.1+b.7")) == "1.0.0-rc.1+b.7"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.0",
        "01.0.0",
        "1.0.0-",
        "1.0.0-01",
        "1.0.0-a..b",
        "v1.0.0",
        "1.0.0 ",
        "1.0.1000000",
        "1.0.0-" + "a" * 60,
    ],
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(VersionError):
        version(text)


@given(VERSIONS)
def test_a_version_reads_back_as_itself(one: Version) -> None:
    assert version(str(one)) == one


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_total(a: Version, b: Version, c: Version) -> None:
    assert (a < b) + (a == b) + (b < a) == 1
    assert not (a <= b <= c) or a <= c


@given(VERSIONS, VERSIONS)
def test_equal_versions_have_equal_hashes(a: Version, b: Version) -> None:
    assert a != b or hash(a) == hash(b)


def naive_partial(numbers: tuple[int, ...], candidate: Version) -> bool:
    return candidate.numbers[: len(numbers)] == numbers


def naive_tilde(numbers: tuple[int, ...], candidate: Version) -> bool:
    kept = 1 if len(numbers) == 1 else 2
    low = numbers + (0,) * (3 - len(numbers))
    return candidate.numbers[:kept] == numbers[:kept] and candidate.numbers >= low


def naive_caret(numbers: tuple[int, ...], candidate: Version) -> bool:
    low = numbers + (0,) * (3 - len(numbers))
    significant = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
    return candidate.numbers[: significant + 1] == numbers[: significant + 1] and candidate.numbers >= low


def naive_signed(sign: str, numbers: tuple[int, ...], candidate: Version) -> bool:
    head = candidate.numbers[: len(numbers)]
    return {">": head > numbers, ">=": head >= numbers, "<": head < numbers, "<=": head <= numbers}[sign]


PARTIALS = st.lists(NUMBERS, min_size=1, max_size=3).map(tuple)


def dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


@given(PARTIALS, st.sampled_from(["", ".x", ".*"]))
def test_partial_versions_agree_with_the_naive_matcher(numbers: tuple[int, ...], tail: str) -> None:
    wanted = requirement(dotted(numbers) + (tail if len(numbers) < 3 else ""))

    assert [one for one in GRID if wanted.allows(one)] == [one for one in GRID if naive_partial(numbers, one)]


@given(PARTIALS)
def test_tilde_agrees_with_the_naive_matcher(numbers: tuple[int, ...]) -> None:
    wanted = requirement(f"~{dotted(numbers)}")

    assert [one for one in GRID if wanted.allows(one)] == [one for one in GRID if naive_tilde(numbers, one)]


@given(PARTIALS)
def test_caret_agrees_with_the_naive_matcher(numbers: tuple[int, ...]) -> None:
    wanted = requirement(f"^{dotted(numbers)}")

    assert [one for one in GRID if wanted.allows(one)] == [one for one in GRID if naive_caret(numbers, one)]


@given(PARTIALS, st.sampled_from([">", ">=", "<", "<="]), st.sampled_from(["", " "]))
def test_signs_agree_with_the_naive_matcher(numbers: tuple[int, ...], sign: str, blank: str) -> None:
    wanted = requirement(f"{sign}{blank}{dotted(numbers)}")

    assert [one for one in GRID if wanted.allows(one)] == [one for one in GRID if naive_signed(sign, numbers, one)]


@given(PARTIALS, PARTIALS)
def test_hyphen_ranges_are_both_bounds(low: tuple[int, ...], high: tuple[int, ...]) -> None:
    hyphen = requirement(f"{dotted(low)} - {dotted(high)}")
    bounds = requirement(f">={dotted(low)} <={dotted(high)}")

    assert [one for one in GRID if hyphen.allows(one)] == [one for one in GRID if bounds.allows(one)]


RANGES = st.one_of(
    st.tuples(st.sampled_from(["", "^", "~", ">=", "<", "<=", ">", "="]), PARTIALS).map(lambda p: p[0] + dotted(p[1])),
    st.just("*"),
)


@given(RANGES, RANGES, VERSIONS)
def test_intersection_and_choice_are_and_and_or(a: str, b: str, one: Version) -> None:
    assert (requirement(a) & requirement(b)).allows(one) == (requirement(a).allows(one) and requirement(b).allows(one))
    assert requirement(f"{a} || {b}").allows(one) == (requirement(a).allows(one) or requirement(b).allows(one))


@given(RANGES, st.lists(VERSIONS))
def test_best_is_the_newest_that_is_allowed(text: str, candidates: list[Version]) -> None:
    best = requirement(text).best(candidates)

    allowed = [one for one in candidates if requirement(text).allows(one)]
    assert best == (max(allowed) if allowed else None)


@pytest.mark.parametrize(
    ("text", "candidate", "allowed"),
    [
        ("^1.2.3-beta.2", "1.2.3-beta.4", True),
        ("^1.2.3-beta.2", "1.2.4-beta.4", False),
        (">=1.0.0", "2.0.0-alpha", False),
        ("<2.0.0", "2.0.0-alpha", False),
        ("1.x", "2.0.0-0", False),
        ("", "1.2.3", True),
        ("*", "1.2.3-a", False),
        ("=1.0.0", "1.0.0", True),
        (">*", "9.0.0", False),
        ("v1.2.3", "1.2.3", True),
        (">=1.0.0 <1.5.0 || ^3", "3.9.9", True),
        (">=1.0.0 <1.5.0 || ^3", "1.5.0", False),
        ("1.0.0 - 1.9.0", "1.9.0", True),
    ],
)
def test_examples(text: str, candidate: str, allowed: bool) -> None:
    assert requirement(text).allows(candidate) is allowed


@pytest.mark.parametrize("text", ["foo", ">>1", "1.2.3.4", "1.0.0 -", "^", "1.0.0-a..b", "^1.0.0,<2", "||" * 100])
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(VersionError):
        requirement(text)


@given(st.text(alphabet="0123456789.^~<>=xv*-| ab", max_size=20), VERSIONS)
def test_any_text_is_a_requirement_or_refused(text: str, one: Version) -> None:
    try:
        wanted = requirement(text)
    except VersionError:
        return
    assert wanted.allows(one) in (True, False)
