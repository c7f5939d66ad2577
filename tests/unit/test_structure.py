"""The house's own rules, where no other tool checks them: folders, sizes, shop windows, error names."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.loaders import Loader

import hedgerow
from hedgerow.base.errors import ServiceError

SOURCE = Path(hedgerow.__file__).parent
SERVICES = SOURCE / "services"
FILES = {"__init__.py", "model.py", "store.py", "operations.py", "errors.py"}
MOST_LINES = 600
MODELS = [str(SOURCE / "core" / "wire" / "models")]


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def subjects() -> list[Path]:
    """A subject's folder is one with an operations.py."""
    return sorted(path.parent for path in SERVICES.rglob("operations.py"))


def packages() -> Iterator[str]:
    for found in pkgutil.walk_packages([str(SOURCE)], "hedgerow."):
        if found.ispkg:
            yield found.name


@pytest.mark.parametrize("folder", subjects(), ids=lambda folder: str(folder.relative_to(SERVICES)))
def test_a_subjects_folder_has_its_files(folder: Path) -> None:
    there = {path.name for path in folder.glob("*.py")}

    shared = {path.name for path in folder.parent.glob("errors.py")}
    assert there | shared >= FILES - {"model.py", "store.py"}, "a subject has at least its operations and errors"


def test_no_source_file_is_too_long() -> None:
    long = {
        str(path.relative_to(SOURCE)): lines
        for path in sources()
        if (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }

    assert long == {}


def test_every_module_says_what_it_is() -> None:
    silent = [str(path.relative_to(SOURCE)) for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))]

    assert silent == []


@pytest.mark.parametrize("name", sorted(packages()))
def test_a_packages_shop_window_holds_what_it_says(name: str) -> None:
    package = importlib.import_module(name)

    missing = [each for each in getattr(package, "__all__", ()) if not hasattr(package, each)]

    assert missing == []


def errors_of(module_name: str) -> Iterator[type[ServiceError]]:
    for each in vars(importlib.import_module(module_name)).values():
        if isinstance(each, type) and issubclass(each, ServiceError) and each.__module__ == module_name:
            yield each


def shapes_of(service: str) -> set[str]:
    loader = Loader(extra_search_paths=MODELS)
    shapes = loader.load_service_model(service, "service-2")["shapes"]
    codes = {shape["error"]["code"] for shape in shapes.values() if shape.get("error", {}).get("code")}
    return {name for name, shape in shapes.items() if shape.get("exception")} | codes


#: services whose errors a folder may raise; errors that no model names carry a status of their own
RAISED_BY = {
    "iot": ("iot", "iot-data", "iot-jobs-data"),
    "greengrassv2": ("greengrassv2", "hedgerow-device"),
    "lambda_": ("lambda",),
    "s3": ("s3",),
    "logs": ("logs",),
    "cloudwatch": ("cloudwatch",),
    "iam": ("iam",),
    "sts": ("sts", "hedgerow-device"),
    "hedgerow": ("hedgerow",),
}


@pytest.mark.slow
@pytest.mark.parametrize("folder", sorted(RAISED_BY))
def test_every_error_is_one_of_the_models_or_brings_its_status(folder: str) -> None:
    known = {name for service in RAISED_BY[folder] for name in shapes_of(service)}
    strange = []
    for path in (SERVICES / folder).rglob("errors.py"):
        module = "hedgerow." + ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        strange += [
            f"{module}.{error.__name__}: {error.code}"
            for error in errors_of(module)
            if error.code not in known and error.status is None and error is not ServiceError
        ]

    assert strange == []
