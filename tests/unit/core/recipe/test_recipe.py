import json

import pytest

from hedgerow.core.recipe import (
    ComponentType,
    Paths,
    RecipeError,
    StepName,
    Variables,
    interpolate,
    interpolate_all,
    parse_recipe,
)

HELLO = {
    "RecipeFormatVersion": "2020-01-25",
    "ComponentName": "com.x.Hello",
    "ComponentVersion": "1.0.0",
    "ComponentConfiguration": {"DefaultConfiguration": {"who": "world"}},
    "ComponentDependencies": {"aws.greengrass.TokenExchangeService": {"VersionRequirement": "^2.0.0"}},
    "Manifests": [
        {
            "Platform": {"os": "linux", "runtime": "*"},
            "Lifecycle": {
                "install": "pip install -r requirements.txt",
                "run": {"Script": "python3 -u main.py {configuration:/who}", "Setenv": {"A": "1"}, "Timeout": 5},
            },
            "Artifacts": [{"URI": "s3://bucket/dir/app.zip", "Unarchive": "ZIP"}],
        }
    ],
}
YAML = """
recipeformatversion: '2020-01-25'
componentName: com.x.Hello
ComponentVersion: 1.0.0
componentconfiguration:
  defaultConfiguration: {on: no, port: 8080, ratio: 0.5, since: 2020-01-25, none: ~, yes: true}
Manifests:
  - Platform: {os: linux}
    Artifacts: [{uri: "s3://b/k.zip", unarchive: zip}]
"""


def with_lifecycle(section: object, **manifest: object) -> str:
    return json.dumps({**HELLO, "Manifests": [{"Platform": {"os": "linux"}, **manifest}], "Lifecycle": section})


def test_a_json_recipe_is_read() -> None:
    recipe = parse_recipe(json.dumps(HELLO))

    assert (recipe.name, str(recipe.version), recipe.type) == ("com.x.Hello", "1.0.0", ComponentType.GENERIC)
    assert recipe.dependencies["aws.greengrass.TokenExchangeService"].requirement.allows("2.0.3")
    assert [(one.scheme, one.file_name, one.unarchive) for one in recipe.artifacts] == [("s3", "app.zip", "ZIP")]
    assert recipe.unknown == ()


def test_steps_have_their_scripts_timeouts_and_environment() -> None:
    selected = parse_recipe(json.dumps(HELLO)).maybe_selected({"os": "linux"})

    assert selected is not None
    run, install = selected.lifecycle.steps[StepName.RUN], selected.lifecycle.steps[StepName.INSTALL]
    assert (run.script, run.timeout_s, run.environment) == (
        "python3 -u main.py {configuration:/who}",
        5,
        {"A": "1"},
    )
    assert (install.timeout_s, install.requires_privilege) == (120, False)


def test_yaml_has_the_types_of_json_and_keys_in_any_case() -> None:
    recipe = parse_recipe(YAML)

    assert recipe.defaults == {
        "on": "no",
        "port": 8080,
        "ratio": 0.5,
        "since": "2020-01-25",
        "none": None,
        "yes": True,
    }
    assert json.loads(recipe.to_json())["Manifests"][0]["Artifacts"] == [{"Uri": "s3://b/k.zip", "Unarchive": "ZIP"}]


def test_canonical_json_reads_as_the_same_recipe() -> None:
    recipe = parse_recipe(YAML)

    assert parse_recipe(recipe.to_json()) == recipe


def test_the_first_manifest_that_fits_is_taken() -> None:
    manifests = [
        {"Name": "pi", "Platform": {"os": "linux", "architecture": "/arm|aarch64/"}},
        {"Name": "box", "Platform": {"os": "linux", "architecture": "amd64"}},
        {"Name": "rest"},
    ]
    recipe = parse_recipe(json.dumps({**HELLO, "Manifests": manifests}))

    chosen = [
        recipe.maybe_manifest(attributes)
        for attributes in (
            {"os": "linux", "architecture": "aarch64"},
            {"os": "linux", "architecture": "amd64"},
            {"os": "linux", "architecture": "armv9"},
        )
    ]

    assert [one.name if one else None for one in chosen] == ["pi", "box", "rest"]


def test_no_manifest_fits_a_device_of_another_platform() -> None:
    assert parse_recipe(json.dumps(HELLO)).maybe_selected({"os": "windows"}) is None


def test_a_star_matches_an_attribute_that_the_device_does_not_have() -> None:
    recipe = parse_recipe(json.dumps(HELLO))

    assert recipe.maybe_manifest({"os": "linux"}) is not None


def test_selections_choose_sections_of_the_global_lifecycle() -> None:
    text = with_lifecycle(
        {"install": {"pi": "a", "all": "b"}, "run": {"Script": {"other": "x", "pi": "y"}}, "shutdown": "z"},
        Selections=["pi", "other"],
    )

    selected = parse_recipe(text).maybe_selected({"os": "linux"})

    assert selected is not None
    assert {name.value: step.script for name, step in selected.lifecycle.steps.items()} == {
        "install": "a",
        "run": "y",
        "shutdown": "z",
    }


def test_without_selections_the_section_all_is_taken() -> None:
    selected = parse_recipe(with_lifecycle({"all": {"run": "x"}})).maybe_selected({"os": "linux"})

    assert selected is not None
    assert selected.lifecycle.steps[StepName.RUN].script == "x"


def test_a_manifests_own_lifecycle_hides_the_global_one() -> None:
    selected = parse_recipe(with_lifecycle({"all": {"run": "x"}}, Lifecycle={"run": "y"})).maybe_selected(
        {"os": "linux"}
    )

    assert selected is not None
    assert selected.lifecycle.steps[StepName.RUN].script == "y"


def test_names_that_no_recipe_has_are_listed() -> None:
    recipe = parse_recipe(json.dumps({**HELLO, "Manifests": [{"Colour": "red"}], "Shape": 1}))

    assert recipe.unknown == ("the recipe: Shape", "Manifests[0]: Colour")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"RecipeFormatVersion": "2019-01-01"}, "RecipeFormatVersion"),
        ({"ComponentName": "a/b"}, "component name"),
        ({"ComponentVersion": "1.0"}, "semantic version"),
        ({"ComponentVersion": 1.0}, "quote it"),
        ({"ComponentType": "aws.greengrass.other"}, "ComponentType"),
        ({"ComponentDependencies": {"a": {"VersionRequirement": ">>1"}}}, "dependency on a"),
        ({"ComponentDependencies": {"com.x.Hello": {"VersionRequirement": "*"}}}, "itself"),
        ({"ComponentDependencies": {"a": {"DependencyType": "MAYBE"}}}, "HARD or SOFT"),
        ({"Manifests": [{"Lifecycle": {"run": "a", "startup": "b"}}]}, "either startup or run"),
        ({"Manifests": [{"Lifecycle": {"launch": "a"}}]}, "no step 'launch'"),
        ({"Manifests": [{"Lifecycle": {"run": {"Script": "a", "Timeout": "soon"}}}]}, "Timeout"),
        ({"Manifests": [{"Lifecycle": {"run": {"Script": "a", "Skipif": "moon"}}}]}, "Skipif"),
        ({"Manifests": [{"Platform": {"os": "/(/"}}]}, "pattern"),
        ({"Manifests": [{"Artifacts": [{"URI": "ftp://x/y"}]}]}, "schemes"),
        ({"Manifests": [{"Artifacts": [{"URI": "s3://x/y"}, {"URI": "s3://z/y"}]}]}, "file name"),
        ({"Manifests": {}}, "list"),
    ],
)
def test_a_faulty_recipe_is_refused_with_the_place(change: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parse_recipe(json.dumps({**HELLO, **change}))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "a: *b", "a: &b 1\nc: *b", '{"a":1,"a":2}', b"\xff\xfe", '{"a":NaN}', "[" * 3000, '{"a":' * 3000],
)
def test_what_is_no_recipe_at_all_is_refused(text: str | bytes) -> None:
    with pytest.raises(RecipeError):
        parse_recipe(text)


def test_variables_are_replaced_and_unknown_ones_stay() -> None:
    variables = Variables(
        own=Paths(artifacts="/a", decompressed="/d", work="/w", configuration={"n": 1, "o": {"k": [None]}, "s": "t"}),
        dependencies={"com.y": Paths(artifacts="/ya", configuration={"p": True})},
        root_path="/gg",
        thing_name="T",
    )

    answer = interpolate(
        "{artifacts:path} {artifacts:decompressedPath} {work:path} {configuration:/n} {configuration:/o} "
        "{configuration:/s} {com.y:artifacts:path} {com.y:configuration:/p} {kernel:rootPath} {iot:thingName} "
        "{configuration:/missing} {com.z:work:path} { not a variable } ${HOME}",
        variables,
    )

    assert answer == (
        '/a /d /w 1 {"k":[null]} t /ya true /gg T {configuration:/missing} {com.z:work:path} { not a variable } ${HOME}'
    )


def test_values_are_not_read_for_variables_again() -> None:
    variables = Variables(own=Paths(configuration={"a": "{iot:thingName}"}), thing_name="T")

    assert interpolate_all({"x": ["{configuration:/a}", 1]}, variables) == {"x": ["{iot:thingName}", 1]}
