"""The query language of fleet indexing, without I/O: text to tree, tree to text, and what a tree finds."""

from hedgerow.core.fleetquery.errors import InvalidQuery
from hedgerow.core.fleetquery.fields import Field, fields_of, number_in
from hedgerow.core.fleetquery.finds import UNNAMED, finds
from hedgerow.core.fleetquery.parser import DYNAMIC_GROUP_TERMS, QUERY_TERMS, parse
from hedgerow.core.fleetquery.places import Place, chord, maybe_place, paths, vector
from hedgerow.core.fleetquery.syntax import (
    And,
    Bound,
    Every,
    Exists,
    Match,
    Near,
    Node,
    Not,
    Or,
    Range,
    Wild,
    Word,
    places_in,
    show,
)

__all__ = [
    "DYNAMIC_GROUP_TERMS",
    "QUERY_TERMS",
    "UNNAMED",
    "And",
    "Bound",
    "Every",
    "Exists",
    "Field",
    "InvalidQuery",
    "Match",
    "Near",
    "Node",
    "Not",
    "Or",
    "Place",
    "Range",
    "Wild",
    "Word",
    "chord",
    "fields_of",
    "finds",
    "maybe_place",
    "number_in",
    "parse",
    "paths",
    "places_in",
    "show",
    "vector",
]
