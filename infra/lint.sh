#!/usr/bin/env bash
# Checks what is not our Rust: the licences, sources and known holes of dependencies, shell scripts, GitHub's workflows
# and actions, the manifests of Kubernetes, systemd units. infra/setup.sh lint installs what it needs from crates.io and
# PyPI; shellcheck and systemd-analyze are used where they are installed, and missed aloud.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

have() {
    command -v "$1" >/dev/null && return
    echo "lint: $1 is not installed; $2 were not checked" >&2
    return 1
}

cargo deny --log-level error --locked check bans licenses sources
# The database is a repository of its own, and not to be had from everywhere.
if cargo deny --log-level off fetch db; then
    cargo deny --log-level error --locked --offline check advisories
else
    echo 'lint: the advisory database cannot be fetched; known holes of dependencies were not checked' >&2
fi

if have shellcheck 'the shell scripts'; then
    find .ci/run .github infra tests -name '*.sh' -print0 -o -path .ci/run -print0 | xargs -0 shellcheck
fi

schema() { .venv/bin/check-jsonschema --quiet --builtin-schema "$@"; }
schema vendor.github-workflows .github/workflows/*.yml
schema custom.github-workflows-require-timeout .github/workflows/*.yml
schema vendor.github-actions .github/actions/*/action.yml
.venv/bin/zizmor --offline --quiet --no-progress --pedantic .github

# What the kustomization comes to, in the versions of Kubernetes that know all of it.
manifests=$(mktemp -d)
trap 'rm -rf "$manifests"' EXIT
.venv/bin/kubectl kustomize infra/kubernetes >"$manifests/all.yaml"
for minor in {29..37}; do
    .venv/bin/kubernetes-validate --strict --quiet -k "1.$minor" "$manifests/all.yaml" infra/kubernetes/secret.example.yaml
done

if have systemd-analyze 'the units'; then
    # systemd-analyze wants the program to be there, and knows a unit by the directory that it is in.
    units=$(mktemp -d)
    trap 'rm -rf "$manifests" "$units"' EXIT
    for unit in infra/systemd/*.service infra/systemd/*.timer; do
        sed 's#/usr/local/bin/ccc-backup#/bin/true#' "$unit" >"$units/${unit##*/}"
    done
    SYSTEMD_UNIT_PATH=$units: systemd-analyze verify --man=no "$units"/*
    # 0 is the best; what a unit gave up shows here.
    systemd-analyze security --offline=yes --threshold=20 --no-pager "$units"/*.service >"$units/security" || {
        cat "$units/security" >&2
        exit 1
    }
fi
