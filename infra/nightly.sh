#!/usr/bin/env bash
# The steps of the nightly verification and of the monthly drill, one after another: what
# .github/workflows/backup-verification.yml and backup-drill.yml run by way of the Makefile, and what runs as well
# anywhere else.
#
#   infra/nightly.sh database        migrates and seeds the database that DB_HOST, DB_PORT, DB_NAME, DB_USER and
#                                    DB_PASSWORD name; SEED_SCALE 1 is 1.27 million rows, 0.01 unless set
#   infra/nightly.sh backup          backs it up to NIGHTLY_DIR/backups
#   infra/nightly.sh verify          verifies that backup, with every report, in NIGHTLY_DIR/logs
#   infra/nightly.sh verify-latest   verifies the latest backup of the directory, as an operator does
#   infra/nightly.sh drill-backups   makes three backups of it, of three days, with copies in NIGHTLY_DIR/copies
#   infra/nightly.sh drill           drills all of them in both places, with a page of what was proven, in NIGHTLY_DIR/logs
#   infra/nightly.sh report          says in the job's summary that nothing was verified, where nothing was
#
# NIGHTLY_DIR is "nightly" unless set. CCC_BACKUP names the binary, RTO the time that a restore may take (15m). More
# arguments are passed to ccc-backup.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

die() {
    echo "nightly: error: $*" >&2
    exit 2
}

step=${1:-}
shift || true
binary=${CCC_BACKUP:-$root/target/release/ccc-backup}
dir=${NIGHTLY_DIR:-nightly}
backups=$dir/backups
logs=$dir/logs
mkdir -p -- "$backups" "$logs"

# Shows what a run says, keeps it for the logs, and ends as it ended.
logged() {
    local name=$1 code=0
    shift
    { "$@" 2>&1 || code=$?; } > >(tee -- "$logs/$name.txt")
    wait $!
    return "$code"
}

case $step in
    database)
        for name in DB_HOST DB_PORT DB_NAME DB_USER DB_PASSWORD; do
            [[ -n ${!name:-} ]] || die "$name is not set"
        done
        PGHOST=$DB_HOST PGPORT=$DB_PORT PGUSER=$DB_USER PGPASSWORD=$DB_PASSWORD \
            "$root/tests/fixtures/make-database.sh" "$DB_NAME" "${SEED_SCALE:-0.01}"
        ;;
    backup)
        logged create "$binary" create --backup-dir "$backups" --log-file "$logs/create.log" "$@"
        ;;
    verify)
        files=("$backups"/backup_*.sql.gz)
        # Their names sort by time.
        file=${files[-1]}
        [[ -f $file ]] || die "there is no backup in $backups: make nightly-backup makes one"
        logged verify "$binary" verify "$file" --rto "${RTO:-15m}" --require-proof --log-file "$logs/verify.log" \
            --report "$logs/verify.json" --junit "$logs/verify.xml" --metrics-file "$logs/ccc-backup.prom" "$@"
        ;;
    verify-latest)
        # The first verification wrote the summary of this night; errors are still shown as annotations.
        unset GITHUB_STEP_SUMMARY
        logged verify-latest "$binary" verify --latest --backup-dir "$backups" --require-proof \
            --log-file "$logs/verify-latest.log" --report "$logs/verify-latest.json" "$@"
        ;;
    drill-backups)
        for days in 60 30 0; do
            name=backup_$(date -u -d "$days days ago" +%Y%m%d_%H%M%S).sql.gz
            logged "create-$days" "$binary" create "$backups/$name" --copy-to "$dir/copies" "$@"
        done
        ;;
    drill)
        logged drill "$binary" drill --all --backup-dir "$backups" --places "$dir/copies" --rto "${RTO:-15m}" \
            --require-proof --within 30m --log-file "$logs/drill.log" --html "$logs/drill.html" \
            --report "$logs/drill.json" --metrics-file "$logs/ccc-backup.prom" "$@"
        ;;
    report)
        [[ ! -e $logs/verify.json ]] || exit 0
        cat >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}" <<SUMMARY
## Backup Verification Summary

- **Date**: $(date -u '+%Y-%m-%d %H:%M:%S UTC')
- **Status**: not verified

⚠️ Backup not verified!

The run ended before a backup was verified, which says nothing about the backup. The step that failed says why.
SUMMARY
        ;;
    *) die "unknown step: ${step:-none given}" ;;
esac
