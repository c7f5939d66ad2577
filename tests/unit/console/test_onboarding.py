"""What a person does to let devices in: which calls it becomes, and what is made of the answers."""

from typing import Any

import pytest

from hedgerow.console.errors import Refused
from hedgerow.console.onboarding import Doors, Onboarding, Template
from hedgerow.console.views import attempt_rows, parameters, waiting_rows
from tests.unit.console.fakes import PERSON
from tests.unit.console.test_api import Scripted, refused

DOORS = Doors(host="h", mqtt_port=1883, https_port=443, ca_pem="ca")


def made(*answers: Any, doors: Doors = DOORS) -> tuple[Onboarding, Scripted]:
    calls = Scripted(*answers)
    return Onboarding(calls, doors=doors, region="us-east-1"), calls


def test_templates_that_no_claim_is_for_are_left_out() -> None:
    jitp = {"templateName": "a", "enabled": True, "type": "JITP"}
    work, _ = made(
        {"templates": [{"templateName": "c", "enabled": False}, jitp, {"templateName": "b", "enabled": True}]}
    )

    assert work.templates() == [Template(name="b", enabled=True), Template(name="c", enabled=False)]


CLAIM = {
    "certificateId": "c1",
    "certificatePem": "certificate",
    "keyPair": {"PublicKey": "public", "PrivateKey": "top-secret"},
    "expiration": 1_800_000_300,
}


def test_a_claim_names_the_doors_and_its_key_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "hedgerow")
    work, calls = made(CLAIM)

    handout = work.claim("fleet")

    assert [name for name, _ in calls.asked] == ["CreateProvisioningClaim"]
    assert (handout.host, handout.mqtt_port, handout.ca_pem) == ("h", 1883, "ca")
    assert (handout.private_key_pem, handout.expires_at) == ("top-secret", 1_800_000_300)
    assert "top-secret" not in str([vars(record) for record in caplog.records])


def test_a_claim_is_cancelled_by_its_certificate() -> None:
    work, calls = made({})

    work.cancel("c" * 64)

    ((name, given),) = calls.asked
    assert (name, given["url_path"]) == ("DeleteClaim", f"/hedgerow/claims/{'c' * 64}")


def test_a_console_that_was_not_told_the_doors_asks_the_cloud_before_a_claim_is_made() -> None:
    work, calls = made({"endpointAddress": "cloud.example"}, CLAIM, doors=Doors())

    assert work.claim("fleet").host == "cloud.example"
    assert [name for name, _ in calls.asked] == ["DescribeEndpoint", "CreateProvisioningClaim"]


def test_a_list_is_imported_a_hundred_at_a_time() -> None:
    text = "\ufeffserial,token,Room\r\n" + "".join(f"s{number},t,r\r\n" for number in range(150))
    work, calls = made({"imported": 98, "alreadyIssued": ["s1"], "denied": ["s2"]}, {"imported": 50})

    done = work.import_devices("fleet", text)

    assert (done.count, done.left, done.denied, done.trouble) == (148, ("s1",), ("s2",), "")
    assert len(calls.asked) == 2


def test_an_import_that_ends_early_says_how_far_it_came() -> None:
    text = "serial,token\n" + "".join(f"s{number},t\n" for number in range(101))
    work, _ = made({"imported": 100}, refused("ThrottlingException", "slowly"))

    done = work.import_devices("fleet", text)

    assert (done.count, done.trouble) == (100, "slowly")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must begin with a line of names"),
        ("serial;token\n1;2\n", "must begin with a line of names"),
        ("serial,token\n1,T\ufffdr\n", "not written in UTF-8"),
        ("serial,token\n1, t\n", "Line 2: a token has no blanks around it"),
        ("serial,token,\n1,t,\n2,t,hall\n", "Line 3: 'hall' is in a column without a name"),
        ("serial,token\n1,\n", "Line 2: serial and token"),
        ("serial,token\n1\n", "Line 2: serial and token"),
        ("serial,token\n1,2,3\n", "Line 2: it has not as many fields"),
        ("serial,token,Room\n1,2\n", "Line 2: it has not as many fields"),
        ("serial,token,Room,Room\n1,2,3,4\n", "names a column more than once"),
        ("serial,token\n" + "".join(f"s{each},t\n" for each in range(150)) + "s0,u\n", "Line 152: s0 is there twice"),
        ('serial,token\n1,"2\n', "is no CSV"),
        ("serial,token\n" + "".join(f"{each},2\n" for each in range(10_001)), "more than 10000"),
        ('serial,token\n1,"' + "x" * 140_000, "is no CSV"),
    ],
)
def test_a_bad_list_is_refused_before_anything_is_done(text: str, why: str) -> None:
    work, calls = made()

    with pytest.raises(Refused, match=why):
        work.import_devices("fleet", text)

    assert calls.asked == []


def test_the_record_is_asked_for_page_by_page() -> None:
    one = {"at": 1_800_000_000, "way": "JITR", "outcome": "REFUSED", "clientId": "<b>", "reason": "no"}
    work, calls = made({"attempts": [one], "nextToken": "more"}, {"attempts": []})

    found, token = work.attempts(failed=True, device="", token="")
    assert work.attempts(failed=False, device="lamp", token=token) == ([], "")

    (row,) = attempt_rows(found)
    assert (row["way"], row["device"], row["outcome"]["word"], token) == (
        "Just in time (JITR)",
        "<b>",
        "Refused",
        "more",
    )
    asked = [params["query_string"] for _, params in calls.asked]
    assert asked[0]["outcome"] == "REFUSED"
    assert (asked[1]["device"], asked[1]["nextToken"]) == ("lamp", "more")


def test_whose_work_it_is_is_the_signed_in_persons() -> None:
    _, calls = made()

    assert calls._client("iot")._request_signer._credentials.access_key == PERSON.access_key_id


def test_parameters_are_written_one_to_a_line() -> None:
    assert parameters("Room = 12\n\nNote=a=b", thing="lamp") == {"Room": "12", "Note": "a=b", "ThingName": "lamp"}
    assert parameters("") == {}
    for wrong in ("Room", "=12"):
        with pytest.raises(Refused, match="NAME=VALUE"):
            parameters(wrong)


@pytest.mark.parametrize(("text", "thing"), [("Room=1\nRoom=2", ""), ("ThingName=lamp", "bulb")])
def test_a_parameter_that_is_given_twice_is_refused(text: str, thing: str) -> None:
    with pytest.raises(Refused, match="given twice"):
        parameters(text, thing=thing)


def test_who_asked_first_is_shown_first_and_what_was_decided() -> None:
    late = {"serialNumber": "a", "state": "APPROVED", "requestedAt": 1_800_000_060, "templateName": "fleet"}
    by = "arn:aws:iam::111122223333:user/ann"
    early = {"serialNumber": "b", "state": "ISSUED", "requestedAt": 1_800_000_000, "decidedBy": by, "decidedAt": 1}
    work, calls = made({"devices": [late, early]})

    rows = waiting_rows(work.waiting("APPROVED"))

    assert [(row["serial"], row["note"], row["approve"], row["deny"]) for row in rows] == [
        ("b", "user/ann", "Another one", False),
        ("a", "fleet", "Approve again", True),
    ]
    assert calls.asked[0][1]["query_string"]["state"] == "APPROVED"
