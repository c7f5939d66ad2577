"""Random trees of queries and small fleets, for the laws: what is shown is parsed again, and both engines agree."""

from typing import Any

from hypothesis import strategies as st

from hedgerow.core.fleetquery import And, Bound, Every, Exists, Match, Near, Node, Not, Or, Range, Wild, paths, vector

FIELDS = ("thingName", "attributes.model", "attributes.level", "shadow.reported.on", "shadow.reported.at.x")
TEXTS = ("a", "ab", "abc", "b", "true", "7", "7.5", "-3", "a%b", "a_b", "x\\y", "or")
fields = st.sampled_from(FIELDS)
texts = st.sampled_from(TEXTS)
numbers = st.sampled_from((-3.0, 0.0, 7.0, 7.5, 100.0))


@st.composite
def words(draw: st.DrawFn) -> tuple[str | Wild, ...]:
    text = draw(texts)
    return draw(
        st.sampled_from(
            [
                (text,),
                (text, Wild.MANY),
                (Wild.MANY, text),
                (Wild.ONE, text),
                (text[:1], Wild.MANY, text[-1:]),
                (text, Wild.ONE),
                (Wild.MANY, Wild.ONE, text),
            ]
        )
    )


matches = st.builds(Match, st.one_of(st.none(), fields), st.tuples(words()))
phrases = st.builds(Match, fields, st.lists(texts.map(lambda text: (text,)), min_size=2, max_size=3).map(tuple))


@st.composite
def ranges(draw: st.DrawFn) -> Node:
    ends: Any = numbers if draw(st.booleans()) else texts
    bounds = st.one_of(st.none(), st.builds(Bound, ends, st.booleans()))
    low, high = draw(bounds), draw(bounds)
    if low is None and high is None:
        low = draw(st.builds(Bound, ends, st.booleans()))
    return Range(draw(fields), low, high)


latitudes, longitudes = st.sampled_from((-90.0, 0.0, 47.6, 89.9)), st.sampled_from((-180.0, 0.0, 0.5, 180.0))
nears = st.builds(
    Near, st.just("attributes.at"), latitudes, longitudes, st.sampled_from((0.0, 60_000.0, 1.1e7)), st.booleans()
)

leaves: st.SearchStrategy[Node] = st.one_of(
    st.just(Every()), matches, phrases, ranges(), st.builds(Exists, fields), nears
)


def joined(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(And, several), st.builds(Or, several), st.builds(Not, parts))


trees: st.SearchStrategy[Node] = st.recursive(leaves, joined, max_leaves=5)

scalars: st.SearchStrategy[Any] = st.one_of(
    texts, st.just("ab abc x"), numbers, st.booleans(), st.integers(-3, 8), st.none()
)
documents: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "attributes": st.fixed_dictionaries({}, optional={"model": texts, "level": st.sampled_from(("7", "ab", "-3"))}),
        "shadow": st.fixed_dictionaries(
            {},
            optional={
                "reported": st.fixed_dictionaries(
                    {},
                    optional={
                        "on": st.one_of(scalars, st.lists(scalars, max_size=3)),
                        "at": st.fixed_dictionaries({}, optional={"x": scalars}),
                    },
                )
            },
        ),
        "connectivity": st.fixed_dictionaries({"connected": st.booleans()}),
        "geo": st.tuples(latitudes, longitudes).map(
            lambda place: {
                path.removeprefix("geo."): number
                for path, number in zip(paths("attributes.at"), vector(place), strict=True)
            }
        ),
    },
)
fleets = st.lists(documents, max_size=5).map(
    lambda found: {f"thing{number}": {"thingName": f"thing{number}", **one} for number, one in enumerate(found)}
)
