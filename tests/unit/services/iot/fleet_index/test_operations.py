"""Indexes are turned on, built, kept, searched and counted in."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller
from tests.support.indexing import IndexBench
from tests.support.store import CALLER, OTHER_ACCOUNT

ON: dict[str, Any] = {"thingIndexingMode": "REGISTRY_AND_SHADOW", "thingConnectivityIndexingMode": "STATUS"}


@pytest.fixture
def bench() -> IndexBench:
    return IndexBench()


def configure(bench: IndexBench, caller: Caller = CALLER, **things: Any) -> None:
    bench.call("UpdateIndexingConfiguration", caller, thingIndexingConfiguration={**ON, **things})
    bench.settle()


def found(bench: IndexBench, query: str, caller: Caller = CALLER, **more: Any) -> list[str]:
    return [one["thingName"] for one in bench.call("SearchIndex", caller, queryString=query, **more)["things"]]


def refused(bench: IndexBench, operation: str, **members: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        bench.call(operation, **members)
    return caught.value


@pytest.mark.spec("JB-24")
def test_what_was_there_before_is_found_once_the_index_is_built(bench: IndexBench) -> None:
    for number in range(60):
        bench.thing(f"pump-{number:02}", attributePayload={"attributes": {"model": "m2" if number % 2 else "m1"}})

    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration=ON)
    building = bench.call("DescribeIndex", indexName="AWS_Things")
    early = refused(bench, "SearchIndex", queryString="*")
    bench.settle()

    assert (building["indexStatus"], early.code) == ("BUILDING", "IndexNotReadyException")
    assert bench.call("DescribeIndex", indexName="AWS_Things") == {
        "indexName": "AWS_Things",
        "indexStatus": "ACTIVE",
        "schema": "REGISTRY_AND_SHADOW_AND_CONNECTIVITY_STATUS",
    }
    assert len(found(bench, "attributes.model:m1")) == 30
    assert bench.call("ListIndices") == {"indexNames": ["AWS_Things"]}


def test_an_index_that_is_off_says_so_and_one_that_is_none_says_which_there_are(bench: IndexBench) -> None:
    off = refused(bench, "DescribeIndex", indexName="AWS_Things")
    none = refused(bench, "DescribeIndex", indexName="Things")

    assert (off.code, none.code) == ("ResourceNotFoundException", "ResourceNotFoundException")
    assert "AWS_Things is off" in str(off)
    assert "the indexes are AWS_Things and AWS_ThingGroups" in str(none)


def test_changes_of_the_registry_are_followed(bench: IndexBench) -> None:
    configure(bench)
    bench.thing("a", attributePayload={"attributes": {"site": "north"}})
    bench.group("pumps")
    bench.registry_call("AddThingToThingGroup", thingName="a", thingGroupName="pumps")
    bench.settle()
    first = found(bench, "attributes.site:north AND thingGroupNames:pumps")

    bench.registry_call("UpdateThing", thingName="a", attributePayload={"attributes": {"site": "south"}})
    bench.registry_call("RemoveThingFromThingGroup", thingName="a", thingGroupName="pumps")
    bench.settle()
    second = (found(bench, "attributes.site:north"), found(bench, "attributes.site:south NOT thingGroupNames:pumps"))
    bench.registry_call("DeleteThing", thingName="a")
    bench.settle()

    assert (first, second, found(bench, "*")) == (["a"], ([], ["a"]), [])


def test_changes_that_wait_are_written_some_at_a_time_and_each_thing_once(bench: IndexBench) -> None:
    configure(bench)
    for number in range(70):
        bench.thing(f"thing-{number:02}")
        bench.registry_call("UpdateThing", thingName=f"thing-{number:02}", attributePayload={"attributes": {"a": "b"}})
    bench.thing("other", caller=OTHER_ACCOUNT)
    before = bench.waiting()

    bench.step()

    assert (before, bench.waiting(), len(found(bench, "attributes.a:b"))) == (140, 76, 32)


def test_a_change_whose_writing_failed_is_tried_by_itself(bench: IndexBench) -> None:
    configure(bench)
    for number in range(4):
        bench.thing(f"thing-{number}")
    bench.count_a_failure()  # of the first

    bench.step()
    alone = found(bench, "*")
    bench.step()

    assert (alone, bench.waiting(), len(found(bench, "*"))) == (["thing-0"], 0, 4)


def test_shadows_are_shown_as_text_and_found_by_their_leaves(bench: IndexBench) -> None:
    configure(bench, namedShadowIndexingMode="ON", filter={"namedShadowNames": ["config"]})
    bench.thing("a")
    bench.shadow("a", {"desired": {"volts": 8}, "reported": {"volts": 7.5, "on": True}})
    bench.shadow("a", {"reported": {"mode": "eco"}}, name="config")
    bench.shadow("a", {"reported": {"mode": "secret"}}, name="other")
    bench.settle()

    (one,) = bench.call("SearchIndex", queryString="shadow.reported.volts<8 AND shadow.hasDelta:true")["things"]
    shadow = json.loads(one["shadow"])
    assert shadow["reported"] == {"volts": 7.5, "on": True}
    assert shadow["delta"] == {"volts": 8}
    assert (shadow["hasDelta"], shadow["version"], shadow["name"]["config"]["version"]) == (True, 1, 1)
    assert shadow["timestamp"] == 1_800_000_000
    assert found(bench, "shadow.name.config.reported.mode:eco") == ["a"]
    assert found(bench, "secret") == []
    bench.shadow("a", None)
    bench.settle()
    assert found(bench, "shadow.reported.volts:*") == []


def test_groups_have_an_index_of_their_own(bench: IndexBench) -> None:
    bench.group("plant", thingGroupProperties={"thingGroupDescription": "The old Plant"})
    bench.group("hall", parentGroupName="plant")
    bench.call("UpdateIndexingConfiguration", thingGroupIndexingConfiguration={"thingGroupIndexingMode": "ON"})
    bench.settle()
    bench.group("shed", parentGroupName="plant")
    bench.registry_call("DeleteThingGroup", thingGroupName="hall")
    bench.settle()

    groups = bench.call("SearchIndex", indexName="AWS_ThingGroups", queryString="parentGroupNames:plant OR old")
    assert [one["thingGroupName"] for one in groups["thingGroups"]] == ["plant", "shed"]
    assert groups["thingGroups"][1]["parentGroupNames"] == ["plant"]
    described = bench.call("SearchIndex", indexName="AWS_ThingGroups", queryString='description:"old plant"')
    assert [one["thingGroupName"] for one in described["thingGroups"]] == ["plant"]


def test_an_index_that_is_off_costs_nothing_and_answers_nothing(bench: IndexBench) -> None:
    configure(bench)
    bench.thing("a")
    bench.settle()

    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration={"thingIndexingMode": "OFF"})
    bench.settle()
    bench.thing("b")

    assert bench.waiting() == 0
    assert bench.documents() == []
    assert refused(bench, "SearchIndex", queryString="*").code == "IndexNotReadyException"
    assert refused(bench, "DescribeIndex", indexName="AWS_Things").code == "ResourceNotFoundException"


def test_a_new_setup_overtakes_the_build_of_the_one_before(bench: IndexBench) -> None:
    for number in range(60):
        bench.thing(f"t{number:02}")
    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration=ON)
    bench.step()

    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})
    bench.settle()

    assert len(found(bench, "*")) == 60
    assert bench.call("DescribeIndex", indexName="AWS_Things")["schema"] == "REGISTRY"


def test_an_index_that_is_built_anew_goes_on_answering(bench: IndexBench) -> None:
    configure(bench, thingIndexingMode="REGISTRY")
    for number in range(60):
        bench.thing(f"t{number:02}")
    bench.shadow("t42", {"reported": {"volts": 7}})
    bench.settle()

    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration=ON)
    status = bench.call("DescribeIndex", indexName="AWS_Things")["indexStatus"]
    meanwhile = [len(found(bench, "*"))]
    while bench.step():
        meanwhile.append(len(found(bench, "*")))

    assert (status, set(meanwhile)) == ("REBUILDING", {60})
    assert found(bench, "shadow.reported.volts:7") == ["t42"]
    configure(bench, thingIndexingMode="REGISTRY")
    assert found(bench, "shadow.reported.volts:7") == []


def test_the_same_setup_again_builds_nothing(bench: IndexBench) -> None:
    configure(bench)

    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration=ON)

    assert bench.call("DescribeIndex", indexName="AWS_Things")["indexStatus"] == "ACTIVE"
    assert bench.waiting() == 0


def test_a_setup_is_told_with_its_managed_fields_and_may_be_sent_back(bench: IndexBench) -> None:
    custom = [{"name": "attributes.model", "type": "String"}]
    configure(bench, customFields=custom, namedShadowIndexingMode="ON", filter={"namedShadowNames": ["x"]})

    told = bench.call("GetIndexingConfiguration")["thingIndexingConfiguration"]
    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration=told)

    assert told["customFields"] == custom
    assert told["filter"] == {"namedShadowNames": ["x"]}
    assert {"name": "connectivity.connected", "type": "Boolean"} in told["managedFields"]
    assert bench.waiting() == 0


@pytest.mark.parametrize(
    ("things", "words"),
    [
        ({"deviceDefenderIndexingMode": "VIOLATIONS"}, "VIOLATIONS is not implemented"),
        ({"filter": {"namedShadowNames": ["a"]}}, "needs namedShadowIndexingMode ON"),
        ({"customFields": [{"name": "thingName", "type": "String"}]}, "no field of attributes or shadows"),
        ({"customFields": [{"name": "attributes.a", "type": "Number"}] * 2}, "names attributes.a twice"),
        ({"customFields": [{"name": f"attributes.{name}", "type": "Number"} for name in "abcdef"]}, "5 are allowed"),
        ({"filter": {"geoLocations": [{"name": f"attributes.{name}"} for name in "ab"]}}, "1 is allowed"),
        ({"filter": {"geoLocations": [{"order": "LatLon"}]}}, "must have a name"),
        ({"filter": {"geoLocations": [{"name": "thingName"}]}}, "no field of attributes or shadows"),
        ({"filter": {"geoLocations": [{"name": "shadow.name.a.reported.at"}]}}, "not among filter.namedShadowNames"),
        (
            {"thingIndexingMode": "REGISTRY", "filter": {"geoLocations": [{"name": "shadow.reported.at"}]}},
            "needs thingIndexingMode REGISTRY_AND_SHADOW",
        ),
        (
            {
                "thingConnectivityIndexingMode": "OFF",
                "filter": {"connectivity": {"includeSocketInformation": ["GET_THING_CONNECTIVITY_DATA"]}},
            },
            "needs thingConnectivityIndexingMode STATUS",
        ),
        (
            {"thingIndexingMode": "REGISTRY", "customFields": [{"name": "shadow.reported.a", "type": "Number"}]},
            "customFields: shadow.reported.a needs thingIndexingMode REGISTRY_AND_SHADOW",
        ),
        ({"customFields": [{"name": "shadow.name.x.reported.a", "type": "Number"}]}, "is not among filter.named"),
        ({"managedFields": [{"name": "attributes.a", "type": "Number"}]}, "is not managed as that"),
        ({"thingIndexingMode": "OFF"}, "OFF goes with neither"),
    ],
)
def test_a_setup_that_cannot_be_honoured_is_refused_and_changes_nothing(
    bench: IndexBench, things: Mapping[str, Any], words: str
) -> None:
    error = refused(bench, "UpdateIndexingConfiguration", thingIndexingConfiguration={**ON, **things})

    assert words in str(error)
    told = bench.call("GetIndexingConfiguration")["thingIndexingConfiguration"]
    assert told["thingIndexingMode"] == "OFF"


def test_things_are_found_by_where_they_are(bench: IndexBench) -> None:
    places = [{"name": "shadow.name.gps.reported.at", "order": "LonLat"}]
    configure(bench, namedShadowIndexingMode="ON", filter={"namedShadowNames": ["gps"], "geoLocations": places})
    for name in ("near", "far", "nowhere"):
        bench.thing(name)
    bench.shadow("near", {"reported": {"at": [-122.3333, 47.6153]}}, name="gps")
    bench.shadow("far", {"reported": {"at": [13.4, 52.5]}}, name="gps")
    bench.shadow("nowhere", {"reported": {"at": "unknown"}}, name="gps")
    bench.settle()
    at = "shadow.name.gps.reported.at:geo_distance,47.6204,-122.3491"

    assert found(bench, f"{at},15.5km") == ["near"]
    assert found(bench, f"{at},1km") == []
    assert found(bench, f"{at},>1000km") == ["far"]
    assert found(bench, f"NOT {at},15.5km AND thingName:n*") == ["nowhere"]
    bench.shadow("near", {"reported": {"at": [13.4, 52.5]}}, name="gps")
    bench.settle()
    assert found(bench, f"{at},15.5km") == []
    assert bench.call("GetIndexingConfiguration")["thingIndexingConfiguration"]["filter"] == {
        "namedShadowNames": ["gps"],
        "geoLocations": places,
    }


def test_a_location_of_a_name_with_dots_is_found(bench: IndexBench) -> None:
    configure(bench, filter={"geoLocations": [{"name": "attributes.gps.last"}]})
    bench.thing("a", attributePayload={"attributes": {"gps.last": "52.5,13.4"}})
    bench.settle()

    assert found(bench, "attributes.gps.last:geo_distance,52.51,13.41,2km") == ["a"]


def test_a_location_that_is_not_indexed_is_not_asked_about(bench: IndexBench) -> None:
    configure(bench)
    query = "NOT attributes.at:geo_distance,1,2,3km"

    errors = [
        refused(bench, "SearchIndex", queryString=query),
        refused(bench, "GetStatistics", queryString=query),
        refused(bench, "CreateDynamicThingGroup", thingGroupName="near", queryString=query),
    ]

    assert {(error.code, "attributes.at is no indexed location" in str(error)) for error in errors} == {
        ("InvalidQueryException", True)
    }


def test_a_dynamic_group_follows_where_things_are(bench: IndexBench) -> None:
    configure(bench, filter={"geoLocations": [{"name": "attributes.at"}]})
    bench.thing("a", attributePayload={"attributes": {"at": "0,0"}})
    query = "attributes.at:geo_distance,0,0.1,20km"
    bench.call("CreateDynamicThingGroup", thingGroupName="near", queryString=query)
    bench.settle()
    first = bench.registry_call("ListThingsInThingGroup", thingGroupName="near")["things"]

    bench.registry_call("UpdateThing", thingName="a", attributePayload={"attributes": {"at": "1,1"}})
    bench.settle()

    assert (first, bench.registry_call("ListThingsInThingGroup", thingGroupName="near")["things"]) == (["a"], [])


def test_addresses_of_a_connection_are_told_when_the_setup_says_so(bench: IndexBench) -> None:
    configure(bench)
    bench.thing("a")
    bench.presence("a", connected=True, at=1000.5, epoch=0, source_ip="192.0.2.7", source_port=4711)
    asked: dict[str, Any] = {"thingName": "a", "includeSocketInformation": True}
    off = refused(bench, "GetThingConnectivityData", **asked)

    configure(bench, filter={"connectivity": {"includeSocketInformation": ["GET_THING_CONNECTIVITY_DATA"]}})
    told = bench.call("GetThingConnectivityData", **asked)
    plain = bench.call("GetThingConnectivityData", thingName="a")

    assert (off.code, "filter.connectivity" in str(off)) == ("InvalidRequestException", True)
    assert (told["sourceIp"], told["sourcePort"], "targetIp" in told, "vpcEndpointId" in told) == (
        "192.0.2.7",
        4711,
        False,
        False,
    )
    assert "sourceIp" not in plain


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"queryString": "a:["}, "InvalidQueryException", "Invalid query: "),
        ({"queryString": "*", "indexName": "mine"}, "ResourceNotFoundException", "AWS_Things and AWS_ThingGroups"),
        ({"queryString": "*", "queryVersion": "2020"}, "InvalidRequestException", "2017-09-30"),
        ({"queryString": "*", "maxResults": 501}, "InvalidRequestException", "500 are allowed"),
        ({"queryString": "*", "nextToken": "made-up"}, "InvalidRequestException", "nextToken"),
    ],
)
def test_a_search_that_is_none_is_refused(bench: IndexBench, members: Any, code: str, words: str) -> None:
    configure(bench)

    error = refused(bench, "SearchIndex", **members)

    assert (error.code, words in str(error)) == (code, True)


def test_pages_hold_for_one_query_only(bench: IndexBench) -> None:
    configure(bench)
    for name in "abc":
        bench.thing(name)
    bench.settle()

    first = bench.call("SearchIndex", queryString="*", maxResults=2)
    second = bench.call("SearchIndex", queryString="*", maxResults=2, nextToken=first["nextToken"])
    other = refused(bench, "SearchIndex", queryString="thingName:*", maxResults=2, nextToken=first["nextToken"])

    assert [one["thingName"] for one in (*first["things"], *second["things"])] == ["a", "b", "c"]
    assert "nextToken" not in second
    assert other.code == "InvalidRequestException"


def test_two_accounts_do_not_meet(bench: IndexBench) -> None:
    configure(bench)
    configure(bench, OTHER_ACCOUNT)
    bench.thing("mine")
    bench.thing("theirs", caller=OTHER_ACCOUNT)
    bench.settle()

    assert found(bench, "*") == ["mine"]
    assert found(bench, "NOT thingName:mine", OTHER_ACCOUNT) == ["theirs"]


@pytest.fixture
def figures(bench: IndexBench) -> IndexBench:
    configure(
        bench,
        customFields=[
            {"name": "attributes.level", "type": "Number"},
            {"name": "attributes.site", "type": "String"},
        ],
    )
    values = [("1", "north"), ("2", "north"), ("3", "south"), ("6", "south"), ("x", "west")]
    for number, (level, site) in enumerate(values):
        bench.thing(f"t{number}", attributePayload={"attributes": {"level": level, "site": site}})
    bench.settle()
    return bench


def test_statistics_are_of_the_numbers_alone(figures: IndexBench) -> None:
    answer = figures.call("GetStatistics", queryString="*", aggregationField="attributes.level")["statistics"]

    assert answer.pop("stdDeviation") == pytest.approx(1.8708286933869707)
    assert answer == {
        "count": 4,
        "average": 3.0,
        "sum": 12.0,
        "minimum": 1.0,
        "maximum": 6.0,
        "sumOfSquares": 50.0,
        "variance": 3.5,
    }


def test_statistics_of_texts_are_a_count_and_versions_are_the_default(figures: IndexBench) -> None:
    texts = figures.call("GetStatistics", queryString="thingName:t*", aggregationField="attributes.site")
    default = figures.call("GetStatistics", queryString="attributes.site:south")
    nothing = figures.call("GetStatistics", queryString="thingName:nobody", aggregationField="attributes.level")

    assert texts == {"statistics": {"count": 5}}
    assert (default["statistics"]["count"], default["statistics"]["maximum"]) == (2, 1.0)
    assert nothing == {"statistics": {"count": 0}}


def test_buckets_are_the_most_frequent_values(figures: IndexBench) -> None:
    members: dict[str, Any] = {"queryString": "*", "aggregationField": "attributes.site"}

    buckets = figures.call(
        "GetBucketsAggregation", **members, bucketsAggregationType={"termsAggregation": {"maxBuckets": 2}}
    )

    assert buckets["totalCount"] == 5
    assert buckets["buckets"] == [{"keyValue": "north", "count": 2}, {"keyValue": "south", "count": 2}]
    assert figures.call("GetCardinality", **members) == {"cardinality": 3}


def test_percentiles_lie_between_the_values(figures: IndexBench) -> None:
    answer = figures.call(
        "GetPercentiles", queryString="*", aggregationField="attributes.level", percents=[0.0, 50.0, 100.0]
    )

    assert answer["percentiles"] == [
        {"percent": 0.0, "value": 1.0},
        {"percent": 50.0, "value": 2.5},
        {"percent": 100.0, "value": 6.0},
    ]
    default = figures.call("GetPercentiles", queryString="*", aggregationField="attributes.level")["percentiles"]
    assert [one["percent"] for one in default] == [1, 5, 25, 50, 75, 95, 99]


def test_versions_are_aggregated_and_not_searched(bench: IndexBench) -> None:
    configure(bench, namedShadowIndexingMode="ON", filter={"namedShadowNames": ["gps"]})
    bench.thing("a")
    bench.shadow("a", {"reported": {"x": "y"}})
    bench.shadow("a", {"reported": {"x": "y"}}, name="gps")
    bench.presence("a", connected=True, at=1000.5, epoch=7)
    bench.settle()

    highest = {
        field: bench.call("GetStatistics", queryString="*", aggregationField=field)["statistics"]["maximum"]
        for field in ("shadow.version", "shadow.name.gps.version", "connectivity.version", "registry.version")
    }

    assert list(highest.values()) == [1, 1, 7, 1]
    assert [found(bench, query) for query in ("shadow.version:1", "1", "7")] == [[], [], []]


def test_what_cannot_be_aggregated_is_said(figures: IndexBench) -> None:
    percents = [number / 2 for number in range(101)]
    many = refused(figures, "GetPercentiles", queryString="*", aggregationField="attributes.level", percents=percents)
    undeclared = refused(figures, "GetCardinality", queryString="*", aggregationField="attributes.other")
    texts = refused(figures, "GetPercentiles", queryString="*", aggregationField="attributes.site")
    nothing = refused(
        figures, "GetBucketsAggregation", queryString="*", aggregationField="attributes.site", bucketsAggregationType={}
    )

    assert (undeclared.code, "customFields" in str(undeclared)) == ("InvalidAggregationException", True)
    assert texts.code == "InvalidAggregationException"
    assert (many.code, "100 are allowed" in str(many)) == ("InvalidRequestException", True)
    assert nothing.code == "InvalidRequestException"


def test_connectivity_is_asked_of_one_thing(bench: IndexBench) -> None:
    bench.thing("a")
    off = refused(bench, "GetThingConnectivityData", thingName="a")
    configure(bench)
    never = bench.call("GetThingConnectivityData", thingName="a")
    offline = found(bench, "connectivity.connected:false")
    bench.presence("a", connected=True, at=1000.5, epoch=0)
    bench.settle()

    assert off.code == "IndexNotReadyException"
    assert never == {"thingName": "a", "connected": False, "disconnectReason": "UNKNOWN"}
    assert offline == ["a"]
    assert bench.call("GetThingConnectivityData", thingName="a")["timestamp"] == 1000.5
    assert found(bench, "connectivity.connected:true AND connectivity.timestamp:1000500") == ["a"]
    assert refused(bench, "GetThingConnectivityData", thingName="b").code == "ResourceNotFoundException"
