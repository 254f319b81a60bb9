"""What each function is made of and told, and what must survive."""

from __future__ import annotations

import json

import pytest

from infra.packaging import FUNCTIONS
from shared.audiences.model import KEPT
from shared.kernel.instants import DAY
from shared.observability.measures import count_limits_unavailable
from shared.snapshots.model import OBJECT_LIFE
from shared.tenants.removal import DATA_PREFIXES
from tests.infra.conftest import Synthesised

COMMON = {
    "STAGE",
    "TABLE_NAME",
    "KEYS_TABLE_NAME",
    "MASTER_SECRET_ARN",
    "TENANT_KEY_ID",
    "DEFINITION_CACHE_SECONDS",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_LOG_LEVEL",
}
OWN = {
    "authorizer": {"OPERATOR_SECRET_ARN", "STAFF_POOL_ID", "STAFF_CLIENT_ID"},
    "registration": {"TENANT_ROLE_ARN", "MEMBERS_QUEUE_URL", "RIGHTS_QUEUE_URL", "DATA_BUCKET", "DEAD_LETTER_URL", "MEDIA_URL"},
    "transaction_ingestion": {"TENANT_ROLE_ARN", "TRANSACTIONS_QUEUE_URL", "DATA_BUCKET", "DEAD_LETTER_URL"},
    "coupon_redemption": {"TENANT_ROLE_ARN", "COUPONS_QUEUE_URL", "DATA_BUCKET", "DEAD_LETTER_URL"},
    "segment_evaluation": {"SEGMENTS_QUEUE_URL", "PLANNING_QUEUE_URL", "SNAPSHOTS_QUEUE_URL", "DEAD_LETTER_URL"},
    "segment_snapshots": {"SNAPSHOTS_QUEUE_URL", "DATA_BUCKET", "DEAD_LETTER_URL"},
    "campaign_planning": {"PLANNING_QUEUE_URL", "SENDING_QUEUE_URL", "DEAD_LETTER_URL"},
    "campaign_sending": {"SENDING_QUEUE_URL", "DATA_BUCKET", "DEAD_LETTER_URL", "PUBLIC_URL", "MEDIA_URL"},
    "campaign_reports": {"DEAD_LETTER_URL"},
    "event_relay": {"BUS_NAME", "REPORTS_QUEUE_URL", "FAILURE_QUEUE_URL"},
    "sign_in": {"TENANT_ROLE_ARN", "DATA_BUCKET"},
    "tenancy": {"TENANT_ROLE_ARN", "PUSH_EVENTS_TOPIC_ARN", "REMOVALS_QUEUE_URL", "STAFF_POOL_ID"},
    "tenant_removal": {"REMOVALS_QUEUE_URL", "DEAD_LETTER_URL", "DATA_BUCKET", "MEDIA_BUCKET", "STAFF_POOL_ID"},
    "audit_sealing": {"AUDIT_QUEUE_URL", "SEALS_BUCKET", "DEAD_LETTER_URL"},
    "administration": {"TENANT_ROLE_ARN", "SENDING_QUEUE_URL", "DATA_BUCKET", "PUBLIC_URL", "MEDIA_URL"},
    "guest_links": {"TENANT_ROLE_ARN", "MEDIA_URL"},
    "delivery_feedback": {"DEAD_LETTER_URL"},
    "member_rights": {"RIGHTS_QUEUE_URL", "DATA_BUCKET", "DEAD_LETTER_URL", "PUBLIC_URL", "MEDIA_URL"},
    "audiences": {"TENANT_ROLE_ARN", "EXPORTS_QUEUE_URL", "SNAPSHOTS_QUEUE_URL", "DATA_BUCKET", "DEAD_LETTER_URL"},
    "media": {"TENANT_ROLE_ARN", "MEDIA_BUCKET", "MEDIA_URL"},
}


def test_exactly_the_functions_of_the_list_are_deployed(prod: Synthesised) -> None:
    handlers = {f["Properties"]["Handler"] for f in prod.service.resources("AWS::Lambda::Function").values()}
    assert handlers == {f"functions.{name}.handler.lambda_handler" for name in FUNCTIONS}


def test_every_function_has_an_asset_of_its_own(prod: Synthesised) -> None:
    keys = [prod.service.function(name)["Code"]["S3Key"] for name in FUNCTIONS]
    assert len(set(keys)) == len(FUNCTIONS)


def test_functions_run_on_arm64_and_python_3_13(prod: Synthesised) -> None:
    for name in FUNCTIONS:
        function = prod.service.function(name)
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        assert function["TracingConfig"] == {"Mode": "Active"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_told_what_it_needs_and_no_more(prod: Synthesised, name: str) -> None:
    environment = prod.service.function(name)["Environment"]["Variables"]
    assert set(environment) == COMMON | OWN[name]
    assert environment["POWERTOOLS_SERVICE_NAME"] == name
    assert environment["DEFINITION_CACHE_SECONDS"] == "60"


def test_no_deployed_function_has_a_movable_clock_or_an_outbox(prod: Synthesised) -> None:
    for name in FUNCTIONS:
        assert not {"LOCAL_CLOCK", "PUSH_OUTBOX"} & set(prod.service.function(name)["Environment"]["Variables"])


def test_every_function_keeps_its_log_for_thirty_days(prod: Synthesised) -> None:
    groups = prod.service.resources("AWS::Logs::LogGroup")
    for name in FUNCTIONS:
        group = groups[prod.service.function(name)["LoggingConfig"]["LogGroup"]["Ref"]]
        assert group["Properties"]["RetentionInDays"] == 30


def test_the_main_table_is_as_the_access_patterns_need_it(prod: Synthesised) -> None:
    (table,) = (t for name, t in prod.state.resources("AWS::DynamoDB::Table").items() if name.startswith("Main"))
    properties = table["Properties"]
    assert [(key["AttributeName"], key["KeyType"]) for key in properties["KeySchema"]] == [("PK", "HASH"), ("SK", "RANGE")]
    assert {
        index["IndexName"]: (tuple(key["AttributeName"] for key in index["KeySchema"]), index["Projection"])
        for index in properties["GlobalSecondaryIndexes"]
    } == {name: ((f"{name}PK", f"{name}SK"), {"ProjectionType": "KEYS_ONLY"}) for name in ("GSI1", "GSI2")}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert properties["DeletionProtectionEnabled"] is True
    assert table["DeletionPolicy"] == "Retain"


def test_an_erased_key_can_not_come_back(prod: Synthesised) -> None:
    (table,) = (t for name, t in prod.state.resources("AWS::DynamoDB::Table").items() if name.startswith("Keys"))
    assert "PointInTimeRecoverySpecification" not in table["Properties"]
    assert "StreamSpecification" not in table["Properties"]
    assert table["DeletionPolicy"] == "Retain"


def test_the_bucket_forgets_imports_and_messages(prod: Synthesised) -> None:
    (bucket,) = (b["Properties"] for name, b in prod.state.resources("AWS::S3::Bucket").items() if name.startswith("Data"))
    days = {rule["Prefix"]: rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"] if "Prefix" in rule}
    assert days == {"bulk/": 7, "outbox/": 30, "snapshots/": OBJECT_LIFE // DAY, "exports/": KEPT // DAY, "access/": 1}
    assert sorted(days) == sorted(DATA_PREFIXES), "what a tenant leaves in the bucket goes with it"
    assert all(bucket["PublicAccessBlockConfiguration"].values())


def test_images_are_private_and_delivered_by_cloudfront_alone(prod: Synthesised) -> None:
    ((name, bucket),) = [(n, b) for n, b in prod.state.resources("AWS::S3::Bucket").items() if n.startswith("Media")]
    assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
    assert bucket["DeletionPolicy"] == "Retain"
    assert "ExpirationInDays" not in json.dumps(bucket)
    (policy,) = (
        p["Properties"]["PolicyDocument"]["Statement"]
        for p in prod.state.resources("AWS::S3::BucketPolicy").values()
        if p["Properties"]["Bucket"] == {"Ref": name}
    )
    allowed = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert [(s["Action"], s["Principal"]) for s in allowed] == [("s3:GetObject", {"Service": "cloudfront.amazonaws.com"})]
    assert "distribution/" in json.dumps(allowed[0]["Condition"]["StringEquals"])
    assert any(s["Effect"] == "Deny" and s["Condition"] == {"Bool": {"aws:SecureTransport": "false"}} for s in policy)


def test_the_delivery_signs_its_reads_and_answers_reading_over_tls_only(prod: Synthesised) -> None:
    (distribution,) = (d["Properties"]["DistributionConfig"] for d in prod.state.resources("AWS::CloudFront::Distribution").values())
    (control,) = prod.state.resources("AWS::CloudFront::OriginAccessControl")
    behaviour, (origin,) = distribution["DefaultCacheBehavior"], distribution["Origins"]
    assert (behaviour["ViewerProtocolPolicy"], behaviour["AllowedMethods"]) == ("https-only", ["GET", "HEAD"])
    assert origin["OriginAccessControlId"] == {"Fn::GetAtt": [control, "Id"]}
    assert origin["S3OriginConfig"] == {"OriginAccessIdentity": ""}


def test_a_local_stage_has_no_delivery_and_its_bucket_answers(local: Synthesised) -> None:
    assert not local.state.resources("AWS::CloudFront::Distribution")
    for name in ("registration", "media", "guest_links", "member_rights"):
        environment = local.service.function(name)["Environment"]["Variables"]
        assert "MEDIA_BUCKET" in environment
        assert "MEDIA_URL" not in environment


def test_only_their_own_functions_have_the_libraries_of_images_and_of_columns(prod: Synthesised) -> None:
    layers = {name: [layer["Ref"][:6] for layer in prod.service.function(name)["Layers"][1:]] for name in FUNCTIONS}
    assert {name: more for name, more in layers.items() if more} == {
        "media": ["ImageL"], "segment_snapshots": ["Column"], "audiences": ["Column"],
    }  # fmt: skip
    assert prod.service.function("media")["MemorySize"] == 2048


def test_secrets_have_the_form_that_a_printable_key_takes(prod: Synthesised) -> None:
    lengths = {}
    for name, secret in prod.state.resources("AWS::SecretsManager::Secret").items():
        generator = secret["Properties"]["GenerateSecretString"]
        assert generator["ExcludePunctuation"] is True
        lengths[name[:6]] = generator["PasswordLength"]
    assert lengths == {"Master": 64, "Operat": 32}


def test_the_tenants_key_is_rotated(prod: Synthesised) -> None:
    (key,) = (k["Properties"] for k in prod.state.resources("AWS::KMS::Key").values())
    assert key["EnableKeyRotation"] is True


def test_every_dead_end_every_function_and_the_gateway_have_an_alarm(prod: Synthesised) -> None:
    made = prod.stacks["operations"].resources("AWS::CloudWatch::Alarm").values()
    alarms = {alarm["Properties"]["AlarmName"].removeprefix("regulars-prod-") for alarm in made}
    names = (queue["Properties"]["QueueName"] for queue in prod.service.resources("AWS::SQS::Queue").values())
    queues = {name.removeprefix("regulars-prod-").removesuffix(".fifo") for name in names}
    ends = {name for name in queues if name.endswith("-dead") or name == "relay-failures"}
    functions = {f"{name.replace('_', '-')}-{what}" for name in FUNCTIONS for what in ("errors", "throttles")}
    assert alarms == ends | functions | {"relay-late", "api-server-errors", "limits-unavailable"}


def test_the_alarm_about_limits_asks_for_what_the_functions_write(
    prod: Synthesised, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A metric is found by its exact set of dimensions, to which the library adds the function."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "registration")
    count_limits_unavailable("tenant")
    (line,) = capsys.readouterr().out.splitlines()
    (written,) = json.loads(line)["_aws"]["CloudWatchMetrics"]
    made = prod.stacks["operations"].resources("AWS::CloudWatch::Alarm").values()
    (alarm,) = (each["Properties"] for each in made if each["Properties"]["AlarmName"].endswith("limits-unavailable"))
    (query,) = (each["Expression"] for each in alarm["Metrics"])
    (dimensions,), (metric,) = written["Dimensions"], written["Metrics"]
    assert query == f"SELECT SUM({metric['Name']}) FROM SCHEMA({written['Namespace']}, {', '.join(dimensions)})"
