"""Job templates, the account's own and AWS's, and jobs that are made from them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from hedgerow.base.errors import AccessDenied, ServiceError
from hedgerow.services.iot.errors import InvalidRequest, ResourceNotFound
from tests.support.jobs import ARN, Cloud, FakeLinks
from tests.support.store import OTHER_ACCOUNT

DOWNLOAD = "arn:aws:iot:eu-central-1::jobtemplate/AWS-Download-File:1.0"
SETTINGS: Any = {
    "jobExecutionsRolloutConfig": {"maximumPerMinute": 5},
    "timeoutConfig": {"inProgressTimeoutInMinutes": 7},
    "presignedUrlConfig": {"roleArn": FakeLinks.ROLE, "expiresInSec": 60},
}


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def template(cloud: Cloud, name: str = "t", **members: Any) -> str:
    request = {"jobTemplateId": name, "description": "what jobs have in common", **members}
    answer = cloud.ask(cloud.templates.create_job_template, request)
    return str(answer.response["jobTemplateArn"])


def made(cloud: Cloud, template_arn: str, job: str = "j", **members: Any) -> Mapping[str, Any]:
    """Make a job from a template."""
    request = {"jobId": job, "targets": [f"{ARN}thing/T"], "jobTemplateArn": template_arn, **members}
    cloud.ask(cloud.api.create_job, request)
    return cloud.job(job)


def document(cloud: Cloud, **members: Any) -> Any:
    answer = cloud.store.run(cloud.api.get_job_document, {"jobId": "j", **members})
    return json.loads(answer.response["document"])


@pytest.mark.spec("JB-32")
def test_a_template_is_made_shown_and_deleted(cloud: Cloud) -> None:
    arn = template(cloud, document='{"do":"it"}', **SETTINGS)

    shown = cloud.store.run(cloud.templates.describe_job_template, {"jobTemplateId": "t"}).response
    listed = cloud.store.run(cloud.templates.list_job_templates, {}).response["jobTemplates"]
    head = {
        "jobTemplateArn": arn,
        "jobTemplateId": "t",
        "description": "what jobs have in common",
        "createdAt": cloud.store.clock.now(),
    }
    assert arn == f"{ARN}jobtemplate/t"
    assert shown == {**head, "document": '{"do":"it"}', **SETTINGS}
    assert listed == [head]
    cloud.store.run(cloud.templates.delete_job_template, {"jobTemplateId": "t"})
    with pytest.raises(ResourceNotFound):
        cloud.store.run(cloud.templates.describe_job_template, {"jobTemplateId": "t"})


def test_a_job_takes_from_its_template_what_it_does_not_say_itself(cloud: Cloud) -> None:
    arn = template(cloud, document='{"do":"it"}', **SETTINGS)

    job = made(cloud, arn, timeoutConfig={"inProgressTimeoutInMinutes": 1})

    assert job["jobTemplateArn"] == arn
    assert job["description"] == "what jobs have in common"
    assert job["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 5}
    assert job["timeoutConfig"] == {"inProgressTimeoutInMinutes": 1}
    assert document(cloud) == {"do": "it"}


def test_a_template_is_made_from_a_job(cloud: Cloud) -> None:
    cloud.create(document='{"do":"that"}', **SETTINGS)

    template(cloud, jobArn=f"{ARN}job/j", timeoutConfig={"inProgressTimeoutInMinutes": 1})

    shown = cloud.store.run(cloud.templates.describe_job_template, {"jobTemplateId": "t"}).response
    assert shown["document"] == '{"do":"that"}'
    assert shown["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 5}
    assert shown["timeoutConfig"] == {"inProgressTimeoutInMinutes": 1}


def test_a_templates_document_may_come_from_s3(cloud: Cloud) -> None:
    url = "https://s3.amazonaws.com/files/doc"
    cloud.objects.kept["files", "doc"] = b'{"do":"this"}'

    made(cloud, template(cloud, documentSource=url))

    assert document(cloud) == {"do": "this"}
    assert cloud.store.run(cloud.api.describe_job, {"jobId": "j"}).response["documentSource"] == url


def test_the_windows_of_a_template_count_for_its_jobs(cloud: Cloud) -> None:
    windows = [{"startTime": "cron(0 18 ? * MON *)", "durationInMinutes": 30}]
    arn = template(cloud, document="{}", maintenanceWindows=windows)
    start = {"startTime": "2027-01-16T09:00"}

    job = made(cloud, arn, targetSelection="CONTINUOUS", schedulingConfig=start)

    assert job["schedulingConfig"] == {**start, "maintenanceWindows": windows}
    with pytest.raises(InvalidRequest, match="without StartTime"):
        made(cloud, arn, "k", targetSelection="CONTINUOUS")


@pytest.mark.spec("JB-32")
def test_a_job_of_a_managed_template_has_its_parameters_filled_in(cloud: Cloud) -> None:
    parameters = {"downloadUrl": 'https://example.com/"a"', "filePath": "/tmp/a"}

    job = made(cloud, DOWNLOAD, documentParameters=parameters)

    assert (job["jobTemplateArn"], job["documentParameters"]) == (DOWNLOAD, parameters)
    (step,) = document(cloud)["steps"]
    assert step["action"] == {
        "name": "Download-File",
        "type": "runHandler",
        "input": {"handler": "download-file.sh", "args": ['https://example.com/"a"', "/tmp/a"], "path": ""},
        "runAsUser": "",
    }
    (before,) = document(cloud, beforeSubstitution=True)["steps"]
    assert before["action"]["runAsUser"] == "${aws:iot:parameter:runAsUser}"


def test_a_parameter_may_be_a_link_to_s3(cloud: Cloud) -> None:
    link = "${aws:iot:s3-presigned-url:https://s3.amazonaws.com/files/a}"
    parameters = {"downloadUrl": link, "filePath": "/tmp/a"}

    made(cloud, DOWNLOAD, documentParameters=parameters, presignedUrlConfig={"roleArn": FakeLinks.ROLE})

    execution = cloud.publish("start-next")[1]["execution"]
    (step,) = execution["jobDocument"]["steps"]
    assert step["action"]["input"]["args"][0].startswith("https://cloud.local:8443/files/a?")


def test_the_managed_templates_are_listed_and_described(cloud: Cloud) -> None:
    first = cloud.store.run(cloud.templates.list_managed_job_templates, {"maxResults": 5}).response
    rest = cloud.store.run(
        cloud.templates.list_managed_job_templates, {"maxResults": 5, "nextToken": first["nextToken"]}
    ).response
    one = cloud.store.run(cloud.templates.describe_managed_job_template, {"templateName": "AWS-Run-Command"}).response

    names = [each["templateName"] for each in first["managedJobTemplates"] + rest["managedJobTemplates"]]
    kinds = ("Download-File", "Install-Application", "Reboot", "Remove-Application", "Restart-Application")
    assert names == [f"AWS-{kind}" for kind in (*kinds, "Run-Command", "Start-Application", "Stop-Application")]
    assert one["templateArn"] == "arn:aws:iot:eu-central-1::jobtemplate/AWS-Run-Command:1.0"
    assert [(each["key"], each["optional"]) for each in one["documentParameters"]] == [
        ("command", False),
        ("runAsUser", True),
    ]
    assert json.loads(one["document"])["steps"][0]["action"]["type"] == "runCommand"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"documentParameters": {"downloadUrl": "u"}}, "needs the parameter filePath"),
        ({"documentParameters": {"downloadUrl": "u", "filePath": "f", "other": "x"}}, "no parameter other"),
        ({"documentParameters": {"downloadUrl": "u", "filePath": "f", "runAsUser": "x" * 300}}, "does not match"),
        ({"document": "{}"}, "document of its template"),
        ({"jobTemplateArn": "arn:aws:iot:eu-central-1::jobtemplate/AWS-Nothing:1.0"}, "cannot be found"),
        ({"jobTemplateArn": f"{ARN}jobtemplate/none"}, "cannot be found"),
        ({"jobTemplateArn": f"{ARN}job/j"}, "cannot be found"),
        ({"jobTemplateArn": "arn:aws:iot:eu-central-1:210987654321:jobtemplate/t"}, "account"),
    ],
)
def test_a_job_that_does_not_fit_its_template_is_refused(cloud: Cloud, members: dict[str, Any], words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        made(cloud, members.pop("jobTemplateArn", DOWNLOAD), **members)


def test_parameters_are_for_managed_templates_alone(cloud: Cloud) -> None:
    arn = template(cloud, document="{}")

    for members in ({"jobTemplateArn": arn}, {"document": "{}"}):
        request = {"jobId": "j", "targets": [f"{ARN}thing/T"], "documentParameters": {"a": "b"}, **members}
        with pytest.raises(InvalidRequest, match="managed templates"):
            cloud.store.run(cloud.api.create_job, request)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "InvalidRequestException"),
        ({"document": "{"}, "InvalidRequestException"),
        ({"document": "{}", "jobArn": f"{ARN}job/j"}, "InvalidRequestException"),
        ({"jobArn": f"{ARN}job/none"}, "ResourceNotFoundException"),
        ({"document": "{}", "jobTemplateId": "taken"}, "ConflictException"),
        (
            {"document": "{}", "maintenanceWindows": [{"startTime": "soon", "durationInMinutes": 1}]},
            "InvalidRequestException",
        ),
    ],
)
def test_a_faulty_template_is_refused(cloud: Cloud, members: dict[str, Any], code: str) -> None:
    template(cloud, "taken", document="{}")

    with pytest.raises(ServiceError) as caught:
        template(cloud, members.pop("jobTemplateId", "t"), **members)

    assert caught.value.code == code


def test_jobs_are_listed_by_the_id_of_their_group(cloud: Cloud) -> None:
    cloud.create("mine", group="top")
    cloud.create("other", group="sub")

    def listed(**filters: str) -> list[tuple[str, str | None]]:
        jobs = cloud.store.run(cloud.api.list_jobs, filters).response["jobs"]
        return [(job["jobId"], job.get("thingGroupId")) for job in jobs]

    assert listed(thingGroupId="id-top") == [("mine", "id-top")]
    assert listed(thingGroupId="id-top", thingGroupName="top") == [("mine", "id-top")]
    assert listed(thingGroupId="id-top", thingGroupName="sub") == []
    assert listed(thingGroupId="id-none") == []
    assert listed() == [("mine", None), ("other", None)]


def test_who_may_not_pass_the_role_of_a_template_or_job_makes_nothing_from_it(cloud: Cloud) -> None:
    cloud.create(**SETTINGS)
    arn = template(cloud, document="{}", **SETTINGS)
    cloud.rights.kept.add(FakeLinks.ROLE)

    with pytest.raises(AccessDenied, match="PassRole"):
        made(cloud, arn, "k")
    with pytest.raises(AccessDenied, match="PassRole"):
        template(cloud, "other", jobArn=f"{ARN}job/j")

    made(cloud, template(cloud, "plain", document="{}"), "l")


def test_a_role_that_nobody_asked_about_is_not_taken_along(cloud: Cloud) -> None:
    arn = template(cloud, document="{}", **SETTINGS)
    request = {"jobId": "k", "targets": [f"{ARN}thing/T"], "jobTemplateArn": arn}

    with pytest.raises(InvalidRequest, match="try again"):
        cloud.store.run(cloud.api.create_job, request)


@pytest.mark.spec("AL-08")
def test_the_templates_of_two_accounts_do_not_meet(cloud: Cloud) -> None:
    template(cloud, document="{}")

    listed = cloud.store.run(cloud.templates.list_job_templates, {}, OTHER_ACCOUNT).response
    with pytest.raises(ResourceNotFound):
        cloud.store.run(cloud.templates.delete_job_template, {"jobTemplateId": "t"}, OTHER_ACCOUNT)

    assert listed["jobTemplates"] == []
