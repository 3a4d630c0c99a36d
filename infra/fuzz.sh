#!/usr/bin/env bash
# Feeds the readers of untrusted input with what a fuzzer makes up: each target of fuzz/ for so many seconds.
#
#   infra/fuzz.sh [SECONDS [TARGET…]]     60 seconds, all targets
#
# Begins with fuzz/seeds, keeps what it learns in fuzz/corpus and what breaks a target in fuzz/artifacts. cargo-fuzz
# is installed where it is missing. Sanitizers want a nightly compiler; where none is installed, RUSTC_BOOTSTRAP lets
# the stable one take their flags.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.13.2
seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || {
    echo "fuzz: not a number of seconds: $seconds" >&2
    exit 2
}
targets=("${@:2}")
[[ ${#targets[@]} -gt 0 ]] || targets=(dump copy archive documents members)

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "fuzz: installing cargo-fuzz $version"
    cargo install --quiet --locked "cargo-fuzz@$version"
fi
if rustc +nightly --version >/dev/null 2>&1; then
    cargo=(cargo +nightly)
else
    cargo=(cargo)
    export RUSTC_BOOTSTRAP=1
fi

for target in "${targets[@]}"; do
    echo "fuzz: $target for $seconds s"
    mkdir -p "fuzz/corpus/$target"
    "${cargo[@]}" fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1
done
