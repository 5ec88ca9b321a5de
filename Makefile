# The front door. `make help` says what there is.
PYTHON ?= python3.11
STATE ?= .state
SCALE ?=
SEED ?= 0
GROUP ?= 1
DAY ?= Tuesday
POLICY ?= strict
SOURCE_URL ?=
LISTINGS ?=
ONCE ?=
TESTS ?=
WORKERS ?= 2
IMAGES ?=
BASE_IMAGE ?=
PREFIX ?= continuous-training/
TAG ?=
LOAD_IMAGES ?=
POSTGRES_IMAGE ?=
MINIO_IMAGE ?=
STATSD_IMAGE ?=
GIT_DIRECTORY ?=
GIT_URL ?=
API_SERVER_STOP ?=
API_SERVER_START ?=

python := $(shell for name in "$(PYTHON)" python3.11 python3.12 python3; do \
  "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo "$$name" && break; done)
cluster_prefix = localhost/continuous-training/
stack = .envs/local/bin/python -m local
options = --state "$(STATE)" $(if $(SCALE),--scale "$(SCALE)") --seed "$(SEED)" --group "$(GROUP)" --day "$(DAY)" --policy "$(POLICY)" \
  --listings "$(LISTINGS)" --source-url "$(SOURCE_URL)" $(if $(ONCE),--once)

.PHONY: help setup demo up stop clean test test-browser screenshots test-cluster lint bench images tools python
# Compiled modules make every start of a program seconds faster.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help

help: ## this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile
	@echo "Options of demo and up, with their defaults:"
	@echo "  ONCE=1                leave when the source is exhausted (demo)"
	@echo "  SCALE=10              1 to 100 percent of the real sizes; of LISTINGS, where the default is 100"
	@echo "  SEED=$(SEED)                seed of the generated data"
	@echo "  LISTINGS=FILE         csv or parquet file of listings in place of generated ones"
	@echo "  SOURCE_URL=URL        a data source in place of the built-in one"
	@echo "  GROUP=$(GROUP) DAY=$(DAY)   what the source is asked for (DAY= for a source without days)"
	@echo "  POLICY=$(POLICY)         name of a policy, or a YAML file"
	@echo "  STATE=$(STATE)          where everything is kept"
	@echo "  PYTHON=python3.11     the interpreter, 3.11 or 3.12"
	@echo "Options of images:"
	@echo "  IMAGES=\"collect ...\"  only these"
	@echo "  BASE_IMAGE=IMAGE      another base than the official Python, which is pinned by digest"
	@echo "  PREFIX=$(PREFIX)  what stands before the names"
	@echo "  TAG=TAG               the tag; the release and the revision unless it is given"

python:
	@test -n "$(python)" || { echo "Python 3.11 or 3.12 is needed and was not found: make PYTHON=/path/to/python3.11" >&2; exit 2; }

.envs/uv/bin/uv: requirements/uv.txt | python
	@rm -rf .envs/uv
	@"$(python)" -m venv .envs/uv || { echo "this Python has no venv module (Debian: the package python3-venv)" >&2; exit 2; }
	@.envs/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.PHONY: local
local: .envs/uv/bin/uv
	@"$(python)" local/environments.py --quiet local

setup: .envs/uv/bin/uv ## make every environment below .envs, development included
	@"$(python)" local/environments.py
	@"$(python)" local/environments.py dev

demo: local ## the whole system on this machine: every batch from the source to a served price
	@exec $(stack) demo $(options)

up: local ## the same services without a run
	@exec $(stack) up $(options)

stop: local ## stop what runs in STATE, from another terminal
	@exec $(stack) stop --state "$(STATE)"

clean: local ## remove STATE with everything in it; never asks
	@exec $(stack) clean --state "$(STATE)"

# The tests of a file share what its fixtures started, so they stay in one process. tests/conftest.py says which files begin.
test: setup ## unit, contract and integration tests (TESTS=path for some of them, WORKERS=0 for one process)
	@.envs/dev/bin/pytest -n "$(WORKERS)" --dist loadfile --no-loadscope-reorder \
	  -m "not browser and not cluster and not bench" $(TESTS)

test-browser: setup ## walk through the pages in Chromium, on the history that make demo ONCE=1 left in STATE
	@CT_BROWSER_STATE="$(STATE)" .envs/dev/bin/pytest -m browser $(if $(TESTS),$(TESTS),tests/browser)

screenshots: setup ## the same, and its pictures for the README
	@CT_BROWSER_STATE="$(STATE)" CT_SCREENSHOTS=docs/images .envs/dev/bin/pytest -m browser tests/browser

# Below localhost/ nothing is ever looked for in a registry.
test-cluster: setup ## build and load the images, then test on the cluster that KUBECONFIG names
	@tag=$$("$(python)" task_images/build.py --print-tag) || exit; \
	"$(python)" task_images/build.py --prefix $(cluster_prefix) --tag "$$tag" $(if $(BASE_IMAGE),--base-image "$(BASE_IMAGE)") || exit; \
	docker tag $(cluster_prefix)serving:"$$tag" $(cluster_prefix)serving:"$$tag-other" || exit; \
	$(if $(LOAD_IMAGES),$(LOAD_IMAGES) $$(docker images --filter "reference=$(cluster_prefix)*:$$tag" --format "{{.Repository}}:{{.Tag}}") \
	  $(cluster_prefix)serving:"$$tag-other" || exit;) \
	CT_IMAGE_PREFIX=$(cluster_prefix) CT_IMAGE_TAG="$$tag" CT_POSTGRES_IMAGE="$(POSTGRES_IMAGE)" CT_MINIO_IMAGE="$(MINIO_IMAGE)" \
	CT_STATSD_IMAGE="$(STATSD_IMAGE)" CT_OTHER_SERVING_TAG="$$tag-other" CT_GIT_DIRECTORY="$(GIT_DIRECTORY)" CT_GIT_URL="$(GIT_URL)" \
	CT_API_SERVER_STOP="$(API_SERVER_STOP)" CT_API_SERVER_START="$(API_SERVER_START)" \
	.envs/dev/bin/pytest -m cluster $(if $(TESTS),$(TESTS),tests/cluster)

bench: setup ## measurements against a stated rival in the same run
	@.envs/dev/bin/pytest -m bench $(TESTS)

images: | python ## build every container image with Docker, and say what each weighs
	@"$(python)" task_images/build.py --prefix "$(PREFIX)" $(if $(BASE_IMAGE),--base-image "$(BASE_IMAGE)") \
	  $(if $(TAG),--tag "$(TAG)") $(IMAGES)

tools: ## helm, kubeconform, actionlint, promtool, Prometheus, statsd_exporter into .tools (needs Go); else their tests are skipped
	@tools/build

lint: setup ## ruff, mypy (strict), hadolint, and the workflows' linters
	@.envs/dev/bin/ruff check .
	@.envs/dev/bin/ruff format --check .
	@.envs/dev/bin/hadolint $(wildcard */Dockerfile task_images/*/Dockerfile)
	@.envs/dev/bin/zizmor --offline --quiet --persona=pedantic .github/workflows .github/dependabot.yml
	@test ! -x .tools/actionlint || .tools/actionlint
	@.envs/dev/bin/mypy local provider/continuous_training task_images/*.py task_images/*/*/ serving/ct_serving dashboard/ct_dashboard \
	  dags argocd-apps/bump.py helm/document.py helm/observability/dashboards.py helm/*/files/*.py
