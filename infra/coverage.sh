#!/usr/bin/env bash
# Runs the tests and says which lines they run: a table, and target/coverage/html.
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
cargo llvm-cov --locked --no-report "$@"
cargo llvm-cov report --html --output-dir target/coverage
cargo llvm-cov report --summary-only
