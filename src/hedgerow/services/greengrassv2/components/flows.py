"""CreateComponentVersion and GetComponentVersionArtifact: what takes more than a transaction.

Create: the recipe is read, every artifact of ours is put aside with its digest, then the row names it all. What undoes
the putting aside is nothing: what no row names is swept by its keeper. So a component keeps its artifacts even when the
S3 objects that they came from change or go.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.caller import Caller
from hedgerow.core.recipe import Recipe, RecipeError, parse_recipe
from hedgerow.core.request import Request
from hedgerow.services.greengrassv2 import arns
from hedgerow.services.greengrassv2.components.errors import ComponentExists, NoSuchComponent, invalid_recipe
from hedgerow.services.greengrassv2.components.lambda_recipe import URI, LambdaImport, lambda_recipe
from hedgerow.services.greengrassv2.components.model import LAMBDA_ARTIFACT, Component, KeptArtifact, with_digests
from hedgerow.services.greengrassv2.components.ports import Artifacts, LambdaVersion, LambdaVersions, Rights, Stored
from hedgerow.services.greengrassv2.components.store import ComponentStore
from hedgerow.services.greengrassv2.errors import ValidationFailed
from hedgerow.store import Answer, Run, Tx

_CREATE: Final = "greengrass:CreateComponentVersion"


class ComponentFlows:
    """Makes component versions, and lets core devices fetch their artifacts."""

    def __init__(
        self, *, run: Run, store: ComponentStore, artifacts: Artifacts, functions: LambdaVersions, rights: Rights
    ) -> None:
        self._run = run
        self._store = store
        self._artifacts = artifacts
        self._functions = functions
        self._rights = rights

    async def create_component_version(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        if ("inlineRecipe" in request) == ("lambdaFunction" in request):
            raise ValidationFailed("Exactly one of inlineRecipe and lambdaFunction must be given.")
        client_token = request.get("clientToken")  # before artifacts are kept
        try:
            tags = request.take_all("tags") or {}
            if "inlineRecipe" in request:
                recipe, kept = await self._from_text(request["inlineRecipe"], tags, caller)
            else:
                recipe, kept = await self._from_function(request["lambdaFunction"], tags, caller)
        except RecipeError as error:
            raise invalid_recipe(error) from error
        component = Component(
            owner=caller.account,
            name=recipe.name,
            version=str(recipe.version),
            recipe=with_digests(recipe, {one.uri: one for one in kept}).to_json(),
            artifacts=kept,
            tags=tags,
            client_token=client_token,
        )
        answer = await self._run.write(lambda tx: self._added(tx, component, caller))
        return answer.response

    def _added(self, tx: Tx, component: Component, caller: Caller) -> Answer:
        name = arns.ComponentName(component.owner, component.name, component.version)
        there = self._store.get(tx, component.owner, component.name, component.version)
        if there is not None:
            again = component.client_token is not None and component.client_token == there.client_token
            if not again or there.recipe != component.recipe:
                raise ComponentExists(name.arn(caller.region))
        else:
            self._store.add(tx, component)
        return Answer(
            {
                "arn": name.arn(caller.region),
                "componentName": component.name,
                "componentVersion": component.version,
                "creationTimestamp": tx.now if there is None else there.created_at,
                "status": {"componentState": "DEPLOYABLE", "message": "NONE", "errors": {}},
            }
        )

    async def _from_text(
        self, text: bytes, tags: Mapping[str, str], caller: Caller
    ) -> tuple[Recipe, tuple[KeptArtifact, ...]]:
        recipe = await asyncio.to_thread(parse_recipe, text)  # YAML is slow to read
        if recipe.unknown:
            raise RecipeError(f"{recipe.unknown[0]!r} is not a property of recipes")
        await self._may_create(recipe, tags, caller)
        kept: dict[str, KeptArtifact] = {}
        for artifact in recipe.artifacts:
            if artifact.scheme == "s3" and artifact.uri not in kept:
                stored = await self._object(artifact.uri, caller)
                kept[artifact.uri] = _kept(artifact.uri, artifact.file_name, stored)
            elif artifact.scheme in ("greengrass", "file"):
                raise RecipeError(f"the artifact {artifact.uri} must be an S3 object (s3://bucket/key)")
        return recipe, tuple(kept.values())

    async def _may_create(self, recipe: Recipe, tags: Mapping[str, str], caller: Caller) -> None:
        """Ask for the right as soon as it is known which component it is about."""
        named = arns.ComponentName(caller.account, recipe.name, str(recipe.version))
        await self._rights.demand_itself(caller, _CREATE, named.arn(caller.region), tags=tags)

    async def _object(self, uri: str, caller: Caller) -> Stored:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not (bucket and key):
            raise RecipeError(f"the artifact {uri} names no S3 object (s3://bucket/key)")
        await self._rights.demand(caller, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")
        stored = await self._artifacts.keep_object(caller.account, bucket, key)
        if stored is None:
            raise RecipeError(f"the artifact {uri} cannot be read: there is no such object")
        return stored

    async def _from_function(
        self, wanted: Request, tags: Mapping[str, str], caller: Caller
    ) -> tuple[Recipe, tuple[KeptArtifact, ...]]:
        arn = wanted["lambdaArn"]
        if not arn.rsplit(":", 1)[-1].isdecimal():
            raise ValidationFailed(f"{arn} must name a published version (…:function:name:1).", field="lambdaArn")
        function: LambdaVersion | None = await self._run.read(
            lambda tx: self._functions.version(tx, caller.account, arn)
        )
        if function is None:
            raise ValidationFailed(f"The Lambda function version {arn} does not exist.", field="lambdaArn")
        parameters = wanted.take_all("componentLambdaParameters")
        if parameters and parameters.get("execArgs"):
            raise NotImplementedYet("componentLambdaParameters.execArgs is not implemented: set environmentVariables")
        recipe = lambda_recipe(
            function,
            LambdaImport(
                component_name=wanted.get("componentName"),
                component_version=wanted.get("componentVersion"),
                platforms=tuple(wanted.take_all("componentPlatforms") or ()),
                dependencies=wanted.take_all("componentDependencies"),
                parameters=parameters,
            ),
        )
        await self._may_create(recipe, tags, caller)
        stored = await self._artifacts.keep_blob(caller.account, function.digest, function.size)
        return recipe, (_kept(URI, LAMBDA_ARTIFACT, stored),)

    async def get_component_version_artifact(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        for name in ("s3EndpointType", "iotEndpointType"):
            request.get(name)  # there is one endpoint; every kind of it is the same
        asked = arns.component(request["arn"], caller, versioned=True)
        name = request["artifactName"]

        def found(tx: Tx) -> KeptArtifact | None:
            component = self._store.get(tx, asked.owner, asked.name, asked.version or "")
            return None if component is None else component.maybe_artifact(name)

        artifact = await self._run.read(found)
        if artifact is None:
            raise NoSuchComponent(f"{request['arn']} with the artifact {name}")
        url = await self._artifacts.url(caller.account, artifact.reference, artifact.size, artifact.file_name)
        return {"preSignedUrl": url}


def _kept(uri: str, file_name: str, stored: Stored) -> KeptArtifact:
    return KeptArtifact(
        uri=uri, file_name=file_name, reference=stored.reference, sha256=stored.sha256, size=stored.size
    )
