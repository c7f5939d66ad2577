"""IoT SQL: rule statements and substitution templates, pure (AWS IoT developer guide, "AWS IoT SQL reference")."""

from hedgerow.core.rulesql.errors import FunctionRefused, SqlParseError
from hedgerow.core.rulesql.functions import Scope
from hedgerow.core.rulesql.message import Message
from hedgerow.core.rulesql.rule import DEFAULT_VERSION, Rule, Template, compile_rule, compile_template
from hedgerow.core.rulesql.values import UNDEFINED

__all__ = [
    "DEFAULT_VERSION",
    "UNDEFINED",
    "FunctionRefused",
    "Message",
    "Rule",
    "Scope",
    "SqlParseError",
    "Template",
    "compile_rule",
    "compile_template",
]
