"""The arguments of the command line."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from continuous_training.commands import DEFAULT_DAG_ID, PROGRAM
from continuous_training.provider_info import STEPS
from continuous_training.settings import OPTIONS, SECTION
from continuous_training.version import __version__

RUNNERS = ("process", "docker", "kubernetes")

SCRATCH_STEP = "scratch"
"""What makes and drops scratch copies; it is no step of the pipeline."""

LOGIN = (
    "The login is CT_AIRFLOW_TOKEN, or CT_AIRFLOW_USERNAME with CT_AIRFLOW_PASSWORD, from the environment, where no list of "
    "processes shows it."
)

RUN = f"""Run a step again from the call that Airflow kept, or from a saved input. Its log goes to standard error, its result to
standard output, and its exit status is this command's. A kept call runs on a scratch copy of database and models, as they were
before the step; --in-place runs it on the real ones, which is what clearing the task does. Secrets come from this environment
(CT_DATABASE_URL, and CT_ADMIN_DATABASE_URL for a scratch copy), for pods from the cluster's own secrets. {LOGIN}"""

COMPARE = """Decide the recorded history again under another policy, from its evidence alone: nothing is measured or trained.
Prints every decision beside what POLICY decides, with the sentences of those that differ, and how many are the same. Where a
different earlier decision leads to a world that was never measured (another model in production, a model that was never
trained), later decisions are said not to be known, and why. Exit status: 0 no difference; 1 differences; 2 no comparison, or no
difference but decisions that cannot be known. Reads the database that CT_DATABASE_URL names."""

LINEAGE = """Where a model version comes from (batches, digests, validations, decisions, gates, code, images, events) and, of a
batch, which versions were trained on it and what became of them. Reads the view audit.lineage of the database that
CT_DATABASE_URL names, and the tags in MLflow if MLFLOW_TRACKING_URI names it."""

REPORT = """Print what was kept of one run as Markdown: its batch, validation, signals, gates, metrics, decisions and what
happened to the models. It is rendered from the database whenever it is asked for, in the image of the step promote; nothing
changes. CT_DATABASE_URL comes from this environment, for pods from the cluster's own secret."""

SHOW = f"Show the call that Airflow kept of a task, and the commands that run it again. {LOGIN}"

ROLLBACK = """Take the model out of production and bring another version back: the previous one, or the one that --to names. The
decision is kept with its author and reason, and both versions tell it in MLflow. Killed half-way, it is finished by running it
again. A version that was rolled back from itself is gone back to only if --to names it. The database and the models are those
that the environment names (CT_DATABASE_URL, MLFLOW_TRACKING_URI, CT_MODEL_NAME); for pods the URL of the database comes from
the cluster's own secret. The exit status is that of the task."""


def setting(name: str) -> str:
    """An option of the provider where Airflow's configuration is not read: from the environment, else its default."""
    return os.environ.get(f"AIRFLOW__{SECTION.upper()}__{name.upper()}", "").strip() or OPTIONS[name].default


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments; ends the program with its usage if they do not fit together."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="The continuous training pipeline, by hand.")
    parser.add_argument("--version", action="version", version=__version__)
    topics = parser.add_subparsers(required=True, metavar="TOPIC")
    verbs = topics.add_parser("task", help="one step of the pipeline").add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    show = verbs.add_parser("show", help="show the kept call of a task", description=SHOW)
    show.add_argument("run", metavar="RUN", help="the run's id")
    show.add_argument("task", metavar="TASK", help="the task's id")
    show.add_argument("--json", action="store_true", help="the kept call as JSON")
    _airflow(show)
    run = verbs.add_parser("run", help="run a step again", description=RUN)
    run.add_argument("words", nargs="+", metavar="[RUN] TASK", help="the run's and the task's id; with --input only the step")
    run.add_argument("--input", metavar="FILE", help="a task input as JSON in the place of a kept call, - for standard input")
    _airflow(run)
    _place(run)
    _kind(run)
    _policy(topics.add_parser("policy", help="policies on the recorded history"))
    _lineage(topics.add_parser("lineage", help="where a model version comes from, and back", description=LINEAGE))
    report = topics.add_parser("report", help="the report of a run", description=REPORT)
    report.set_defaults(verb="report")
    report.add_argument("run", metavar="RUN", help="the run's id")
    report.add_argument("--dag-id", default=DEFAULT_DAG_ID, metavar="DAG", help="default: %(default)s")
    report.add_argument("--language", choices=("en", "es"), default="en", help="default: %(default)s")
    _place(report)
    _rollback(topics.add_parser("rollback", help="bring another version into production", description=ROLLBACK))
    arguments = parser.parse_args(argv)
    if arguments.verb == "run":
        _check(run, arguments)
    return arguments


def _policy(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    compare = verbs.add_parser("compare", help="what another policy would have decided", description=COMPARE)
    compare.add_argument("policy", metavar="POLICY", help="a YAML file here, or a name that the task images know")
    compare.add_argument(
        "--with", dest="base", metavar="POLICY", help="compare with this policy; default: with what was recorded"
    )
    _question(compare)


def _lineage(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="of", required=True, metavar="KIND")
    for kind, key, words in (
        ("version", "VERSION", "a version of the registered model"),
        ("batch", "NUMBER", "a batch by its number, as sentences name it"),
    ):
        one = kinds.add_parser(kind, help=words, description=LINEAGE)
        one.set_defaults(verb="lineage")
        one.add_argument("key", metavar=key, help=words)
        _question(one)


def _question(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--language", choices=("en", "es"), default="en", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="for programs; sentences in both languages")
    _place(parser)


def _rollback(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="VERSION", default="", help="default: the alias previous")
    parser.add_argument("--author", required=True, help="who asks for it")
    parser.add_argument("--reason", required=True, help="why; people will read it")
    parser.set_defaults(verb="rollback", shell=False, pdb=False, keep=False, scratch_image=None, source_url=None)
    _place(parser)


def _airflow(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where the call was kept")
    group.add_argument("--dag-id", default=DEFAULT_DAG_ID, metavar="DAG", help="default: %(default)s")
    group.add_argument("--map-index", type=int, default=-1, metavar="N", help="of a mapped task")
    group.add_argument(
        "--airflow-url",
        default=os.environ.get("CT_AIRFLOW_URL") or "http://localhost:8080",
        metavar="URL",
        help="Airflow's API server; default: CT_AIRFLOW_URL, else http://localhost:8080",
    )
    group.add_argument("--username", default=os.environ.get("CT_AIRFLOW_USERNAME", ""), help="default: CT_AIRFLOW_USERNAME")


def _place(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where it runs")
    group.add_argument("--runner", choices=RUNNERS, default="process", help="default: %(default)s")
    group.add_argument("--image", help="another image; default: that of the kept call, else the configured prefix and tag")
    group.add_argument(
        "--environments", type=Path, metavar="DIR", help="for process: the directory with one Python environment for each image"
    )
    group.add_argument("--network", help="for docker: the container's network")
    group.add_argument("--namespace", help="for kubernetes: the pod's namespace")


def _kind(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it runs")
    program = group.add_mutually_exclusive_group()
    program.add_argument("--shell", action="store_true", help="open a shell where the step would run")
    program.add_argument("--pdb", action="store_true", help="run the step under Python's debugger")
    state = group.add_mutually_exclusive_group()
    state.add_argument("--scratch", action="store_true", help="on a scratch copy: nothing real is changed (the default)")
    state.add_argument("--in-place", action="store_true", help="on the real database and models")
    group.add_argument("--keep", action="store_true", help="keep the scratch copy, and the container or pod")
    group.add_argument("--scratch-image", metavar="IMAGE", help="another image for the scratch copy")
    group.add_argument("--source-url", metavar="URL", help="for collect: another data API than the real one")


def _check(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    wanted = 1 if arguments.input else 2
    if len(arguments.words) != wanted:
        parser.error("give a step with --input FILE, or a run and a task without it")
    arguments.run, arguments.task = ("", arguments.words[0]) if arguments.input else arguments.words
    if arguments.input and arguments.task not in (*STEPS, SCRATCH_STEP):
        parser.error(f"there is no step {arguments.task!r}: choose from {', '.join(STEPS)}, or {SCRATCH_STEP}")
    if arguments.input == "-" and (arguments.shell or arguments.pdb):
        parser.error("--shell and --pdb need standard input for themselves: give --input a file")
    if arguments.input and (arguments.scratch or arguments.source_url):
        parser.error("a saved input runs on what the environment names: --scratch and --source-url are for kept calls")
