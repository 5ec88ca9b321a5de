"""Applications, projects, charts, value files and images fit together in every environment."""

from __future__ import annotations

import os
import string
from pathlib import Path

import pytest
import yaml
from rendered import of_kind

from task_images.build import read_manifest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
REPOSITORY = "https://git.example.org/you/continuous-training.git"
CLUSTER_SCOPED = {"Namespace": ""}


@pytest.fixture(scope="session")
def apps(applications, environment):
    """The Applications of an environment."""
    return of_kind(applications(environment), "Application")


@pytest.fixture(scope="session")
def projects(applications, environment):
    """Its projects by name."""
    return {one["metadata"]["name"]: one["spec"] for one in of_kind(applications(environment), "AppProject")}


def own(apps):
    """Those of our charts."""
    return [one for one in apps if "source" in one["spec"]]


def test_every_path_and_value_file_exists(apps):
    for one in own(apps):
        source = one["spec"]["source"]
        assert (ROOT / source["path"] / "Chart.yaml").exists()
        for file in source["helm"]["valueFiles"]:
            path = Path(os.path.normpath(ROOT / source["path"] / file))
            assert path.exists(), file
            assert ROOT in path.parents


def test_every_chart_has_an_application_and_every_value_file_a_chart(apps, environment):
    charts = {path.parent.name for path in (ROOT / "helm").glob("*/values.yaml")}
    left_out = {"production": {"data-source"}, "kind": set(), "local": {"observability"}}[environment]
    assert {one["metadata"]["name"] for one in own(apps)} == charts - left_out
    others = {one["metadata"]["name"] for one in apps} - charts
    files = {path.stem for path in (ROOT / "argocd-apps/environments" / environment).glob("*.yaml")}
    assert files == charts | others | {"apps", "global", "images"}


def test_every_application_is_what_its_project_allows(apps, projects, rendered, environment):
    renders = rendered(environment)
    for one in apps:
        spec = one["spec"]
        project = projects[spec["project"]]
        sources = [spec["source"]] if "source" in spec else spec["sources"]
        assert {source["repoURL"] for source in sources} <= set(project["sourceRepos"])
        destinations = {(place["server"], place["namespace"]) for place in project["destinations"]}
        assert (spec["destination"]["server"], spec["destination"]["namespace"]) in destinations
        for rendered_object in renders[one["metadata"]["name"]].objects if "source" in spec else ():
            kind, namespace = rendered_object["kind"], rendered_object["metadata"].get("namespace")
            group = rendered_object["apiVersion"].rpartition("/")[0]
            if kind in CLUSTER_SCOPED:
                assert {"group": group, "kind": kind} in project["clusterResourceWhitelist"]
            else:
                assert (spec["destination"]["server"], namespace) in destinations, f"{one['metadata']['name']}: {kind}"
                assert {"group": group, "kind": kind} not in project.get("namespaceResourceBlacklist", [])


def test_nobody_is_in_the_default_project_and_no_project_takes_everything(apps, projects):
    assert not {"default", ""} & {one["spec"]["project"] for one in apps}
    for spec in projects.values():
        assert "*" not in spec["sourceRepos"]
        assert all("*" not in (place["server"], place["namespace"]) for place in spec["destinations"])
        assert all("*" not in (one["group"], one["kind"]) for one in spec["clusterResourceWhitelist"])


def test_nothing_follows_head_and_charts_of_others_are_pinned(apps):
    for one in apps:
        assert not {"source", "sources"} <= one["spec"].keys()
        for source in one["spec"].get("sources", []):
            assert source["targetRevision"] not in {"HEAD", "*", ""}
            if "chart" in source:
                assert all(part.isdigit() for part in source["targetRevision"].split("."))
        if "source" in one["spec"]:
            assert one["spec"]["source"]["targetRevision"] == "main"


def test_every_application_heals_prunes_and_tries_again(apps):
    for one in apps:
        policy = one["spec"]["syncPolicy"]
        assert policy["automated"] == {"prune": True, "selfHeal": True}
        assert policy["retry"]["limit"] >= 10
        assert {"ServerSideApply=true", "PruneLast=true"} <= set(policy["syncOptions"])
        assert "ignoreDifferences" not in one["spec"]


def test_waves_put_what_is_needed_first(apps):
    wave = {one["metadata"]["name"]: int(one["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]) for one in apps}
    order = ["platform", "secrets", "databases", "mlflow", "airflow", "dashboard", "serving"]
    assert [wave[name] for name in order] == sorted(wave[name] for name in order)
    assert len({wave[name] for name in order}) == len(order)
    assert wave["object-store"] < wave["mlflow"]


def test_a_commit_elsewhere_renders_nothing_again(apps, environment):
    for one in own(apps):
        paths = one["metadata"]["annotations"]["argocd.argoproj.io/manifest-generate-paths"].split(";")
        assert paths == [f"/helm/{one['metadata']['name']}", "/helm/lib", f"/argocd-apps/environments/{environment}"]


def test_releases_have_the_names_of_their_charts_so_that_services_have_them_too(apps):
    for one in own(apps):
        assert one["spec"]["source"]["helm"]["releaseName"] == one["metadata"]["name"]


def test_dags_are_read_from_the_same_repository(rendered, environment):
    [config] = [
        one
        for one in rendered(environment)["airflow"].objects
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "airflow"
    ]
    [bundle] = yaml.safe_load(config["data"]["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert bundle["kwargs"]["repo_url"] == REPOSITORY
    assert (ROOT / bundle["kwargs"]["subdir"]).is_dir()
    assert config["data"]["CT_ENVIRONMENT"] == environment


def test_images_that_charts_use_are_those_that_are_published(rendered, environment):
    from rendered import containers, pods

    known = {name.replace("_", "-") for name in read_manifest()}
    used = {
        container["image"].rpartition("/")[2].partition(":")[0].removeprefix("continuous-training-")
        for render in rendered(environment).values()
        for _, _, template in pods(render.objects)
        for container in containers(template)
        if "/continuous-training-" in container["image"]
    }
    assert used <= known
    assert {"airflow", "mlflow", "serving", "dashboard", "store"} <= used


def test_the_root_is_one_file_in_a_project_of_its_own():
    values = {"REPOSITORY": REPOSITORY, "REVISION": "main", "ENVIRONMENT": "local"}
    text = string.Template((ROOT / "argocd-apps/root.yaml").read_text()).substitute(values)
    project, root = yaml.safe_load_all(text)
    assert root["spec"]["project"] == project["metadata"]["name"] == "continuous-training-root"
    assert {one["kind"] for one in project["spec"]["namespaceResourceWhitelist"]} == {"Application", "AppProject"}
    assert project["spec"]["sourceRepos"] == [root["spec"]["source"]["repoURL"]]
    for environment in ("production", "kind", "local"):
        assert (ROOT / "argocd-apps/environments" / environment / "apps.yaml").exists()


def test_the_root_s_values_are_those_of_the_chart():
    values = yaml.safe_load((ROOT / "argocd-apps/values.yaml").read_text())
    text = (ROOT / "argocd-apps/root.yaml").read_text().replace("${", "").replace("}", "")
    *_, root = yaml.safe_load_all(text)
    assert root["spec"]["source"]["helm"]["valuesObject"].keys() <= values.keys()
