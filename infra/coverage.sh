#!/usr/bin/env bash
# Runs the tests and says which lines they run: a table, and target/coverage/html and, of
# those that none runs, their numbers in target/coverage/missing.txt.
#
#   infra/coverage.sh              all tests
#   infra/coverage.sh --lib        the unit tests, or whatever else `cargo test` takes
#
# cargo-llvm-cov is installed where it is missing, and so are rustup's llvm-tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.9.1
if ! cargo llvm-cov --version >/dev/null 2>&1; then
    echo "coverage: installing cargo-llvm-cov $version"
    cargo install --quiet --locked "cargo-llvm-cov@$version"
fi
# Each run of the binary notes there what it ran, also where it runs as a user without privileges.
notes=${CARGO_TARGET_DIR:-target}/llvm-cov-target
mkdir -p "$notes"
chmod 1777 "$notes"
# Where a test fails, the others are still counted, and the failure is the exit code.
status=0
cargo llvm-cov --locked --no-report --no-fail-fast "$@" || status=$?
cargo llvm-cov report --html --output-dir target/coverage
cargo llvm-cov report --show-missing-lines --summary-only 2>/dev/null |
    sed -n '/^Uncovered Lines:/,$s|'"$PWD"'/||p' >target/coverage/missing.txt
cargo llvm-cov report --summary-only
exit "$status"
