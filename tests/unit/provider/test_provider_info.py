"""What Airflow is told about the provider is valid, and everything that it names exists."""

import importlib
import json
import re
from configparser import ConfigParser
from pathlib import Path

import airflow
import jsonschema
import pytest
from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.configuration import conf
from continuous_training import __version__, get_provider_info
from continuous_training.settings import OPTIONS, SECTION, flag, option

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]


def setup_cfg():
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_it_is_valid_against_airflows_schema():
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_the_operators_it_names_exist():
    for entry in get_provider_info()["operators"]:
        for module in entry["python-modules"]:
            found = [thing for thing in vars(importlib.import_module(module)).values() if isinstance(thing, type)]
            assert [cls for cls in found if issubclass(cls, BaseOperator) and cls.__module__ == module]


def test_the_links_it_names_exist():
    for path in get_provider_info()["extra-links"]:
        module, name = path.rsplit(".", 1)
        assert issubclass(getattr(importlib.import_module(module), name), BaseOperatorLink)


def test_every_option_has_what_airflow_requires():
    options = get_provider_info()["config"][SECTION]["options"]
    assert options.keys() == OPTIONS.keys()
    for name, told in options.items():
        assert told.keys() == {"description", "version_added", "type", "example", "default"}, name
        assert isinstance(told["default"], str), name


def test_airflow_knows_the_defaults():
    for name, declared in OPTIONS.items():
        assert conf.get(SECTION, name) == declared.default
        assert option(name) == declared.default


def test_the_environment_sets_an_option(configure):
    configure(runner=" process ", keep_failed_pods="yes")
    assert option("runner") == "process"
    assert flag("keep_failed_pods") is True


def test_no_registry_host_is_built_in():
    assert "." not in OPTIONS["image_prefix"].default


def test_the_release_is_told_once():
    assert setup_cfg()["metadata"]["version"] == "attr: continuous_training.version.__version__"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert get_provider_info()["versions"] == [__version__]


def test_the_wheel_lists_every_package_folder():
    listed = set(setup_cfg()["options"]["packages"].split())
    folders = {
        ".".join(file.parent.relative_to(base).parts)
        for base in (ROOT / "provider", ROOT / "task_images" / "contract")
        for file in base.rglob("__init__.py")
    }
    assert listed == folders
