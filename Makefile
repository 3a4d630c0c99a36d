# `make` lists the targets. Whatever goes wrong in a recipe, make itself exits with 2, which is also ccc-backup's
# "not verified": where the exit code decides something, call the binary, or read the number that make prints
# ("Error 1": the backup is bad; "Error 2": it could not be told).

.DEFAULT_GOAL := help

# Directory of the backups.
BACKUP_DIR ?= $(or $(CCC_BACKUP_DIR),./backups)
# Which backups stay: make backup-cleanup RETENTION='--keep-daily 7 --keep-weekly 5 --keep-monthly 12'
RETENTION ?= --older-than 30d
# More flags for ccc-backup: make backup-verify ARGS=--verbose
ARGS ?=

# The binary built here; another one is used as it is: make backup CCC_BACKUP=/usr/local/bin/ccc-backup
built := $(or $(CARGO_TARGET_DIR),target)/release/ccc-backup
CCC_BACKUP ?= $(built)

backup backup-verify backup-drill backup-restore-test backup-cleanup: export BACKUP_DIR := $(BACKUP_DIR)

##@ Backups

.PHONY: backup
backup: .binary ## Create a backup of the database (DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD)
	@"$(CCC_BACKUP)" create --backup-dir "$$BACKUP_DIR" $(ARGS)

.PHONY: backup-verify
backup-verify: .binary ## Restore the latest backup into a throwaway PostgreSQL and check it
	@"$(CCC_BACKUP)" verify --latest --backup-dir "$$BACKUP_DIR" $(ARGS)

.PHONY: backup-verify-file
backup-verify-file: export FILE := $(FILE)
backup-verify-file: .file-given .binary ## The same for one backup: FILE=backups/backup_20260114_020000.sql.gz
	@"$(CCC_BACKUP)" verify "$$FILE" $(ARGS)

.PHONY: backup-drill
backup-drill: .binary ## Verify a sample of the backups, in every place that has copies (ARGS='--html drill.html --within 2h')
	@"$(CCC_BACKUP)" drill --backup-dir "$$BACKUP_DIR" $(ARGS)

.PHONY: backup-db
backup-db: backup ## The same as backup

.PHONY: restore-db
restore-db: export FILE := $(FILE)
restore-db: .file-given .binary ## Bring a backup back beside the database in use, prove it, switch after a question: FILE=…
	@"$(CCC_BACKUP)" restore "$$FILE" --swap $(ARGS)

.PHONY: backup-restore-test
backup-restore-test: .binary ## Restore and check the latest backup, and keep the database to look into
	@"$(CCC_BACKUP)" verify --latest --backup-dir "$$BACKUP_DIR" --no-cleanup $(ARGS)

.PHONY: backup-restore-cleanup
backup-restore-cleanup: .binary ## Remove the database that backup-restore-test kept
	@"$(CCC_BACKUP)" cleanup --sandbox $(ARGS)

.PHONY: backup-cleanup
backup-cleanup: .binary ## Remove backups older than 30 days, or by RETENTION= (ARGS=--dry-run only lists them)
	@"$(CCC_BACKUP)" cleanup $(RETENTION) --backup-dir "$$BACKUP_DIR" $(ARGS)

##@ Nightly verification (.github/workflows/backup-verification.yml, infra/nightly.sh)

nightly_targets := nightly-database nightly-backup nightly-verify nightly-verify-latest nightly-drill-backups \
	nightly-drill nightly-report
$(nightly_targets): export CCC_BACKUP := $(CCC_BACKUP)

.PHONY: nightly-setup
nightly-setup: .binary ## Install pg_dump of PG_MAJOR (15 unless set) and Alembic, where they are missing
	@infra/postgres-archive.sh "postgresql-client-$${PG_MAJOR:-15}"
	@infra/setup.sh venv

.PHONY: nightly-database
nightly-database: ## Create DB_NAME on the server of DB_HOST, DB_PORT, DB_USER, DB_PASSWORD: migrations and test data
	@infra/nightly.sh database

.PHONY: nightly-backup
nightly-backup: .binary ## Back it up to NIGHTLY_DIR/backups (NIGHTLY_DIR=nightly)
	@infra/nightly.sh backup

.PHONY: nightly-verify
nightly-verify: .binary ## Verify that backup, with all reports in NIGHTLY_DIR/logs
	@infra/nightly.sh verify $(ARGS)

.PHONY: nightly-verify-latest
nightly-verify-latest: .binary ## Verify the latest backup there
	@infra/nightly.sh verify-latest $(ARGS)

.PHONY: nightly-drill-backups
nightly-drill-backups: .binary ## Make three backups there, with copies in NIGHTLY_DIR/copies (.github/workflows/backup-drill.yml)
	@infra/nightly.sh drill-backups

.PHONY: nightly-drill
nightly-drill: .binary ## Verify all of them in both places, with a page of what was proven in NIGHTLY_DIR/logs
	@infra/nightly.sh drill $(ARGS)

.PHONY: nightly-report
nightly-report: ## Add to the job's summary that nothing was verified, where nothing was
	@infra/nightly.sh report

##@ Installation

# What `ccc-backup --version --verbose` says of the commit.
build .binary release: export CCC_BACKUP_COMMIT ?= $(shell git describe --always --abbrev=40 --exclude '*' --dirty 2>/dev/null)
build .binary release: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)

.PHONY: build
build: ## Build target/release/ccc-backup
	cargo build --release --locked

.PHONY: install
install: export PREFIX := $(or $(PREFIX),/usr/local)
install: export DESTDIR := $(DESTDIR)
install: ## Install what was built, with man page, completions, systemd units, examples: PREFIX=/usr/local DESTDIR=
	@infra/install.sh "$(CCC_BACKUP)"

.PHONY: package-deb
package-deb: .binary ## Make a Debian package of it in target/packages
	@infra/package-deb.sh "$(CCC_BACKUP)"

.PHONY: package-rpm
package-rpm: .binary ## Make an RPM package of it there (needs rpmbuild)
	@infra/package-rpm.sh "$(CCC_BACKUP)"

.PHONY: image
image: .binary ## Build an image of it with PostgreSQL for --engine local, from Debian's packages, without a registry
	@infra/image.sh "$(CCC_BACKUP)"

.PHONY: release
release: ## Make a static binary, its packages and its SBOM in target/packages, as a release has them (needs rustup)
	@infra/release.sh make

.PHONY: release-publish
release-publish: ## Publish them, with checksums, as the release of the tag GITHUB_REF_NAME (needs gh)
	@infra/release.sh publish

##@ Development

.PHONY: demo
demo: setup .binary ## Show a backup made, verified, cut short and caught, on a throwaway database
	@infra/demo.sh

.PHONY: demo-disaster
demo-disaster: setup .binary ## Play a disaster: rows and a table are lost, and restored while a client goes on writing
	@infra/demo-disaster.sh

# Some tests mostly wait: more at a time than there are cores.
test test-long: export RUST_TEST_THREADS := $(or $(RUST_TEST_THREADS),10)

.PHONY: test
test: setup ## Check format and lints, run the tests, after installing what they need
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo test --locked -- --skip at_full_length

.PHONY: test-long
test-long: export CCC_TEST_LONG := 1
test-long: setup postgres-versions ## Run all integration tests at their full length, each with a container of its own, as CI does every night
	cargo test --locked --test it

.PHONY: fmt
fmt: ## Format the code
	cargo fmt

.PHONY: lint
lint: ## Check format and lints, and the shell scripts, workflows and units
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	@infra/setup.sh lint
	@infra/lint.sh

.PHONY: fuzz
fuzz: ## Feed the readers of untrusted input with what a fuzzer makes up, each for FUZZ_SECONDS=60
	@infra/fuzz.sh $(or $(FUZZ_SECONDS),60)

.PHONY: coverage
coverage: ## Which lines the tests run, into target/coverage/html (ARGS=--lib: the unit tests)
	@infra/coverage.sh $(ARGS)

.PHONY: setup
setup: ## Install what the tests and the demo need, where it is missing
	@infra/setup.sh

.PHONY: postgres-archive
postgres-archive: ## Add apt.postgresql.org to the system's package sources, where it is missing
	@infra/postgres-archive.sh

.PHONY: postgres-image
postgres-image: ## Build ccc-backup/postgres:15 from Debian's packages (ARGS=--force builds it again)
	@infra/postgres-image.sh $(ARGS)

.PHONY: postgres-versions
postgres-versions: ## Get an image of each PostgreSQL from 13 to 19, for make test-long (pulled, or built from packages)
	@infra/postgres-versions.sh

.PHONY: bench
bench: export CCC_BACKUP := $(CCC_BACKUP)
bench: setup .binary ## Compare with other ways to do the same, into docs/benchmarks.md (BENCH_SCALE=1 BENCH_RUNS=5)
	@infra/setup.sh bench
	@python3 -B benches/end_to_end

.PHONY: bench-restore
bench-restore: export CCC_BACKUP := $(CCC_BACKUP)
bench-restore: setup .binary ## Compare restores into an ordinary server, into docs/benchmarks-restore.md
	@infra/setup.sh bench
	@python3 -B benches/end_to_end/into_server.py

.PHONY: bench-places
bench-places: export CCC_BACKUP := $(CCC_BACKUP)
bench-places: setup .binary ## Compare backups in object storage with those in a directory, into docs/benchmarks-places.md
	@python3 -B benches/end_to_end/places.py

.PHONY: bench-costs
bench-costs: setup ## Measure what the jobs of a restore cost, into docs/benchmarks-costs.md
	@CCC_BACKUP=$(shell command -v true) python3 -B benches/end_to_end/costs.py

.PHONY: bench-instructions
bench-instructions: ## Count the instructions that the reader takes for a byte, into docs/instructions.md
	@infra/setup.sh valgrind
	@python3 -B benches/instructions.py

.PHONY: try-alerts
try-alerts: setup .binary ## Show each alert firing and clearing in a real Prometheus
	@infra/prometheus/try-alerts.sh

.PHONY: clean
clean: ## Remove what was built and .venv; backups stay
	cargo clean
	rm -rf .venv

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
	    /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-z-]+:.*## / { printf "  %-24s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo 'Variables: BACKUP_DIR=./backups, RETENTION=, ARGS= (more flags), CCC_BACKUP= (another binary).'
	@echo 'make exits with 2 whatever went wrong; the number behind "Error" is the exit code of ccc-backup:'
	@echo '1 the backup is bad, 2 it could not be told.'

# Quiet when there is nothing much to do, but a first build takes its time and shows it.
.PHONY: .binary
.binary:
ifeq ($(CCC_BACKUP),$(built))
	@cargo build --release --locked $(if $(wildcard $(built)),--quiet)
endif

.PHONY: .file-given
.file-given:
	$(if $(FILE),,$(error $(firstword $(MAKECMDGOALS)) needs a FILE, for example: make $(firstword $(MAKECMDGOALS)) FILE=backups/backup_20260114_020000.sql.gz))
