"""Topic rules: one method per operation (AWS IoT API reference)."""

import re
from dataclasses import replace
from typing import Any, Final, Protocol

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.events import RulesChanged
from hedgerow.core.mqtt.topics import matches
from hedgerow.core.request import Request
from hedgerow.core.rulesql import DEFAULT_VERSION, compile_rule
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.rules.errors import InvalidAction, RuleExists, RuleNotFound
from hedgerow.services.iot.rules.model import MAX_ACTIONS, TopicRule, parse_action
from hedgerow.services.iot.rules.store import RuleStore, accounts_with_rules
from hedgerow.store import Answer, Tx

SERVICE_PRINCIPAL: Final = "iot.amazonaws.com"
_NAME: Final = re.compile(r"[a-zA-Z0-9_]{1,128}")


class Roles(Protocol):
    """What rules need to know of roles."""

    def assumable(self, tx: Tx, account: str, role_arn: str, service: str, source: str) -> bool:
        """Tell whether the role is there and trusts the service."""
        ...


class RuleOperations:
    """Create, replace, look up, switch on and off, delete."""

    def __init__(self, *, pages: Pages, roles: Roles) -> None:
        self._pages = pages
        self._roles = roles

    def create_topic_rule(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        rules = RuleStore(tx, caller.account)
        name = _checked_name(request["ruleName"])
        if rules.get(name) is not None:
            raise RuleExists(name, _arn(caller, name))
        rules.add(self._parsed(tx, name, request["topicRulePayload"], caller, created_at=tx.now))
        return Answer({}, (RulesChanged(account=caller.account),))

    def replace_topic_rule(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        rules = RuleStore(tx, caller.account)
        old = _found(rules, request["ruleName"])
        rules.change(self._parsed(tx, old.name, request["topicRulePayload"], caller, created_at=old.created_at))
        return Answer({}, (RulesChanged(account=caller.account),))

    def get_topic_rule(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        rule = _found(RuleStore(tx, caller.account), request["ruleName"])
        shown: dict[str, Any] = {
            "ruleName": rule.name,
            "sql": rule.sql,
            "description": rule.description,
            "createdAt": rule.created_at,
            "actions": list(rule.actions),
            "ruleDisabled": rule.disabled,
            "awsIotSqlVersion": rule.version,
        }
        if rule.error_action is not None:
            shown["errorAction"] = rule.error_action
        return Answer({"ruleArn": _arn(caller, rule.name), "rule": shown})

    def list_topic_rules(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        topic, disabled = request.get("topic"), request.get("ruleDisabled")
        page = self._pages.by_token(request, caller, "ListTopicRules", topic=topic, disabled=disabled)
        rules = RuleStore(tx, caller.account)
        found: list[TopicRule] = []
        after = page.after()
        while len(found) < page.limit and (some := rules.page(after=after, count=page.limit)):
            found += [rule for rule in some if disabled in (None, rule.disabled) and _selects(rule, topic)]
            after = some[-1].name
        return Answer(
            page.answer("rules", found, key=lambda rule: (rule.name,), show=lambda rule: _shown(rule, caller))
        )

    def delete_topic_rule(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        rules = RuleStore(tx, caller.account)
        rules.delete(_found(rules, request["ruleName"]).name)
        return Answer({}, (RulesChanged(account=caller.account),))

    def enable_topic_rule(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._switched(tx, request, caller, disabled=False)

    def disable_topic_rule(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._switched(tx, request, caller, disabled=True)

    def enabled(self, tx: Tx, account: str) -> list[TopicRule]:
        """Answer the account's rules that are switched on, by name."""
        return RuleStore(tx, account).enabled()

    def accounts(self, tx: Tx) -> list[str]:
        """Answer the accounts that have rules which are switched on."""
        return list(accounts_with_rules(tx))

    def _switched(self, tx: Tx, request: Request, caller: Caller, *, disabled: bool) -> Answer:
        rules = RuleStore(tx, caller.account)
        rules.change(replace(_found(rules, request["ruleName"]), disabled=disabled))
        return Answer({}, (RulesChanged(account=caller.account),))

    def _parsed(self, tx: Tx, name: str, payload: Request, caller: Caller, *, created_at: float) -> TopicRule:
        version = payload.get("awsIotSqlVersion", DEFAULT_VERSION)
        statement = compile_rule(payload["sql"], version)
        actions = tuple(parse_action(action) for action in payload["actions"])
        if len(actions) > MAX_ACTIONS:
            raise InvalidAction(f"a rule has at most {MAX_ACTIONS} actions, not {len(actions)}")
        error_action = parse_action(payload["errorAction"]) if "errorAction" in payload else None
        for action in (*actions, *([error_action] if error_action else [])):
            self._check_role(tx, action, caller, _arn(caller, name))
            _check_loop(action, statement.topic_filter)
        return TopicRule(
            name=name,
            sql=payload["sql"],
            version=version,
            description=payload.get("description", ""),
            actions=actions,
            error_action=error_action,
            disabled=payload.get("ruleDisabled", False),
            created_at=created_at,
        )

    def _check_role(self, tx: Tx, action: dict[str, Any], caller: Caller, source: str) -> None:
        ((kind, members),) = action.items()
        role = members.get("roleArn")
        if role is not None and not self._roles.assumable(tx, caller.account, role, SERVICE_PRINCIPAL, source):
            raise InvalidAction(
                f"the role {role} of the {kind} action is not there or does not trust {SERVICE_PRINCIPAL} to act for "
                f"{source}: create it, with {SERVICE_PRINCIPAL} in its trust policy"
            )


def _check_loop(action: dict[str, Any], topic_filter: str | None) -> None:
    topic = action.get("republish", {}).get("topic")
    if topic is not None and topic_filter is not None and "${" not in topic and matches(topic_filter, topic):
        raise InvalidAction(f"Republish topic cannot be within topic space of rule's topic pattern '{topic_filter}'")


def _selects(rule: TopicRule, topic: str | None) -> bool:
    if topic is None:
        return True
    topic_filter = compile_rule(rule.sql, rule.version).topic_filter
    return topic_filter is not None and matches(topic_filter, topic)


def _found(rules: RuleStore, name: str) -> TopicRule:
    rule = rules.get(name)
    if rule is None:
        raise RuleNotFound(name)
    return rule


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidAction(f"a rule's name has 1 to 128 letters, digits and _; {name!r} has not")
    return name


def _arn(caller: Caller, name: str) -> str:
    return arn("iot", caller.region, caller.account, f"rule/{name}")


def _shown(rule: TopicRule, caller: Caller) -> dict[str, Any]:
    topic_filter = compile_rule(rule.sql, rule.version).topic_filter
    shown = {
        "ruleArn": _arn(caller, rule.name),
        "ruleName": rule.name,
        "createdAt": rule.created_at,
        "ruleDisabled": rule.disabled,
    }
    return shown if topic_filter is None else {**shown, "topicPattern": topic_filter}
