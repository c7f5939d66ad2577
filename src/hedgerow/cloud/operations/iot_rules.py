"""Topic rules and their destinations: operation → row, follow-up kind → handler."""

from hedgerow.api.operations import Row, pass_role, read, write
from hedgerow.services.iot.destinations import DestinationFlows, DestinationOperations
from hedgerow.services.iot.destinations.operations import CONFIRMATION
from hedgerow.services.iot.rules import ActionFlows, RuleOperations
from hedgerow.services.iot.rules.flows import FOLLOW_UP
from hedgerow.store import Handler

RULE = "arn:aws:iot:{region}:{account}:rule/{ruleName}"
DESTINATION = "{arn}"
_TO_DESTINATION = (pass_role("destinationConfiguration.vpcConfiguration.roleArn", to="iot.amazonaws.com"),)
_TO_RULE = (pass_role("topicRulePayload.**.roleArn", to="iot.amazonaws.com"),)


def rows(*, rules: RuleOperations, destinations: DestinationOperations) -> dict[str, Row]:
    """Answer the rows that topic rules add to the service `iot`."""
    return {
        "CreateTopicRule": write(rules.create_topic_rule, RULE, also=_TO_RULE),
        "ReplaceTopicRule": write(rules.replace_topic_rule, RULE, also=_TO_RULE),
        "GetTopicRule": read(rules.get_topic_rule, RULE),
        "ListTopicRules": read(rules.list_topic_rules),
        "DeleteTopicRule": write(rules.delete_topic_rule, RULE),
        "EnableTopicRule": write(rules.enable_topic_rule, RULE),
        "DisableTopicRule": write(rules.disable_topic_rule, RULE),
        "CreateTopicRuleDestination": write(destinations.create_topic_rule_destination, also=_TO_DESTINATION),
        "GetTopicRuleDestination": read(destinations.get_topic_rule_destination, DESTINATION),
        "ListTopicRuleDestinations": read(destinations.list_topic_rule_destinations),
        "UpdateTopicRuleDestination": write(destinations.update_topic_rule_destination, DESTINATION),
        "DeleteTopicRuleDestination": write(destinations.delete_topic_rule_destination, DESTINATION),
        "ConfirmTopicRuleDestination": write(destinations.confirm_topic_rule_destination),
    }


def follow_up_rows(*, actions: ActionFlows, destinations: DestinationFlows) -> dict[str, Handler]:
    """Answer what happens later: actions that wait on disk, questions to owners of URLs."""
    return {FOLLOW_UP: actions.on_rule_action, CONFIRMATION: destinations.on_confirmation}
