"""The set of topics that can be asked by filter agrees with the plain matcher, whatever was added and taken away."""

from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.mqtt.names import Names, _Level
from hedgerow.core.mqtt.topics import matches

levels = st.sampled_from(("a", "b", "", "$x"))
topics = st.lists(levels, min_size=1, max_size=4).map("/".join)
filters = st.tuples(st.lists(st.sampled_from(("a", "b", "", "$x", "+")), max_size=4), st.sampled_from(([], ["#"]))).map(
    lambda parts: "/".join([*parts[0], *parts[1]]) or "#"
)


@given(st.lists(topics, max_size=12), st.lists(topics, max_size=12), filters, st.booleans())
def test_names_are_found_as_filters_match(added: list[str], taken: list[str], text: str, upward: bool) -> None:
    names = Names()
    for topic in added:
        names.add(topic)
    for topic in taken:
        names.discard(topic)

    found = [topic for topic in names.matching(text, parent_of_hash=upward) if topic is not None]

    left = set(added) - set(taken)
    assert sorted(found) == sorted(topic for topic in left if matches(text, topic, parent_of_hash=upward))


@given(st.lists(topics, max_size=12))
def test_what_is_taken_away_leaves_nothing_behind(added: list[str]) -> None:
    names = Names()
    for topic in added:
        names.add(topic)
    for topic in added:
        names.discard(topic)

    root: _Level = names._root
    assert root.below == {}


def test_names_may_change_while_they_are_looked_at() -> None:
    names = Names()
    for number in range(10):
        names.add(f"a/{number}")
    found = names.matching("a/#")

    first = [next(found) for _ in range(4)]
    for number in range(10):
        names.discard(f"a/{number}")
    names.add("a/new")
    rest = list(found)

    assert None in first
    assert "a/new" not in rest


def test_a_filter_that_matches_nothing_costs_no_more_than_its_branches() -> None:
    names = Names()
    for number in range(1000):
        names.add(f"a/{number}/b")

    assert len(list(names.matching("a/7/nothing/#"))) <= 1
