"""The table of deviations has a row for everything in which the sets differ from the whole of MQTT."""

from dataclasses import fields

from hedgerow.core.mqtt.deviations import DEVIATIONS
from hedgerow.core.mqtt.limits import AWS, AWS_SHAPES, OWN, Limits

NAMES = [field.name for field in fields(Limits) if field.name != "name"]


def test_everything_in_which_the_sets_differ_has_a_row_with_a_source() -> None:
    differing = {name for name in NAMES if len({getattr(one, name) for one in (AWS_SHAPES, AWS, OWN)}) > 1}

    assert differing == {row.field for row in DEVIATIONS} - {""}
    assert all(row.standard and row.instead and row.source for row in DEVIATIONS)


def test_each_limit_has_one_row_at_most() -> None:
    named = [row.field for row in DEVIATIONS if row.field]

    assert len(named) == len(set(named))


def test_rates_are_a_matter_of_the_set_aws_alone() -> None:
    assert {name for name in NAMES if getattr(AWS, name) != getattr(AWS_SHAPES, name)} == {
        "publishes_per_s",
        "connects_per_client_s",
        "refused_filter_closes",
        "shadow_requests",
    }
