"""Nothing that was committed is lost on its way: queues, rules, the stream's mapping, the schedule."""

from __future__ import annotations

import json

from infra.functions import SPECS
from infra.subscriptions import SUBSCRIPTIONS
from shared.http.routes import ROUTES
from tests.infra.conftest import Synthesised, Template

DEAD_ENDS = ("dead", "relay-failures")
"""Queues that nothing consumes: they need no dead-letter queue."""
CONSUMERS = {
    "removals": "tenant_removal",
    "audit": "audit_sealing",
    "members-bulk": "registration",
    "transactions-bulk": "transaction_ingestion",
    "coupons-bulk": "coupon_redemption",
    "exports": "audiences",
    "segments": "segment_evaluation",
    "snapshots": "segment_snapshots",
    "planning": "campaign_planning",
    "sending": "campaign_sending",
    "reports": "campaign_reports",
    "feedback": "delivery_feedback",
    "rights": "member_rights",
}


def queue_names(template: Template) -> dict[str, str]:
    return {
        logical: queue["Properties"]["QueueName"].removeprefix("regulars-prod-").removesuffix(".fifo")
        for logical, queue in template.resources("AWS::SQS::Queue").items()
    }


def test_every_work_queue_has_a_dead_letter_queue_after_five_receives(prod: Synthesised) -> None:
    names = queue_names(prod.service)
    redrives = {}
    for logical, queue in prod.service.resources("AWS::SQS::Queue").items():
        if names[logical].endswith(DEAD_ENDS):
            assert "RedrivePolicy" not in queue["Properties"]
            assert queue["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600
        else:
            policy = queue["Properties"]["RedrivePolicy"]
            redrives[names[logical]] = (names[policy["deadLetterTargetArn"]["Fn::GetAtt"][0]], policy["maxReceiveCount"])
    assert redrives == {name: (f"{name}-dead", 5) for name in CONSUMERS}


def test_every_queue_is_encrypted_and_over_tls_only(prod: Synthesised) -> None:
    names = queue_names(prod.service)
    refusing = set()
    for policy in prod.service.resources("AWS::SQS::QueuePolicy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}:
                refusing |= {names[queue["Ref"]] for queue in policy["Properties"]["Queues"]}
    assert refusing == set(names.values())
    assert all(queue["Properties"]["SqsManagedSseEnabled"] for queue in prod.service.resources("AWS::SQS::Queue").values())


def test_each_queue_has_its_one_consumer_that_answers_per_message(prod: Synthesised) -> None:
    names = queue_names(prod.service)
    functions = {
        logical: function["Properties"]["Handler"].split(".")[1]
        for logical, function in prod.service.resources("AWS::Lambda::Function").items()
    }
    seen = {}
    for mapping in prod.service.resources("AWS::Lambda::EventSourceMapping").values():
        properties = mapping["Properties"]
        source = properties["EventSourceArn"]
        if "Fn::GetAtt" not in source:
            continue
        spec = SPECS[functions[properties["FunctionName"]["Ref"]]]
        assert properties["BatchSize"] == {"segment_snapshots": 100, "tenant_removal": 1}.get(spec.name, 10)
        # More than ten messages are only given to who waits for them.
        assert ("MaximumBatchingWindowInSeconds" in properties) == (properties["BatchSize"] > 10)
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        seen[names[source["Fn::GetAtt"][0]]] = functions[properties["FunctionName"]["Ref"]]
    assert seen == CONSUMERS


def test_a_message_stays_invisible_for_six_times_its_consumers_timeout(prod: Synthesised) -> None:
    names = queue_names(prod.service)
    for logical, queue in prod.service.resources("AWS::SQS::Queue").items():
        consumer = CONSUMERS.get(names[logical])
        if consumer is not None:
            assert queue["Properties"]["VisibilityTimeout"] == 6 * prod.service.function(consumer)["Timeout"]


def test_the_relay_reads_only_items_that_carry_events_and_gives_up_into_its_queue(prod: Synthesised) -> None:
    names = queue_names(prod.service)
    mappings = prod.service.resources("AWS::Lambda::EventSourceMapping").values()
    (stream,) = (m["Properties"] for m in mappings if "Fn::ImportValue" in m["Properties"]["EventSourceArn"])
    (pattern,) = (json.loads(item["Pattern"]) for item in stream["FilterCriteria"]["Filters"])
    assert pattern == {"eventName": ["INSERT", "MODIFY"], "dynamodb": {"NewImage": {"out": {"S": [{"exists": True}]}}}}
    assert stream["BatchSize"] == 100
    assert stream["BisectBatchOnFunctionError"] is True
    assert stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert stream["MaximumRetryAttempts"] == 5
    assert stream["MaximumRecordAgeInSeconds"] == 3600
    assert names[stream["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]] == "relay-failures"
    assert "EventRelay" in stream["FunctionName"]["Ref"]


def test_every_rule_delivers_its_subscription_and_keeps_what_it_cannot_deliver(prod: Synthesised) -> None:
    names = queue_names(prod.service)
    delivered = {}
    for rule in prod.service.resources("AWS::Events::Rule").values():
        (target,) = rule["Properties"]["Targets"]
        queue = names[target["Arn"]["Fn::GetAtt"][0]]
        assert names[target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]] == f"{queue}-target-dead"
        assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
        pattern = rule["Properties"]["EventPattern"]
        if "EventBusName" not in rule["Properties"]:
            assert (queue, pattern) == ("feedback", {"source": ["aws.ses"], "detail": {"mail": {"tags": {"stage": ["prod"]}}}})
            continue
        assert (pattern["source"], pattern["detail-type"]) == (["regulars"], ["commit"])
        delivered[queue] = pattern["detail"]
    of_members = {"snapshots": {"aggregate": [{"prefix": "member:"}]}}
    assert delivered == {queue: {"types": list(types)} for queue, types in SUBSCRIPTIONS.items()} | of_members


def test_what_providers_tell_comes_over_encrypted_topics_that_only_they_publish_to(prod: Synthesised) -> None:
    names, template = queue_names(prod.service), prod.service
    made = template.resources("AWS::SNS::Topic")
    topics = {topic["Properties"]["TopicName"].removeprefix("regulars-prod-"): logical for logical, topic in made.items()}
    assert set(topics) == {"push-events", "sms-events"}
    assert all("KmsMasterKeyId" in topic["Properties"] for topic in made.values())
    for subscription in (each["Properties"] for each in template.resources("AWS::SNS::Subscription").values()):
        dead = json.loads(json.dumps(subscription["RedrivePolicy"]))["deadLetterTargetArn"]["Fn::GetAtt"][0]
        queue = names[subscription["Endpoint"]["Fn::GetAtt"][0]]
        assert (subscription["Protocol"], subscription["RawMessageDelivery"]) == ("sqs", True)
        assert (queue, names[dead]) == ("feedback", "feedback-target-dead")
    allowed = {}
    for policy in (each["Properties"] for each in template.resources("AWS::SNS::TopicPolicy").values()):
        statements = policy["PolicyDocument"]["Statement"]
        assert any(each["Effect"] == "Deny" and each["Condition"] == {"Bool": {"aws:SecureTransport": "false"}} for each in statements)
        (publishing,) = [each for each in statements if each["Effect"] == "Allow"]
        assert publishing["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
        allowed[policy["Topics"][0]["Ref"]] = publishing["Principal"]["Service"]
    assert allowed == {topics["push-events"]: "sns.amazonaws.com", topics["sms-events"]: "sms-voice.amazonaws.com"}


def test_schedules_wake_the_sweep_the_sealing_and_the_statistics_and_have_dead_letter_queues(prod: Synthesised) -> None:
    names = queue_names(prod.service)
    found = {}
    for schedule in (r["Properties"] for r in prod.service.resources("AWS::Scheduler::Schedule").values()):
        target = schedule["Target"]
        queue, dead = (names[each["Arn"]["Fn::GetAtt"][0]] for each in (target, target["DeadLetterConfig"]))
        found[schedule["ScheduleExpression"]] = (queue, json.loads(target["Input"]), dead)
    assert found == {
        "rate(1 minute)": ("segments", {"kind": "sweep"}, "sweep-target-dead"),
        "rate(5 minutes)": ("audit", {"kind": "seal"}, "sealing-target-dead"),
        "rate(1 hour)": ("snapshots", {"kind": "statistics"}, "statistics-target-dead"),
    }


def test_the_gateways_routes_are_the_table_of_routes(prod: Synthesised) -> None:
    found = {r["Properties"]["RouteKey"]: r["Properties"] for r in prod.service.resources("AWS::ApiGatewayV2::Route").values()}
    assert set(found) == {route.key for route in ROUTES} | {"$default"}
    for route in ROUTES:
        assert found[route.key]["AuthorizationType"] == ("NONE" if route.public else "CUSTOM")
        assert ("AuthorizerId" in found[route.key]) is not route.public


def test_each_route_leads_to_its_function(prod: Synthesised) -> None:
    integrations = {
        logical: integration["Properties"]["IntegrationUri"]["Fn::GetAtt"][0]
        for logical, integration in prod.service.resources("AWS::ApiGatewayV2::Integration").items()
    }
    functions = prod.service.resources("AWS::Lambda::Function")
    expected = {route.key: route.function for route in ROUTES} | {"$default": "administration"}
    for route in prod.service.resources("AWS::ApiGatewayV2::Route").values():
        integration = route["Properties"]["Target"]["Fn::Join"][1][1]["Ref"]
        handler = functions[integrations[integration]]["Properties"]["Handler"]
        assert handler.split(".")[1] == expected[route["Properties"]["RouteKey"]]


def test_the_authorizer_is_asked_by_the_one_header_and_remembered_for_a_minute(prod: Synthesised) -> None:
    (authorizer,) = (r["Properties"] for r in prod.service.resources("AWS::ApiGatewayV2::Authorizer").values())
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    assert authorizer["AuthorizerResultTtlInSeconds"] == 60
    assert authorizer["AuthorizerPayloadFormatVersion"] == "2.0"
    assert authorizer["EnableSimpleResponses"] is True


def test_the_access_log_names_no_person(prod: Synthesised) -> None:
    (stage,) = (r["Properties"] for r in prod.service.resources("AWS::ApiGatewayV2::Stage").values())
    fields = set(json.loads(stage["AccessLogSettings"]["Format"]).values())
    telling = {"identity.", "context.path", "requestOverride", "userAgent", "authorizer.claims", "domainName"}
    assert not [field for field in fields if any(part in field for part in telling)]
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0


def test_the_reports_are_in_order_and_each_transition_once(prod: Synthesised) -> None:
    fifo = {
        queue["Properties"]["QueueName"]: queue["Properties"]
        for queue in prod.service.resources("AWS::SQS::Queue").values()
        if queue["Properties"].get("FifoQueue")
    }
    assert set(fifo) == {"regulars-prod-reports.fifo", "regulars-prod-reports-dead.fifo"}
    assert all(queue["DeduplicationScope"] == "messageGroup" for queue in fifo.values())
    assert all("ContentBasedDeduplication" not in queue for queue in fifo.values()), "the relay says what is the same"


def test_the_bus_delivers_in_groups_of_a_tenant_so_that_queues_are_fair(prod: Synthesised) -> None:
    rules = [rule["Properties"] for rule in prod.service.resources("AWS::Events::Rule").values()]
    groups = {rule["Description"]: [each.get("SqsParameters", {}).get("MessageGroupId") for each in rule["Targets"]] for rule in rules}
    for name in (*SUBSCRIPTIONS, "snapshots"):
        assert groups[f"Commits that {name} works on"] == ["$.detail.tenant"]
