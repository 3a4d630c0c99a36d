#!/usr/bin/env bash
# Puts ccc-backup and what belongs to it where a system looks for them. `make install` calls it, and so do the packages.
#
#   infra/install.sh BINARY      into $DESTDIR$PREFIX; PREFIX is /usr/local unless set
#
# It makes no user, enables nothing and writes nothing to /etc: README.md says what is left to do.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
binary=${1:?usage: infra/install.sh BINARY}
prefix=${PREFIX:-/usr/local}
to=${DESTDIR:-}$prefix

[[ $prefix == /* ]] || { echo "install: error: PREFIX has to be an absolute path: $prefix" >&2; exit 1; }
[[ -x $binary ]] || {
    echo "install: error: no $binary" >&2
    echo '  hint: make build' >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# put FILE PATH [MODE]
put() { install -D -m "${3:-644}" -- "$1" "$to/$2"; }

put "$binary" bin/ccc-backup 755
put "$root/docs/ccc-backup.1" share/man/man1/ccc-backup.1

completions() {
    "$binary" completions "$1" >"$work/completions"
    put "$work/completions" "$2"
}
completions bash share/bash-completion/completions/ccc-backup
completions zsh "${ZSH_DIR:-share/zsh/site-functions}/_ccc-backup"
completions fish share/fish/vendor_completions.d/ccc-backup.fish

for unit in "$root"/infra/systemd/*.service "$root"/infra/systemd/*.timer; do
    sed "s#/usr/local/bin/ccc-backup#$prefix/bin/ccc-backup#g" "$unit" >"$work/unit"
    put "$work/unit" "lib/systemd/system/${unit##*/}"
done

for example in "$root"/infra/systemd/create.env "$root"/infra/package/ccc-backup.toml; do
    put "$example" "share/doc/ccc-backup/examples/${example##*/}"
done
for text in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE; do
    put "$root/$text" "share/doc/ccc-backup/$text"
done
