"""Jobs against a running cloud: documents and links from S3, and a rollout that survives a kill."""

import io
import json
import ssl
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import TestCloud, start_cloud
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]

MANY = 150


def role(cloud: TestCloud, bucket: str) -> str:
    """Make a role in which jobs may read the bucket."""
    iam = cloud.client("iam")
    principal = {"Service": "iot.amazonaws.com"}
    trust = {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName="links", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    may = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_role_policy(RoleName="links", PolicyName="read", PolicyDocument=document)
    return str(arn)


def maker_of_jobs(cloud: TestCloud) -> Any:
    """Make a user who may do everything with iot and nothing else; answer a client of theirs."""
    iam = cloud.client("iam")
    iam.create_user(UserName="maker")
    may = {"Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="maker", PolicyName="own", PolicyDocument=json.dumps(may))
    key = iam.create_access_key(UserName="maker")["AccessKey"]
    return cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"]).client("iot")


def fetched(cloud: TestCloud, url: str) -> bytes:
    context = ssl.create_default_context(cafile=cloud.process.ready["ca_file"])
    with urllib.request.urlopen(url, context=context, timeout=30) as answer:
        return bytes(answer.read())


@pytest.mark.spec("JB-32")
def test_a_device_downloads_what_the_links_in_its_job_lead_to(hedgerow_cloud: TestCloud) -> None:
    iot, s3 = hedgerow_cloud.client("iot"), hedgerow_cloud.client("s3")
    data = hedgerow_cloud.client("iot-jobs-data")
    bucket = f"files-{hedgerow_cloud.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="app v1.zip", Body=io.BytesIO(b"the package"))
    base = f"https://s3.{hedgerow_cloud.region}.amazonaws.com/{bucket}"
    link = f"${{aws:iot:s3-presigned-url:{base}/app%20v1.zip}}"
    s3.put_object(Bucket=bucket, Key="job.json", Body=json.dumps({"install": link}).encode())
    iot.create_thing(thingName="lamp")
    target = f"arn:aws:iot:{hedgerow_cloud.region}:{hedgerow_cloud.account}:thing/lamp"

    iot.create_job(
        jobId="install",
        targets=[target],
        documentSource=f"{base}/job.json",
        presignedUrlConfig={"roleArn": role(hedgerow_cloud, bucket), "expiresInSec": 60},
        tags=[{"Key": "ring", "Value": "first"}],
    )

    execution = data.start_next_pending_job_execution(thingName="lamp")["execution"]
    url = json.loads(execution["jobDocument"])["install"]
    assert fetched(hedgerow_cloud, url) == b"the package"
    assert iot.get_job_document(jobId="install")["document"] == json.dumps({"install": link})
    assert iot.list_tags_for_resource(resourceArn=target.replace("thing/lamp", "job/install"))["tags"] == [
        {"Key": "ring", "Value": "first"}
    ]
    hedgerow_cloud.client("iam").delete_role_policy(RoleName="links", PolicyName="read")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetched(hedgerow_cloud, url)


def test_a_job_reads_only_what_its_maker_may_read(hedgerow_cloud: TestCloud) -> None:
    bucket = f"secret-{hedgerow_cloud.account}"
    s3 = hedgerow_cloud.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="job.json", Body=b"{}")
    hedgerow_cloud.client("iot").create_thing(thingName="lamp")
    maker = maker_of_jobs(hedgerow_cloud)
    request: dict[str, Any] = {
        "jobId": "j",
        "targets": [f"arn:aws:iot:{hedgerow_cloud.region}:{hedgerow_cloud.account}:thing/lamp"],
        "documentSource": f"https://s3.amazonaws.com/{bucket}/job.json",
    }

    with pytest.raises(ClientError, match="s3:GetObject"):
        maker.create_job(**request)

    assert hedgerow_cloud.client("iot").create_job(**request)["jobId"] == "j"


def test_a_template_hands_its_role_to_nobody_who_may_not_pass_it(hedgerow_cloud: TestCloud) -> None:
    bucket = f"files-{hedgerow_cloud.account}"
    iot, iam = hedgerow_cloud.client("iot"), hedgerow_cloud.client("iam")
    hedgerow_cloud.client("s3").create_bucket(Bucket=bucket)
    arn = role(hedgerow_cloud, bucket)
    made = iot.create_job_template(
        jobTemplateId="t", description="d", document="{}", presignedUrlConfig={"roleArn": arn}
    )
    target = iot.create_thing(thingName="lamp")["thingArn"]
    maker = maker_of_jobs(hedgerow_cloud)

    with pytest.raises(ClientError, match="iam:PassRole"):
        maker.create_job(jobId="j", targets=[target], jobTemplateArn=made["jobTemplateArn"])

    passing = {"Statement": [{"Effect": "Allow", "Action": "iam:PassRole", "Resource": arn}]}
    iam.put_user_policy(UserName="maker", PolicyName="pass", PolicyDocument=json.dumps(passing))
    maker.create_job(jobId="j", targets=[target], jobTemplateArn=made["jobTemplateArn"])
    assert maker.describe_job(jobId="j")["job"]["presignedUrlConfig"]["roleArn"] == arn


def test_a_thing_that_comes_to_fit_a_dynamic_group_gets_the_groups_job(hedgerow_cloud: TestCloud) -> None:
    iot = hedgerow_cloud.client("iot")
    iot.update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})
    made = iot.create_dynamic_thing_group(thingGroupName="loud", queryString="attributes.level:9")
    iot.create_thing(thingName="radio", attributePayload={"attributes": {"level": "1"}})
    iot.create_job(jobId="j", targets=[made["thingGroupArn"]], document="{}", targetSelection="CONTINUOUS")

    iot.update_thing(thingName="radio", attributePayload={"attributes": {"level": "9"}})

    data = hedgerow_cloud.client("iot-jobs-data")
    queued = until("the job of the group", lambda: data.get_pending_job_executions(thingName="radio")["queuedJobs"])
    assert [one["jobId"] for one in queued] == ["j"]
    listed = iot.list_jobs(thingGroupId=made["thingGroupId"])["jobs"]
    assert [(job["jobId"], job["thingGroupId"]) for job in listed] == [("j", made["thingGroupId"])]
    iot.update_thing(thingName="radio", attributePayload={"attributes": {"level": "1"}})
    until(
        "the job is taken away again",
        lambda: iot.describe_job(jobId="j")["job"]["jobProcessDetails"]["numberOfRemovedThings"] == 1,
    )


def test_a_job_does_not_wait_for_a_thing_that_is_gone(hedgerow_cloud: TestCloud) -> None:
    iot = hedgerow_cloud.client("iot")
    arn = iot.create_thing(thingName="lamp")["thingArn"]
    iot.create_job(jobId="j", targets=[arn], document="{}")

    iot.delete_thing(thingName="lamp")

    until("the job is complete", lambda: iot.describe_job(jobId="j")["job"]["status"] == "COMPLETED")


def test_a_rollout_that_is_cut_off_by_a_kill_goes_on_and_doubles_nothing(tmp_path: Path) -> None:
    process = start_cloud(tmp_path, "--no-console", "--host=localhost")
    try:
        cloud = process.new_account(tmp_path)
        iot = cloud.client("iot")
        group = iot.create_thing_group(thingGroupName="all")["thingGroupArn"]
        for number in range(MANY):
            iot.create_thing(thingName=f"t{number:03}")
            iot.add_thing_to_thing_group(thingGroupName="all", thingName=f"t{number:03}")
        iot.create_job(jobId="j", targets=[group], document="{}", jobExecutionsRolloutConfig={"maximumPerMinute": 1000})
        process.kill()
        process.start()
        iot = cloud.client("iot")

        def counted() -> int:
            return int(iot.describe_job(jobId="j")["job"]["jobProcessDetails"]["numberOfQueuedThings"])

        until(f"{MANY} queued executions", lambda: counted() == MANY)
        pages = iot.get_paginator("list_job_executions_for_job").paginate(jobId="j")
        things = [one["thingArn"] for page in pages for one in page["executionSummaries"]]
        assert (len(things), len(set(things))) == (MANY, MANY)
    finally:
        process.stop()
