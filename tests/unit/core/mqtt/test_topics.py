import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.mqtt.limits import AWS_SHAPES, OWN
from hedgerow.core.mqtt.topics import is_filter, is_name, matches, split_share
from hedgerow.core.mqtt.trie import Trie

LEVELS = st.sampled_from(["", "a", "b", "$aws", "$x", "ä"])
topics = st.lists(LEVELS, min_size=1, max_size=5).map("/".join)
filters = st.lists(LEVELS | st.just("+"), min_size=1, max_size=5).flatmap(
    lambda levels: st.sampled_from(["/".join(levels), "/".join([*levels, "#"]), "/".join([*levels[:-1], "#"])])
)


@given(st.lists(st.tuples(filters, st.integers(0, 3)), max_size=12), topics, st.booleans())
def test_the_trie_matches_as_the_naive_matcher(added: list[tuple[str, int]], topic: str, upward: bool) -> None:
    trie: Trie[int] = Trie(parent_of_hash=upward)
    for text, who in added:
        trie.add(text, who, 0)

    expected = sorted(who for text, who in set(added) if matches(text, topic, parent_of_hash=upward))
    assert sorted(who for who, _ in trie.match(topic)) == expected


@given(st.lists(st.tuples(st.booleans(), filters, st.integers(0, 2)), max_size=30), topics)
def test_the_trie_forgets_what_was_removed(steps: list[tuple[bool, str, int]], topic: str) -> None:
    trie: Trie[int] = Trie()
    there: set[tuple[str, int]] = set()
    for add, text, who in steps:
        if add:
            trie.add(text, who, 0)
            there.add((text, who))
        else:
            assert trie.remove(text, who) == ((text, who) in there)
            there.discard((text, who))

    assert trie.size == len(there)
    assert sorted(who for who, _ in trie.match(topic)) == sorted(who for text, who in there if matches(text, topic))


def test_an_empty_trie_has_no_branches_left() -> None:
    trie: Trie[int] = Trie()
    trie.add("a/b/c", 1, 0)
    trie.add("a/b", 1, 0)

    trie.remove("a/b/c", 1)
    trie.remove("a/b", 1)

    assert trie._root.below == {}


def test_options_are_replaced_by_the_newest() -> None:
    trie: Trie[int] = Trie()

    trie.add("a", 1, 0)
    trie.add("a", 1, 1)

    assert trie.match("a") == [(1, 1)]
    assert trie.size == 1


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("#", "a/b", True),
        ("#", "$aws/x", False),
        ("+/x", "$aws/x", False),
        ("$aws/#", "$aws/x", True),
        ("$aws/+", "$aws/x", True),
        ("a/+/c", "a//c", True),
        ("+", "a/b", False),
        ("/+", "/a", True),
        ("+/+", "/a", True),
        ("a/#", "a/", True),
        ("a/#", "b", False),
        ("A", "a", False),
    ],
)
def test_filters_match_as_the_specification_says(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


def test_the_parent_of_a_hash_matches_unless_aws_is_asked_for() -> None:
    assert matches("a/#", "a")
    assert not matches("a/#", "a", parent_of_hash=False)


@pytest.mark.parametrize(
    ("topic", "valid"),
    [
        ("a", True),
        ("/", True),
        ("", False),
        ("a/+", False),
        ("a#", False),
        ("1/2/3/4/5/6/7/8", True),
        ("1/2/3/4/5/6/7/8/9", False),
        ("ä" * 128, True),
        ("ä" * 129, False),
        ("$aws/rules/r/1/2/3/4/5/6/7/8", True),
        ("$aws/rules/r/1/2/3/4/5/6/7/8/9", False),
    ],
)
def test_names_are_valid_within_awss_limits(topic: str, valid: bool) -> None:
    assert is_name(topic, AWS_SHAPES) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("#", True),
        ("a/#", True),
        ("a#", False),
        ("a/#/b", False),
        ("+/a/+", True),
        ("a+/b", False),
        ("", False),
        ("$share/g/a/#", True),
        ("$share/g/1/2/3/4/5/6/7/8", True),
        ("$share/g", False),
        ("$share//a", False),
        ("$share/+/a", False),
        ("1/2/3/4/5/6/7/8/9", False),
    ],
)
def test_filters_are_valid_within_awss_limits(text: str, valid: bool) -> None:
    assert is_filter(text, AWS_SHAPES) is valid


def test_topics_of_commands_may_have_a_level_more() -> None:
    answers = "$aws/commands/things/lamp/executions/+/response/accepted/json"

    assert is_filter(answers, AWS_SHAPES)
    assert not is_filter(answers + "/x", AWS_SHAPES)
    assert not is_filter(answers.replace("commands", "things"), AWS_SHAPES)


def test_own_limits_allow_deep_topics() -> None:
    assert is_name("/".join("abcdefghijklmnop"), OWN)


def test_a_shared_filter_has_a_name_and_a_filter() -> None:
    assert split_share("$share/g/a/b") == ("g", "a/b")
    assert split_share("a/b") == ("", "a/b")
    assert split_share("$share/g") is None
