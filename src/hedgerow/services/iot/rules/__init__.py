"""Topic rules: what they are, and what they make of a message."""

from hedgerow.services.iot.rules.flows import ActionFailed, ActionFlows
from hedgerow.services.iot.rules.model import CompiledRule, Failure, Job, TopicRule
from hedgerow.services.iot.rules.operations import RuleOperations

__all__ = ["ActionFailed", "ActionFlows", "CompiledRule", "Failure", "Job", "RuleOperations", "TopicRule"]
