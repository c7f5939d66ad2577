import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hedgerow.core.fleetquery import (
    And,
    Bound,
    Every,
    Exists,
    InvalidQuery,
    Match,
    Near,
    Node,
    Not,
    Or,
    Range,
    Wild,
    parse,
    show,
)
from tests.unit.core.fleetquery.queries import trees

MANY, ONE = Wild.MANY, Wild.ONE


def term(field: str | None, *parts: str | Wild) -> Match:
    return Match(field, (parts,))


# Source: AWS IoT developer guide, "Example thing queries" and "Query syntax", read in November 2026.
DOCUMENTED: dict[str, Node] = {
    "abc": term(None, "abc"),
    "thingName:myThingName": term("thingName", "mythingname"),
    "thingName:my*": term("thingName", "my", MANY),
    "thingName:*my*": term("thingName", MANY, "my", MANY),
    "thingName:ab?": term("thingName", "ab", ONE),
    "attributes.myAttribute:75": term("attributes.myAttribute", "75"),
    "attributes.myAttribute:[75 TO 80]": Range("attributes.myAttribute", Bound(75.0, True), Bound(80.0, True)),
    "attributes.myAttribute:{75 TO 80]": Range("attributes.myAttribute", Bound(75.0, False), Bound(80.0, True)),
    'attributes.n:["abcd" TO "abcf"]': Range("attributes.n", Bound("abcd", True), Bound("abcf", True)),
    "attributes.myAttribute:i*t": term("attributes.myAttribute", "i", MANY, "t"),
    "attributes.attr1:abc AND attributes.attr2<5 NOT attributes.attr3>10": And(
        (
            term("attributes.attr1", "abc"),
            Range("attributes.attr2", None, Bound(5.0, False)),
            Not(Range("attributes.attr3", Bound(10.0, False), None)),
        )
    ),
    "shadow.hasDelta:true": term("shadow.hasDelta", "true"),
    "NOT attributes.model:legacy": Not(term("attributes.model", "legacy")),
    "shadow.reported.stats.battery:{70 TO 100} (v2 OR v3) NOT attributes.model:legacy": And(
        (
            Range("shadow.reported.stats.battery", Bound(70.0, False), Bound(100.0, False)),
            Or((term(None, "v2"), term(None, "v3"))),
            Not(term("attributes.model", "legacy")),
        )
    ),
    "shadow.reported.myvalues:2": term("shadow.reported.myvalues", "2"),
    "shadow.reported.location:* NOT shadow.desired.stats.battery:*": And(
        (Exists("shadow.reported.location"), Not(Exists("shadow.desired.stats.battery")))
    ),
    "shadow.name.$package.reported.p.version : 1": term("shadow.name.$package.reported.p.version", "1"),
    "connectivity.timestamp : [1550793000 TO 1550793060]": Range(
        "connectivity.timestamp", Bound(1550793000.0, True), Bound(1550793060.0, True)
    ),
    "connectivity.timestamp > 1550793060": Range("connectivity.timestamp", Bound(1550793060.0, False), None),
    "deviceDefender.violationCount > 0": Range("deviceDefender.violationCount", Bound(0.0, False), None),
    "thingName:(tv* AND -plasma)": And((term("thingName", "tv", MANY), Not(term("thingName", "plasma")))),
    "shadow.name.Bike1-shadow.reported.coordinates:geo_distance,47.6204,-122.3491,15.5km": Near(
        "shadow.name.Bike1-shadow.reported.coordinates", 47.6204, -122.3491, 15_500.0
    ),
    "*": Every(),
}
ALSO: dict[str, Node] = {
    "a OR b c": Or((term(None, "a"), And((term(None, "b"), term(None, "c"))))),
    "-a": Not(term(None, "a")),
    "NOT (a OR b)": Not(Or((term(None, "a"), term(None, "b")))),
    "a:>=5": Range("a", Bound(5.0, True), None),
    "a<=-5": Range("a", None, Bound(-5.0, True)),
    "a:[-5 TO *]": Range("a", Bound(-5.0, True), None),
    "a:[* TO *]": Exists("a"),
    "a:-5": term("a", "-5"),
    "a:x-y": term("a", "x-y"),
    r"a:x\*y\ z": term("a", "x*y z"),
    'a:"Two  Words"': Match("a", (("two",), ("words",))),
    'a:"AND"': term("a", "and"),
    "and": term(None, "and"),
    "a:geo_distance,1,-2,3": Near("a", 1.0, -2.0, 3.0),
    "a:geo_distance,1,2,>1mi NOT b:x": And((Near("a", 1.0, 2.0, 1609.344, True), Not(term("b", "x")))),
    "a:(geo_distance,1,2,<=5NM OR b)": Or((Near("a", 1.0, 2.0, 9260.0), term("a", "b"))),
    'a:"geo_distance,1,2,1.5 km"': Match("a", (("geo_distance,1,2,1.5",), ("km",))),
    'a:"geo_distance,1,2,1e3ft"': Near("a", 1.0, 2.0, 304.8),
    "NOT:x": term("NOT", "x"),
    r"a:[\5 TO x]": Range("a", Bound("5", True), Bound("x", True)),
}


@pytest.mark.spec("JB-24")
@pytest.mark.parametrize("text", [*DOCUMENTED, *ALSO])
def test_a_query_becomes_its_tree(text: str) -> None:
    assert parse(text) == (DOCUMENTED | ALSO)[text]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("a:", "the query ends at position 3"),
        ("a AND", "the query ends"),
        ("AND a", "'AND' stands at position 1"),
        ("a OR OR b", "'OR' stands"),
        ("(a", "parenthesis at position 1 is not closed"),
        ("a)", "')' stands at position 2"),
        ('a:"b', "quotation mark at position 3"),
        ("a:[1 5]", "has no TO"),
        ("a:[1 TO 5", "not closed"),
        ("a:[1 TO b]", "from a number to a text"),
        ("a:[1* TO 5]", "a value is missing"),
        ("a < *", "needs a value"),
        ("a~", "fuzzy"),
        ("a^2", "boosting"),
        ("a@b", r"escape it as \@"),
        ("/a/", r"escape it as \/"),
        ("+a", "the prefix +"),
        ("!a", "write NOT"),
        ("a && b", "write AND"),
        ("a || b", "write OR"),
        ("a:b:c", "stands at position 4"),
        ("a:(b:c)", "a field inside of a:(…)"),
        ("a*:b", "no name of a field"),
        ("a\\", "nothing to escape"),
        ('""', "is empty"),
        ("a:x*y*z*", "too many wildcards"),
        ("a:??????", "too many wildcards"),
        ("a:*x b:*y", "only one term"),
        ("a:*x AND b:" + "y" * 100, "leading wildcard may have 100 characters"),
        ("geo_distance,1,2,3km", "needs a field"),
        ("a:geo_distance,1,2", "is none of geo_distance,latitude,longitude,distance"),
        ("a:geo_distance,1,2,-3km", "is none of geo_distance"),
        ("a:geo_distance,91,2,3km", "no latitude from -90 to 90"),
        ("a:geo_distance,x,2,3km", "no latitude from -90 to 90"),
        ("a:geo_distance,1,2,3parsec", "a unit such as km"),
        ("a:geo_distance,1,2,>", "is none of geo_distance"),
        ("a:b,c", r"escape it as \,"),
        (" ".join("abcdefghijklm"), "13 terms; 12 are allowed"),
        ("a" * 1001, "1001 characters; 1000 are allowed"),
        ("(" * 21 + "a" + ")" * 21, "nested deeper"),
        ("NOT " * 21 + "a", "nested deeper"),
    ],
)
def test_what_is_wrong_with_a_query_is_said(text: str, words: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse(text)

    assert words in str(caught.value)


def test_dynamic_groups_have_fewer_terms() -> None:
    parse("a b c d e", terms=5)

    with pytest.raises(InvalidQuery, match="6 terms; 5 are allowed"):
        parse("a b c d e f", terms=5)


@given(trees)
def test_what_is_shown_is_parsed_to_the_same_tree(tree: Node) -> None:
    shown = show(tree)
    assume(len(shown) <= 100)  # the limits of leading wildcards have tests of their own
    assume(len(re.findall(r"(?:^|[ (:])[*?]", shown)) <= 1)

    assert _flat(parse(shown)) == _flat(tree)


def _flat(tree: Node) -> Node:
    """Parentheses that change nothing leave no trace."""
    match tree:
        case And(parts):
            return And(tuple(_flat(part) for part in parts))
        case Or(parts):
            return Or(tuple(_flat(part) for part in parts))
        case Not(part):
            return Not(_flat(part))
        case Match(field, words) if len(words) == 1 and len(words[0]) == 1 and words[0][0] is MANY:
            return Every() if field is None else Exists(field)
    return tree


@given(st.text(alphabet='ab:*?"()[]{}<>=-+\\ TOANDRN./~5', max_size=30))
def test_any_text_is_a_query_that_can_be_shown_or_is_refused(text: str) -> None:
    try:
        tree = parse(text)
    except InvalidQuery:
        return

    assert _flat(parse(show(tree))) == _flat(tree)
