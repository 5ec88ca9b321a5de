"""Each test of applications and projects against one with the defect that it is there for."""

from __future__ import annotations

import copy as copies

import pytest
import test_applications as applications_tests
from rendered import of_kind

pytestmark = pytest.mark.unit


def app(apps, name):
    return next(one for one in apps if one["metadata"]["name"] == name)


DEFECTS = {
    "the default project": (
        "test_nobody_is_in_the_default_project_and_no_project_takes_everything",
        lambda apps, _: app(apps, "serving")["spec"].update(project="default"),
    ),
    "a project that takes any source": (
        "test_nobody_is_in_the_default_project_and_no_project_takes_everything",
        lambda _, projects: projects["continuous-training-services"]["sourceRepos"].append("*"),
    ),
    "a project that takes any object of the cluster": (
        "test_nobody_is_in_the_default_project_and_no_project_takes_everything",
        lambda _, projects: projects["continuous-training-platform"].update(
            clusterResourceWhitelist=[{"group": "*", "kind": "*"}]
        ),
    ),
    "whatever git has": (
        "test_nothing_follows_head_and_charts_of_others_are_pinned",
        lambda apps, _: app(apps, "serving")["spec"]["source"].update(targetRevision="HEAD"),
    ),
    "any version of a chart of others": (
        "test_nothing_follows_head_and_charts_of_others_are_pinned",
        lambda apps, _: app(apps, "cloudnative-pg")["spec"]["sources"][0].update(targetRevision="0.*"),
    ),
    "differences that are hidden": (
        "test_every_application_heals_prunes_and_tries_again",
        lambda apps, _: app(apps, "serving")["spec"].update(ignoreDifferences=[{"kind": "Deployment"}]),
    ),
    "changes by hand that stay": (
        "test_every_application_heals_prunes_and_tries_again",
        lambda apps, _: app(apps, "serving")["spec"]["syncPolicy"]["automated"].update(selfHeal=False),
    ),
    "serving before its database": (
        "test_waves_put_what_is_needed_first",
        lambda apps, _: app(apps, "serving")["metadata"]["annotations"].update({"argocd.argoproj.io/sync-wave": "-18"}),
    ),
    "a chart that is not there": (
        "test_every_path_and_value_file_exists",
        lambda apps, _: app(apps, "serving")["spec"]["source"].update(path="helm/typo"),
    ),
    "a value file that is not there": (
        "test_every_path_and_value_file_exists",
        lambda apps, _: app(apps, "serving")["spec"]["source"]["helm"]["valueFiles"].append("../../typo.yaml"),
    ),
    "a namespace that the project does not have": (
        "test_every_application_is_what_its_project_allows",
        lambda apps, _: app(apps, "serving")["spec"]["destination"].update(namespace="kube-public"),
    ),
    "a repository that the project does not have": (
        "test_every_application_is_what_its_project_allows",
        lambda apps, _: app(apps, "serving")["spec"]["source"].update(repoURL="https://git.example.org/somebody/else.git"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_seen(applications, rendered, defect):
    name, break_it = DEFECTS[defect]
    check = getattr(applications_tests, name)
    made = applications("production")

    def given(broken: bool) -> dict:
        objects = copies.deepcopy(made)
        projects = {one["metadata"]["name"]: one["spec"] for one in of_kind(objects, "AppProject")}
        apps = of_kind(objects, "Application")
        if broken:
            break_it(apps, projects)
        known = {"apps": apps, "projects": projects, "rendered": rendered, "environment": "production"}
        return {key: known[key] for key in check.__code__.co_varnames[: check.__code__.co_argcount]}

    check(**given(broken=False))
    with pytest.raises(AssertionError):
        check(**given(broken=True))
