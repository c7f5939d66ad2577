"""A Lambda function's version as a component: the recipe that AWS makes of it.

Spec: Greengrass V2, "import Lambda functions as components". The zip is the component's one artifact. Start and stop
are `aws.greengrass.LambdaLauncher`'s; our own edge reads environment and configuration, and runs the function itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hedgerow.core.recipe import Recipe, component_name, recipe_of, requirement, version
from hedgerow.services.greengrassv2.components.model import LAMBDA_ARTIFACT
from hedgerow.services.greengrassv2.components.ports import LambdaVersion

Json = dict[str, Any]
URI: Final = f"greengrass:{LAMBDA_ARTIFACT}"
_LAUNCHER: Final = "{aws.greengrass.LambdaLauncher:artifacts:path}/lambda-launcher"
_RUNTIMES: Final = "{aws.greengrass.LambdaRuntimes:artifacts:decompressedPath}/runtime/"
_DEPENDENCIES: Final = {
    "aws.greengrass.LambdaLauncher": {"VersionRequirement": "^2.0.0", "DependencyType": "HARD"},
    "aws.greengrass.TokenExchangeService": {"VersionRequirement": "^2.0.0", "DependencyType": "HARD"},
    "aws.greengrass.LambdaRuntimes": {"VersionRequirement": "^2.0.0", "DependencyType": "SOFT"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaImport:
    """What the caller asked for, as plain values of the request."""

    component_name: str | None = None
    component_version: str | None = None
    platforms: tuple[Mapping[str, Any], ...] = ()
    dependencies: Mapping[str, Mapping[str, str]] | None = None
    parameters: Mapping[str, Any] | None = None


def lambda_recipe(function: LambdaVersion, wanted: LambdaImport) -> Recipe:
    """Answer the recipe; raise RecipeError when a name, version or requirement is faulty."""
    name = component_name(wanted.component_name or function.name)
    document: Json = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": str(version(wanted.component_version or f"{function.version}.0.0")),
        "ComponentType": "aws.greengrass.lambda",
        "ComponentDescription": function.description,
        "ComponentSource": function.arn,
        "ComponentConfiguration": {"DefaultConfiguration": _configuration(function, wanted.parameters or {})},
        "ComponentDependencies": _dependencies(wanted.dependencies or {}),
        "Manifests": [_manifest(one, function) for one in wanted.platforms or ({"attributes": {"os": "linux"}},)],
    }
    return recipe_of(document)


def _configuration(function: LambdaVersion, parameters: Mapping[str, Any]) -> Json:
    process = parameters.get("linuxProcessParams") or {}
    environment = {**function.environment, **(parameters.get("environmentVariables") or {})}
    configuration: Json = {
        "lambdaExecutionParameters": {"EnvironmentVariables": environment},
        "containerParams": _container(process.get("containerParams") or {}),
        "containerMode": process.get("isolationMode", "GreengrassContainer"),
        "timeoutInSeconds": parameters.get("timeoutInSeconds", 3),
        "maxInstancesCount": parameters.get("maxInstancesCount", 100),
        "inputPayloadEncodingType": parameters.get("inputPayloadEncodingType", "json"),
        "maxQueueSize": parameters.get("maxQueueSize", 1000),
        "pinned": parameters.get("pinned", True),
        "maxIdleTimeInSeconds": parameters.get("maxIdleTimeInSeconds", 60),
        "statusTimeoutInSeconds": parameters.get("statusTimeoutInSeconds", 60),
        "pubsubTopics": {
            str(index): {"topic": source["topic"], "type": source["type"]}
            for index, source in enumerate(parameters.get("eventSources") or ())
        },
    }
    if parameters.get("execArgs"):
        configuration["execArgs"] = list(parameters["execArgs"])
    return configuration


def _container(given: Mapping[str, Any]) -> Json:
    return {
        "memorySize": given.get("memorySizeInKB", 16_384),
        "mountROSysfs": given.get("mountROSysfs", False),
        "volumes": {str(index): dict(one) for index, one in enumerate(given.get("volumes") or ())},
        "devices": {str(index): dict(one) for index, one in enumerate(given.get("devices") or ())},
    }


def _dependencies(given: Mapping[str, Mapping[str, str]]) -> Json:
    dependencies: Json = dict(_DEPENDENCIES)
    for name, one in given.items():
        text = one.get("versionRequirement") or "*"
        requirement(text)
        dependencies[name] = {"VersionRequirement": text, "DependencyType": one.get("dependencyType") or "HARD"}
    return dependencies


def _manifest(platform: Mapping[str, Any], function: LambdaVersion) -> Json:
    manifest: Json = {"Name": platform["name"]} if platform.get("name") else {}
    manifest["Platform"] = dict(platform.get("attributes") or {})
    manifest["Lifecycle"] = _lifecycle(function)
    manifest["Artifacts"] = [{"Uri": URI, "Unarchive": "ZIP", "Permission": {"Read": "OWNER", "Execute": "NONE"}}]
    return manifest


def _lifecycle(function: LambdaVersion) -> Json:
    program = ["python3", "-u", "/runtime/python/lambda_runtime.py"]
    if function.runtime.startswith("nodejs"):
        program = [function.runtime, "/runtime/nodejs/lambda_nodejs_runtime.js"]
    elif function.runtime.startswith("java"):
        program = [function.runtime, "-cp", "/runtime/java8/lambda-runtime.jar"]
    elif function.runtime.startswith("python"):
        program[0] = function.runtime
    return {
        "startup": {"requiresPrivilege": True, "script": f"{_LAUNCHER} start"},
        "shutdown": {"requiresPrivilege": True, "script": f"{_LAUNCHER} stop; {_LAUNCHER} clean"},
        "setenv": {
            "AWS_GREENGRASS_LAMBDA_ARN": function.arn,
            "AWS_GREENGRASS_LAMBDA_FUNCTION_HANDLER": function.handler,
            "AWS_GREENGRASS_LAMBDA_RUNTIME": function.runtime,
            "AWS_GREENGRASS_LAMBDA_RUNTIME_PATH": _RUNTIMES,
            "AWS_GREENGRASS_LAMBDA_EXEC_ARGS": json.dumps([*program, f"--handler={function.handler}"]),
            "AWS_GREENGRASS_LAMBDA_ARTIFACT_PATH": "{artifacts:decompressedPath}/lambda-artifact",
            "AWS_GREENGRASS_LAMBDA_ENCODING_TYPE": "{configuration:/inputPayloadEncodingType}",
            "AWS_GREENGRASS_LAMBDA_CONTAINER_MODE": "{configuration:/containerMode}",
            "AWS_GREENGRASS_LAMBDA_CONTAINER_PARAMS": "{configuration:/containerParams}",
            "AWS_GREENGRASS_LAMBDA_PARAMS": "{configuration:/lambdaExecutionParameters}",
            "AWS_GREENGRASS_LAMBDA_STATUS_TIMEOUT_SECONDS": "{configuration:/statusTimeoutInSeconds}",
        },
    }
