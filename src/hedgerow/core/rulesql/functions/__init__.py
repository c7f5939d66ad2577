"""The functions of IoT SQL, as tables: name → Function. What AWS has and we have not is refused by name."""

from hedgerow.core.rulesql.functions.collections import COLLECTIONS
from hedgerow.core.rulesql.functions.context import CONTEXT
from hedgerow.core.rulesql.functions.numeric import NUMERIC
from hedgerow.core.rulesql.functions.table import Function, Scope
from hedgerow.core.rulesql.functions.text import TEXT

FUNCTIONS: dict[str, Function] = {**NUMERIC, **TEXT, **COLLECTIONS, **CONTEXT}

NOT_YET = frozenset(
    {
        "aws_lambda",
        "get_dynamodb",
        "get_mqtt_property",
        "get_registry_data",
        "get_secret",
        "get_thing_shadow",
        "get_user_properties",
        "machinelearning_predict",
        "parse_time",
        "regexp_matches",
        "regexp_replace",
        "regexp_substr",
        "time_to_epoch",
    }
)

__all__ = ["FUNCTIONS", "NOT_YET", "Function", "Scope"]
