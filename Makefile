# The verbs: repro, test, check, bench. `make repro` and `make test` do all the set-up they need.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: repro test check bench bench-faults bench-scale bench-sources bench-tuning bench-killed bench-quality bench-review bench-serve bench-kills bench-monitor bench-monitor-kills audit tour extras compose wire lock clean

repro: .venv/installed  ## run the whole workflow and print its summary
	@! git ls-files --error-unmatch dvc.yaml >/dev/null 2>&1 || mlworkflow setup-git || true
	dvc repro
	@mlworkflow summary

test: .venv/installed-dev  ## run every test
	python -m pytest -n 2

check: .venv/installed-dev  ## style, types, the lock, params.yaml, dvc.yaml, the README's numbers
	ruff check .
	ruff format --check .
	mypy
	mlworkflow check

bench: .venv/installed  ## what the workflow costs beside the bare computation
	python bench/overhead.py

bench-scale: .venv/installed  ## rows per second and peak memory, up to 10 million rows
	python bench/scale.py

bench-sources: .venv/installed-dev  ## each way a table arrives, from its source to a verdict
	python -m bench.sources

bench-tuning: .venv/installed-dev  ## what a trial costs: in the stage, as an experiment, on two cores, on Dask
	python -m bench.tuning

bench-killed: .venv/installed-dev  ## searches that are killed and started again, compared byte for byte
	python bench/killed.py

bench-quality: .venv/installed-dev  ## the portfolio beside FLAML and AutoGluon: TABLES=folder OTHERS=python
	python -m bench.quality --tables $(TABLES) $(if $(OTHERS),--others $(OTHERS))

bench-review: .venv/installed-dev  ## how often the review's word is wrong, and which gains it finds
	python -m bench.review

bench-monitor: .venv/installed-dev  ## false alarms in quiet windows, how soon planted faults are found, rows per second
	python -m bench.monitor

bench-serve: .venv/installed-dev  ## requests per second beside plain FastAPI and an empty handler; batch beside the pipeline
	python -m bench.serve
	python -m bench.batch

bench-kills: .venv/installed-dev  ## kill -9 of the server under load: is every answered prediction in the log?
	python -m bench.serve_killed

tour: .venv/installed  ## twelve simulated months of a model in use: alarm, retraining, review, release, rollback
	python -m mlworkflow.touring

bench-monitor-kills: .venv/installed-dev  ## kill -9 of the watcher and of a retraining: is an outcome lost, an alarm told twice, a model released twice?
	python -m bench.monitor_killed
	python -m bench.retrain_killed

audit: .venv/installed-dev  ## known weaknesses of what is locked; asks PyPI
	pip-audit --disable-pip --progress-spinner off -r requirements.lock

bench-faults: .venv/installed  ## which planted faults the checks catch, and their false alarms
	python -m bench.faults

extras: .venv/installed  ## what tables in Excel, on S3 and in databases need
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-extras.lock

compose: .venv/installed  ## write params.yaml from conf/
	mlworkflow compose

wire: .venv/installed  ## write the deps on code into dvc.yaml
	mlworkflow wire

lock: .venv/installed-dev  ## resolve the dependencies of pyproject.toml anew
	mlworkflow lock

clean:  ## remove the environment; data, models and reports come back by `dvc checkout`
	rm -rf .venv

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 must be on the PATH, but none is. Install one, or type make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-dev.lock
	@touch $@
