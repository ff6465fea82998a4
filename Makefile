# make help lists the targets.
SHELL := /bin/bash
PREFIX ?= /usr/local
DESTDIR ?=
SHARE = $(DESTDIR)$(PREFIX)/share
# Without debug information, which `strip` would take out again.
BUILD = swift build -c release --static-swift-stdlib -debug-info-format none
BINARY = .build/release/git-ml
SUDO = $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# What building needs, and what the tests need besides.
BUILD_PACKAGES = libgit2-dev libcurl4-openssl-dev libsqlite3-dev pkg-config python3 python3-venv
TEST_PACKAGES = git git-lfs gnupg openssh-server openssh-client openssl procps curl ca-certificates docker-registry skopeo umoci \
  apache2-utils mmdebstrap bubblewrap buildah jq podman runc chromium chromium-driver
# Python with what the end-to-end tests train and serve, and the tools whose formats they read.
VENV = .build/python
# A base image for the tests' images: a Debian with Python, as an OCI layout. Docker Hub cannot be reached from everywhere.
BASE = .build/base
# The charts of the web pages: ECharts, out of a package of PyPI that carries it unchanged.
CHARTS = .build/ui/echarts.min.js
CHARTS_PACKAGE = panel==1.8.10 --hash=sha256:b1de9304e729b87fdeee59a5be5b0d3ce7786dc301626cb728f69fbc4c136693
CHARTS_FILE = panel/dist/bundled/echarts/echarts@6.0.0/dist/echarts.min.js
CHARTS_DIGEST = baa8dfe7e1d9336b98e8986ba7e20ea15e7cdbea1ef42a59d59478632fa45a1d
# What the benchmarks compare with.
PEERS = .build/peers
REQUIREMENTS = Tests/Demo/project/requirements.txt Tests/requirements.txt

# Installs into an environment: by uv, which takes a sixth of the time, or by pip where uv cannot.
pip = $(1)/bin/python3 -m pip install --quiet --disable-pip-version-check --no-compile uv==0.13.8 && \
  { $(1)/bin/uv pip install --quiet --python $(1)/bin/python3 $(2) || \
    $(1)/bin/python3 -m pip install --quiet --disable-pip-version-check --no-compile $(2); }

.PHONY: help deps build install uninstall test demo bench screenshots format lint clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

deps: ## install the packages that are missing
	@if ! command -v apt-get >/dev/null; then \
	  if pkg-config --exists libgit2 libcurl 2>/dev/null; then echo "libgit2 and libcurl are there."; exit 0; fi; \
	  echo "This system has no apt-get. Install by hand: libgit2 (1.5 or newer), libcurl, pkg-config, git, git-lfs, curl, Python 3."; \
	  echo "With Homebrew: brew install libgit2 curl pkg-config git-lfs"; exit 1; fi; \
	missing=$$(for p in $(BUILD_PACKAGES) $(TEST_PACKAGES); do \
	  dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -z "$$missing" ]; then echo "All packages are installed."; else \
	  echo "Installing:" $$missing; \
	  $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi

$(VENV)/done: $(REQUIREMENTS)
	@echo "Installing into $(VENV):" $$(cat $(REQUIREMENTS))
	@python3 -m venv $(VENV)
	@$(call pip,$(VENV),$(addprefix -r ,$(REQUIREMENTS)))
	@$(VENV)/bin/python3 Tests/Servers/get_kubectl.py $(VENV)/bin
	@touch $@

$(BASE)/index.json:
	@echo "Making a base image in $(BASE)"
	@rm -rf $(BASE) $(BASE).new $(BASE).tar && mkdir -p .build
	@$(SUDO) mmdebstrap --quiet --variant=minbase --include=python3 --dpkgopt='path-exclude=/usr/share/doc/*' \
	  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	  "$$(. /etc/os-release && echo $$VERSION_CODENAME)" $(BASE).tar
	@umoci init --layout $(BASE).new && umoci new --image $(BASE).new:python
	@umoci raw add-layer --image $(BASE).new:python $(BASE).tar && rm -f $(BASE).tar && mv $(BASE).new $(BASE)

$(CHARTS):
	@echo "Fetching the chart library into $(CHARTS)"
	@rm -rf .build/ui && mkdir -p .build/ui
	@python3 -m venv .build/ui/fetch && echo '$(CHARTS_PACKAGE)' > .build/ui/requirements.txt
	@.build/ui/fetch/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
	  -r .build/ui/requirements.txt -d .build/ui
	@python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' \
	  .build/ui/panel-*.whl $(CHARTS_FILE) > $(CHARTS).new
	@echo "$(CHARTS_DIGEST)  $(CHARTS).new" | sha256sum --check --quiet
	@mv $(CHARTS).new $(CHARTS) && rm -rf .build/ui/fetch .build/ui/panel-*.whl

$(PEERS)/done:
	@echo "Installing into $(PEERS): dvc mlflow gto oxen"
	@python3 -m venv $(PEERS)
	@$(call pip,$(PEERS),dvc==3.58.0 'pathspec<0.13' mlflow==3.17.2 gto==1.10.1 oxenai==0.65.1)
	@touch $@

build: deps $(CHARTS) ## build the release binary: static, stripped
	$(BUILD) --product git-ml
	strip $(BINARY)

install: build ## install below PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/git-ml
	install -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/git-ml
	cp -R hooks templates $(SHARE)/git-ml/
	install -m 644 $(CHARTS) $(SHARE)/git-ml/templates/ui/
	install -d $(SHARE)/man/man1
	$(BINARY) manual > $(SHARE)/man/man1/git-ml.1
	install -d $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	$(BINARY) --generate-completion-script bash > $(SHARE)/bash-completion/completions/git-ml
	$(BINARY) --generate-completion-script zsh > $(SHARE)/zsh/site-functions/_git-ml
	$(BINARY) --generate-completion-script fish > $(SHARE)/fish/vendor_completions.d/git-ml.fish

uninstall: ## remove what install has put there
	rm -rf $(DESTDIR)$(PREFIX)/bin/git-ml $(SHARE)/git-ml $(SHARE)/man/man1/git-ml.1 \
	  $(SHARE)/bash-completion/completions/git-ml \
	  $(SHARE)/zsh/site-functions/_git-ml $(SHARE)/fish/vendor_completions.d/git-ml.fish

test: deps $(VENV)/done $(BASE)/index.json $(CHARTS) ## run all tests
	swift build --build-tests
	@# Few at a time: a server under test must not be starved by a hundred programs that other tests start.
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=2 swift test --skip-build --skip EndToEndTests
	GIT_ML_TEST_PYTHON="$(abspath $(VENV))/bin" SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4 swift test --skip-build --filter EndToEndTests

demo: build ## the main job, end to end (DIR=… chooses the folder, KEEP=1 keeps it)
	@GIT_ML="$(abspath $(BINARY))" DIR="$(DIR)" KEEP="$(KEEP)" bash Tests/Demo/demo.sh

bench: build $(PEERS)/done ## measure, beside the peers
	@for script in $(filter-out %/make_runs.py,$(wildcard Tests/Benchmarks/*.py)); do GIT_ML="$(abspath $(BINARY))" PEERS="$(abspath $(PEERS))/bin" python3 $$script; done

screenshots: deps $(VENV)/done $(CHARTS) ## take pictures of the web pages (DIR=… chooses the folder)
	swift build --product git-ml
	PATH="$(abspath .build/debug):$(abspath $(VENV))/bin:$$PATH" python3 Tests/Browser/screenshots.py "$(or $(DIR),.build/screenshots)"

format: ## format the sources in place
	swift format -i -r Sources Tests Package.swift

lint: ## check the sources' form
	swift format lint -r -s Sources Tests Package.swift

clean: ## remove what was built
	rm -rf .build
