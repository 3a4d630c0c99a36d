#!/usr/bin/env bash
# The two steps of action.yml: build the tool from the action's own checkout, verify a backup with it. What is verified
# comes by INPUT_FILE, INPUT_BACKUP_DIR, INPUT_REQUIRE_PROOF and INPUT_ARGS.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../.." && pwd)
work=${RUNNER_TEMP:?}/ccc-backup
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$work/target}
binary=${CCC_BACKUP:-$CARGO_TARGET_DIR/release/ccc-backup}

case ${1:-} in
    build)
        [[ -n ${CCC_BACKUP:-} ]] || cargo build --release --locked --manifest-path "$root/Cargo.toml"
        ;;
    verify)
        report=$work/report.json
        mkdir -p -- "$work"
        rm -f -- "$report"
        what=(--latest)
        [[ -z $INPUT_FILE ]] || what=("./$INPUT_FILE")
        [[ $INPUT_FILE != /* ]] || what=("$INPUT_FILE")
        read -ra args <<<"${INPUT_ARGS//$'\n'/ }"
        # Whatever is not "false" by its letters wants proof.
        [[ $INPUT_REQUIRE_PROOF == false ]] || args+=(--require-proof)
        code=0
        "$binary" verify "${what[@]}" --backup-dir "$INPUT_BACKUP_DIR" --report "$report" "${args[@]}" || code=$?
        case $code in
            0) verdict=passed ;;
            1) verdict=failed ;;
            *) verdict=not-verified ;;
        esac
        printf '%s\n' "verdict=$verdict" "report=$report" >>"${GITHUB_OUTPUT:?}"
        exit "$code"
        ;;
    *)
        echo "usage: verify.sh build|verify" >&2
        exit 2
        ;;
esac
