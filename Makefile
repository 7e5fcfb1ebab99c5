# Every target installs what it needs; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.installed
# A first demo need not wait for what only tests and generators use.
CLUSTER_STAMP := $(VENV)/.installed-cluster
SOURCES := contracts clients operator worker brain bridge cli demo dev tests
REQUIRE_PYTHON := $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
  { echo "Python 3.11 or later is missing: apt-get install python3 python3-venv, or PYTHON=its path"; exit 1; }
# Python files are compiled when they are imported: most never are.
define INSTALL
@$(REQUIRE_PYTHON)
@test -x $(PY) || $(PYTHON) -m venv $(VENV)
@echo "Installing the tools into $(VENV) ..."
@$(BIN)/pip install --quiet --no-compile --require-hashes -r requirements/$(LOCKED).txt -r requirements/build.txt
@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
@touch $@
endef
# A room's name on the command line (make unit ROOM=worker); one in the environment is ignored.
ROOM :=
# So is a second node for the cluster.
NODES :=
# A model that costs money is asked for on the command line; one in the environment is ignored.
REAL_MODEL = $(if $(findstring command,$(origin MODEL)),$(if $(MODEL),--model "$(MODEL)" $(if $(MAX_COST),--max-cost "$(MAX_COST)")))
# LANGUAGE counts on the command line too: many environments have one of gettext's.
IN_LANGUAGE = $(if $(findstring command,$(origin LANGUAGE)),--language "$(LANGUAGE)")
# Tests on a real cluster with commands of their own, below.
APART = --ignore tests/e2e/monitoring --ignore tests/e2e/node_loss --ignore tests/e2e/two_nodes --ignore tests/e2e/upgrade
# Two processes pay where tests take longer than starting them: in all rooms together, worker and brain.
BESIDE = $(if $(filter-out worker brain,$(ROOM)),,-n 2)

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Try it

.PHONY: demo
demo: STARTED := $(shell date +%s)
demo: machine $(CLUSTER_STAMP) ## Bring up a cluster, install the charts and show one GatherRun to its end (MODEL=vendor/name: by a real model, with your OPENROUTER_API_KEY; MAX_COST=0.50; LANGUAGE=de: in German)
	@$(PY) -m dev demo --started-at $(STARTED) $(IN_LANGUAGE) $(REAL_MODEL)

.PHONY: demo-kind
demo-kind: $(CLUSTER_STAMP) ## The same on kind: where no Docker engine answers, root gets one installed and started
	@$(PY) -m dev docker && $(PY) -m dev demo $(IN_LANGUAGE) $(REAL_MODEL)

.PHONY: up
up: machine $(CLUSTER_STAMP) ## Bring up the one-machine cluster (NODES=2: with a second node)
	@$(PY) -m dev up $(if $(NODES),--nodes $(NODES))

.PHONY: down
down: $(CLUSTER_STAMP) ## End the cluster and all that belongs to it
	@$(PY) -m dev down

.PHONY: images
images: $(CLUSTER_STAMP) ## Build the images that changed
	@$(PY) -m dev images

##@ Work on one room

.PHONY: dev-brain
dev-brain: $(STAMP) ## Run a brain on stores of its own, restarted when its code changes (ARGS="--port 8080")
	@$(PY) -m dev serve brain $(ARGS)

.PHONY: dev-bridge
dev-bridge: $(STAMP) ## Run a bridge on a Redis of its own, restarted when its code changes (ARGS="--port 8081")
	@$(PY) -m dev serve bridge $(ARGS)

##@ Check

.PHONY: fmt
fmt: $(STAMP) ## Format the code
	@$(BIN)/ruff format $(SOURCES) && $(BIN)/ruff check --fix $(SOURCES)

.PHONY: lint
lint: $(STAMP) ## Check style and the layers between rooms
	@$(BIN)/ruff format --check $(SOURCES) && $(BIN)/ruff check $(SOURCES) && $(BIN)/lint-imports

.PHONY: types
types: $(STAMP) ## Check types
	@$(BIN)/mypy $(SOURCES)

.PHONY: unit
unit: $(STAMP) ## Run the tests that need nothing but Python (ROOM=worker or ROOM=worker/llm: only those)
	@$(BIN)/pytest $(BESIDE) tests/unit$(if $(ROOM),/$(ROOM))

.PHONY: contract
contract: $(STAMP) ## Run the tests against real MongoDB, Redis and Neo4j (ROOM=brain: only those)
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long" --durations 20 tests/contract$(if $(ROOM),/$(ROOM))

.PHONY: e2e
e2e: $(STAMP) ## Run the tests on a real cluster, in a namespace of their own
	@$(PY) -m dev deploy --namespace gather-e2e && $(BIN)/pytest tests/e2e -m "not long" $(APART)

.PHONY: test
test: check unit contract e2e ## Run every check and every test

.PHONY: isolation
isolation: $(STAMP) ## Test with 10,000 generated requests that two tenants see nothing of each other
	@GATHER_ISOLATION_REQUESTS=10000 GATHER_ISOLATION_TIMED_REQUESTS=1000 \
	  GATHER_CONCURRENCY_ROUNDS=100 GATHER_CONCURRENCY_KILLS=12 \
	  $(BIN)/pytest tests/contract/brain/isolation/test_isolation.py tests/contract/brain/isolation/test_isolation_refusals.py \
	  tests/contract/brain/isolation/test_concurrency.py --log-cli-level=INFO --log-disable=httpx

.PHONY: faults
faults: $(STAMP) ## Break each write of workers and operator, and each watch event (ARGS=--help: the operator's plans alone)
	@test -n "$(ARGS)" || GATHER_FAULTS_SHARE=1 GATHER_FAULTS_SIGTERMS=50 GATHER_FAULTS_KILL_SERIES=10 \
	  $(BIN)/pytest -n 2 --dist worksteal -rP --log-level=INFO --log-disable=httpx \
	  tests/contract/worker/faults/test_faults.py tests/contract/worker/faults/test_fencing.py tests/contract/worker/faults/test_celery.py
	@$(PY) -m tests.faults.campaign $(ARGS)

.PHONY: chaos
chaos: $(STAMP) ## Disturb stores and services under ten runs and count what is lost, 40 minutes; disks and memory as root (ARGS=--help)
	@$(PY) -m tests.chaos.campaign $(ARGS)

.PHONY: soak
soak: $(STAMP) ## Keep ten runs at work for MINUTES=120 and show what grows beyond the data, with slopes (ARGS=--help)
	@$(PY) -m tests.soak.soak --minutes $(or $(MINUTES),120) $(ARGS)

.PHONY: alerts
alerts: $(STAMP) ## Test each alert with promtool, which is built once, 3 minutes; `make contract` does it from then on
	@GATHER_BUILD_PROMTOOL=1 $(BIN)/pytest tests/contract/charts/test_alerts.py

.PHONY: monitoring
monitoring: $(STAMP) ## Scrape the cluster with Prometheus itself: panels have data, each alert fires for a real fault, 30 minutes
	@$(PY) -m dev deploy --namespace gather-e2e && $(BIN)/pytest tests/e2e/monitoring -rP

.PHONY: contract-long
contract-long: $(STAMP) ## Run the contract tests that `make test` leaves out: every crash point, whole benchmarks, 5 minutes
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m long tests/contract

.PHONY: e2e-long
e2e-long: $(STAMP) ## Run the tests on a real cluster that `make test` leaves out: further orders and ways, 10 minutes
	@$(PY) -m dev deploy --namespace gather-e2e && $(BIN)/pytest tests/e2e -m long $(APART)

.PHONY: node-loss
node-loss: $(STAMP) ## Stop the node's kubelet under runs that work, are cancelled or deleted, 10 minutes
	@$(PY) -m dev deploy --namespace gather-e2e && $(BIN)/pytest tests/e2e/node_loss -rP

.PHONY: two-nodes
two-nodes: $(STAMP) ## Freeze, kill, drain, cordon and taint a second node under runs at work, 16 minutes
	@$(PY) -m dev up --nodes 2 && $(PY) -m dev deploy --namespace gather-e2e && $(BIN)/pytest tests/e2e/two_nodes -rP

.PHONY: upgrade
upgrade: $(STAMP) ## Upgrade from an older version in the middle of a run, and go back (FROM=<commit>)
	@GATHER_UPGRADE_FROM=$(FROM) GATHER_E2E_NAMESPACE=gather-upgrade $(BIN)/pytest tests/e2e/upgrade -rP

.PHONY: search
search: $(STAMP) ## Search what the operator decides, with two faults in each life, 10 minutes (ARGS=--help: options)
	@$(PY) -m tests.model.search $(ARGS)

.PHONY: mutants
mutants: $(STAMP) ## Break the operator on purpose in each of 24 ways, and see that the search finds it
	@$(PY) -m tests.model.mutants $(ARGS)

.PHONY: simulate
simulate: $(STAMP) ## Play 10,000 runs with faults on a virtual clock, 30 minutes (ARGS="--seed 123": that one again)
	@$(PY) -m tests.simulation $(ARGS)

.PHONY: consumer
consumer: $(STAMP) ## Run twice over 10,000 notes of all forms while people edit and delete, 20 minutes
	@GATHER_CONSUMER_NOTES=10000 $(BIN)/pytest tests/contract/worker/consumer \
	  --log-cli-level=INFO --log-disable=httpx

.PHONY: schemathesis
schemathesis: $(STAMP) ## Test the brain's API with 5,000 generated requests
	@GATHER_SCHEMATHESIS_EXAMPLES=450 GATHER_SCHEMATHESIS_REQUESTS_MIN=5000 \
	  $(BIN)/pytest tests/contract/brain/api/test_schemathesis.py --log-cli-level=INFO

.PHONY: generators
generators: $(STAMP) ## Make clients of both APIs with six public generators, compile them and call the brain, 10 minutes (needs npm, Go, Java, Rust)
	@GATHER_GENERATORS=all $(BIN)/pytest tests/contract/brain/api/test_generated_clients.py \
	  tests/contract/bridge/http_door/test_generated_door_clients.py --log-cli-level=INFO --log-disable=httpx

.PHONY: fuzz
fuzz: $(STAMP) ## Feed workers 200 broken model answers, then their parser and the salvage for 10 minutes each
	@GATHER_MALFORMED_ANSWERS=200 $(BIN)/pytest tests/contract/worker/llm/test_malformed_answers.py
	@GATHER_FUZZ_S=1200 $(BIN)/pytest tests/unit/worker/llm/test_malformed_answers.py --log-cli-level=INFO -k breaks

.PHONY: scan
scan: $(STAMP) ## Run six public scanners over charts, Dockerfiles and code (ARGS="hadolint helm-lint": those alone)
	@$(PY) -m dev.scan $(ARGS)

.PHONY: images-twice
images-twice: $(STAMP) ## Build the published images twice from nothing, and compare their digests (ARGS=worker: that one)
	@$(PY) -m dev.images.twice $(ARGS)

.PHONY: check
check: $(STAMP) ## Run every check that needs no cluster; fails if a generated file is out of date
	@$(MAKE) --no-print-directory -j 2 --output-sync lint types crds-check reasons-check cli-help-check chart-readmes-check items-schema-check cue-words-check openapi-check model-answers-check docs

##@ Measure

.PHONY: coverage-report
coverage-report: $(STAMP) ## Measure whether the brain's scores fall when notes get worse (ARGS=--markdown)
	@$(PY) -m tests.evals.coverage $(ARGS)

.PHONY: treatment-report
treatment-report: $(STAMP) ## Measure how often people's notes are given to the right departments
	@$(PY) -m tests.evals.treatment

.PHONY: quality-report
quality-report: $(STAMP) ## Measure whether the quality score falls when notes get worse (ARGS="--model NAME")
	@$(PY) -m tests.evals.quality $(ARGS)

.PHONY: measures-report
measures-report: $(STAMP) ## Measure actionability and contradictions on sentences labelled by us (ARGS=--fit)
	@$(PY) -m tests.evals.own_measures $(ARGS)

.PHONY: human-report
human-report: $(STAMP) ## Measure how far the brain's scores agree with people (DATA=folder of public sets; PAIRS=FOLDER; ARGS=--help)
	@test -n "$(DATA)" || test -n "$(findstring --help,$(ARGS))" || { echo "DATA=folder is missing: the public sets that docs/quality.md names, as their repositories have them"; exit 64; }
	@$(PY) -m tests.evals.human.report $(if $(PAIRS),--pairs "$(PAIRS)") $(ARGS) $(if $(DATA),"$(DATA)")

.PHONY: model-report
model-report: $(STAMP) ## Measure a model with your key: cost, time, notes, duplicates, score and its steadiness (MODEL=vendor/name; ARGS=--help)
	@test -n "$(MODEL)" || test -n "$(findstring --help,$(ARGS))" || { echo "MODEL=vendor/name is missing; OPENROUTER_API_KEY is the key, GATHER_LLM_BASE_URL another endpoint than OpenRouter"; exit 64; }
	@$(PY) -m tests.evals.model_report $(if $(MODEL),--model "$(MODEL)") $(ARGS)

.PHONY: judge-report
judge-report: $(STAMP) ## Measure a model's verdicts against people's, with your key (MODEL=vendor/name; DATA=folder of public sets; ARGS=--help)
	@test -n "$(MODEL)" || test -n "$(findstring --help,$(ARGS))" || { echo "MODEL=vendor/name is missing; OPENROUTER_API_KEY is the key, GATHER_LLM_BASE_URL another endpoint than OpenRouter"; exit 64; }
	@$(PY) -m tests.evals.judge.judge_report $(if $(MODEL),--model "$(MODEL)") $(if $(DATA),--data "$(DATA)") $(ARGS)

.PHONY: bench
bench: $(STAMP) ## Measure the brain against the required times, 15 minutes (ARGS=--help: options)
	@$(PY) -m tests.bench.brain.benchmark $(ARGS)

.PHONY: bench-loop
bench-loop: $(STAMP) ## Measure how long each endpoint holds the brain's event loop at its longest bodies, 5 minutes (ARGS=--help: options)
	@$(PY) -m tests.bench.brain.loop_holds $(ARGS)

.PHONY: bench-worker
bench-worker: $(STAMP) ## Measure the worker against its goals, 30 minutes (ARGS="--cluster gather" on the cluster)
	@$(PY) -m tests.bench.worker.benchmark $(ARGS)

.PHONY: bench-sync
bench-sync: $(STAMP) ## Measure how fast the brain is made equal to MongoDB, 25 minutes (ARGS=--help: options)
	@$(PY) -m tests.bench.worker.sync_benchmark $(ARGS)

.PHONY: bench-operator
bench-operator: $(STAMP) ## Measure the operator with 1 to 500 runs on a control plane of its own, 30 minutes (ARGS=--all: all there is)
	@$(PY) -m tests.bench.operator.benchmark $(ARGS)

.PHONY: bench-webhooks
bench-webhooks: $(STAMP) ## Measure webhooks under load: failing, hanging, dead, idle, new ones, hand-overs, 8 minutes (ARGS=--help: options)
	@$(PY) -m tests.bench.events.webhook_load $(ARGS)

.PHONY: bench-exports
bench-exports: $(STAMP) ## Measure exports of 10,000 notes in each format, and what sockets notice, a minute (ARGS=--help: options)
	@$(PY) -m tests.bench.events.export_load $(ARGS)

.PHONY: bench-cli
bench-cli: $(STAMP) ## Measure how long `gather status` takes to its first line, beside kubectl, a minute (ARGS=--help: options)
	@$(PY) -m tests.bench.cli.first_line $(ARGS)

.PHONY: exports-look
exports-look: $(STAMP) ## Write sample exports in each format and print them, to be looked at (ARGS=folder)
	@$(PY) -m tests.support.application.export_look $(ARGS)

.PHONY: bench-events
bench-events: $(STAMP) ## Measure how the bridge brings events to a thousand sockets, herds and faults, 4 minutes (ARGS=--help: options)
	@$(PY) -m tests.bench.events.benchmark $(ARGS)

.PHONY: bench-recall
bench-recall: $(STAMP) ## Measure the recall of duplicate search (ARGS="--texts FILE": your own texts)
	@$(PY) -m tests.evals.recall $(ARGS)

.PHONY: language-report
language-report: $(STAMP) ## Measure how near different texts are in 25 languages, and the same notes in seven (MODEL=multilingual)
	@$(if $(MODEL),GATHER_BRAIN_EMBEDDING=$(MODEL) )$(PY) -m tests.evals.language_report

.PHONY: models-report
models-report: $(STAMP) ## Test laws and isolation with each shipped embedding model, and measure languages, 20 minutes (MODELS="accurate": that one)
	@for model in $(or $(MODELS),fast accurate multilingual); do export GATHER_BRAIN_EMBEDDING=$$model; \
	  $(BIN)/pytest tests/contract/brain/isolation tests/contract/brain/embeddings/test_model.py && \
	  $(BIN)/pytest tests/contract/brain/content/test_coverage_report.py -k laws && \
	  $(PY) -m tests.evals.language_report || exit 1; done

.PHONY: duplicates-report
duplicates-report: $(STAMP) ## Measure duplicate detection on labelled pairs (PAIRS=FOLDER; ARGS=--ship writes the shipped calibration; ARGS=--help)
	@test -n "$(PAIRS)" || test -n "$(findstring --help,$(ARGS))" || { echo "PAIRS=FOLDER is missing: *.jsonl with a, b and duplicate, or the public sets that docs/duplicates.md names; GATHER_BRAIN_EMBEDDING=accurate or multilingual before it: for that model"; exit 64; }
	@$(PY) -m tests.evals.duplicates $(ARGS) $(if $(PAIRS),"$(PAIRS)")

##@ Generate

.PHONY: crds
crds: $(STAMP) ## Write the CRD from the contracts
	@$(PY) -m dev.generate.crds

.PHONY: crds-check
crds-check: $(STAMP)
	@$(PY) -m dev.generate.crds --check

.PHONY: reasons
reasons: $(STAMP) ## Write docs/reasons.md from the contracts
	@$(PY) -m dev.generate.reasons

.PHONY: reasons-check
reasons-check: $(STAMP)
	@$(PY) -m dev.generate.reasons --check

.PHONY: model-answers
model-answers: $(STAMP) ## Write docs/model-answers.md and its counts from the table of cases
	@$(PY) -m dev.generate.model_answers

.PHONY: model-answers-check
model-answers-check: $(STAMP)
	@$(PY) -m dev.generate.model_answers --check

.PHONY: cli-help
cli-help: $(STAMP) ## Write the commands' help into docs/cli.md
	@$(PY) -m dev.generate.cli_help

.PHONY: cli-help-check
cli-help-check: $(STAMP)
	@$(PY) -m dev.generate.cli_help --check

.PHONY: chart-readmes
chart-readmes: $(STAMP) ## Write the charts' values into their READMEs
	@$(PY) -m dev.generate.chart_readme

.PHONY: chart-readmes-check
chart-readmes-check: $(STAMP)
	@$(PY) -m dev.generate.chart_readme --check

.PHONY: docs
docs: $(STAMP) ## Build the documentation as a site into dist/docs; fails for a link or heading that is not there
	@$(PY) -m dev.package.docs_site

.PHONY: cli
cli: $(STAMP) ## Build the command line's archive and its Krew manifest, into dist/
	@$(PY) -m dev.package.cli_archive

.PHONY: release
release: $(STAMP) ## Show what a release would do (VERSION=x.y.z); REGISTRY=host/path does it: version, changelog, images, chart, SBOMs, tag
	@test -n "$(VERSION)" || { echo "VERSION=x.y.z is missing: three numbers, above those of the last release"; exit 64; }
	@$(PY) -m dev release "$(VERSION)" $(if $(findstring command,$(origin REGISTRY)),--registry "$(REGISTRY)") $(ARGS)

.PHONY: items-schema
items-schema: $(STAMP) ## Write the JSON Schema of items from the contracts
	@$(PY) -m dev.generate.items_schema

.PHONY: items-schema-check
items-schema-check: $(STAMP)
	@$(PY) -m dev.generate.items_schema --check

.PHONY: cue-words
cue-words: $(STAMP) ## Write what each cue of an instruction cannot be without from its pattern
	@$(PY) -m dev.generate.cue_words

.PHONY: cue-words-check
cue-words-check: $(STAMP)
	@$(PY) -m dev.generate.cue_words --check

.PHONY: openapi
openapi: $(STAMP) ## Write the OpenAPI documents of brain and HTTP door, and the brain's reference
	@$(PY) -m dev.generate.openapi

.PHONY: openapi-check
openapi-check: $(STAMP)
	@$(PY) -m dev.generate.openapi --check

.PHONY: typescript
typescript: $(STAMP) ## Write the brain's TypeScript types, and check their example (needs npm)
	@$(PY) -m dev.generate.openapi --typescript

.PHONY: charts
charts: $(STAMP) ## Lint and render the charts
	@for chart in gather gather-backing; do \
	  dev/helm lint --strict --kube-version 1.34 charts/$$chart --values charts/$$chart/values-dev.yaml || exit 1; done

.PHONY: screenshots
screenshots: $(STAMP) ## Take the pictures of the run page for the docs, in Debian's Chromium
	@$(PY) -m tests.support.page.screenshots

.PHONY: terminal-picture
terminal-picture: $(STAMP) ## Take the README's picture of the terminal: a run on the demo's cluster, of which there is none yet
	@$(PY) -m dev.package.terminal_picture docs/images/terminal.svg "gather submit the-lantern --project 66f1a2b3c4d5e6f708192a3d --user user-123 --namespace gather" \
	  "gather watch --namespace gather | tail -n 14" "gather status --namespace gather"

.PHONY: vocabulary
vocabulary: $(STAMP) ## Write the vocabulary with which the worker counts tokens
	@$(PY) -m dev.generate.token_vocabulary

.PHONY: lock
lock: $(STAMP) ## Pin every dependency with hashes in requirements/
	@$(PY) -m dev.generate.lock

.PHONY: machine
machine: # Name all that this machine lacks for the cluster, before anything is installed
	@$(REQUIRE_PYTHON)
	@$(PYTHON) -m dev.cluster.preflight $(REAL_MODEL)

$(STAMP): LOCKED := dev
$(STAMP): pyproject.toml requirements/dev.txt requirements/build.txt
	$(INSTALL)

$(CLUSTER_STAMP): LOCKED := cluster
$(CLUSTER_STAMP): pyproject.toml requirements/cluster.txt requirements/build.txt
	$(INSTALL)
