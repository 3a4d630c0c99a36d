#!/usr/bin/env bash
# Shows each alert of backup-alerts.yml firing and clearing: a real Prometheus scrapes a real node_exporter, whose
# textfile collector reads what the real ccc-backup writes. Needs a Docker Engine, the packages of infra/setup.sh, and
# about two minutes. All of it listens on 127.0.0.1, at free ports, and is gone afterwards. Ends with 0 only if every
# alert fired when it should and cleared when it should. CCC_BACKUP_BIN names the binary, else the release build.
#
# What would take days is shortened: "for" is two seconds instead of minutes, and nights long past are lines of the
# history written by hand, and samples given to Prometheus beforehand. The expressions are those of backup-alerts.yml.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=/dev/null
source "$root/infra/source.sh"
binary=$(find_binary try-alerts)
"$root/infra/get-tools.sh" --servers
PATH=$root/target/tools:$PATH
work=$(make_work)
children=()
clean_up() {
    trap '' EXIT HUP INT TERM
    [[ ${#children[@]} == 0 ]] || { kill "${children[@]}" && wait "${children[@]}"; } 2>/dev/null || true
    stop_source
    cd / && rm -rf -- "$work"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
    echo "try-alerts: $1" >&2
    [[ -z ${2:-} ]] || tail -n 20 "$2" >&2
    exit 1
}

now=$(date +%s)
mkdir "$work"/{backups,textfile,data}
cd "$work"
export CCC_BACKUP_DIR=$work/backups CCC_BACKUP_METRICS_FILE=$work/textfile/ccc-backup.prom

# --- The database ---

choose_source ccc
start_source
fill_source >make-database.log 2>&1 || die 'no database' make-database.log

# --- Prometheus and node_exporter ---

exporter=127.0.0.1:$(free_port) prometheus=127.0.0.1:$(free_port)
sed -E 's/^( +for:) .*/\1 2s/' "$root/infra/prometheus/backup-alerts.yml" >alerts.yml
cat >prometheus.yml <<CONF
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [alerts.yml]
scrape_configs:
  - job_name: node
    static_configs: [{ targets: ["$exporter"], labels: { instance: backup-host } }]
CONF

# Three days of nights in which a backup had 50 MB and restored in 5 minutes.
{
    labels='{database="ccc",instance="backup-host",job="node"}'
    for metric in backup_size_bytes=50000000 backup_last_restore_seconds=300; do
        printf '# TYPE %s gauge\n' "${metric%=*}"
        for ((at = now - 3 * 86400; at < now - 4000; at += 240)); do
            printf '%s%s %s %s\n' "${metric%=*}" "$labels" "${metric#*=}" "$at"
        done
    done
    echo '# EOF'
} >past.txt
promtool tsdb create-blocks-from openmetrics past.txt data >blocks.log || die 'the past was not taken in' blocks.log

prometheus-node-exporter --web.listen-address="$exporter" --collector.disable-defaults --collector.textfile \
    --collector.textfile.directory="$work/textfile" >exporter.log 2>&1 &
children+=($!)
prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address="$prometheus" \
    --log.level=warn >prometheus.log 2>&1 &
children+=($!)
prometheus --version 2>&1 | head -n 1
prometheus-node-exporter --version 2>&1 | head -n 1

firing() {
    curl --silent --fail "http://$prometheus/api/v1/alerts" | python3 -c '
import json, sys
alerts = json.load(sys.stdin)["data"]["alerts"]
print("\n".join(sorted({a["labels"]["alertname"] for a in alerts if a["state"] == "firing"})))'
}

# expect ALERT...: waits until these fire, and no others.
expect() {
    local wanted found='' tries
    wanted=$(printf '%s\n' "$@" | sort)
    for ((tries = 0; tries < 120; tries++)); do
        if found=$(firing 2>/dev/null) && [[ $found == "$wanted" ]]; then
            [[ -n $wanted ]] || echo '  firing: none'
            [[ -z $wanted ]] || echo "  firing: ${wanted//$'\n'/, }"
            curl --silent "http://$prometheus/api/v1/alerts" | python3 -c '
import json, sys
for alert in json.load(sys.stdin)["data"]["alerts"]:
    if alert["state"] == "firing":
        print("    " + alert["annotations"]["summary"])' | sort
            return
        fi
        sleep 0.5
    done
    die "these should fire: ${wanted//$'\n'/, }; these do: ${found//$'\n'/, }" prometheus.log
}

step() { printf '\n%s  %s\n' "$(date -u +%H:%M:%S)" "$*"; }

ccc-backup() {
    local code=0
    echo "  \$ ccc-backup $*"
    "$binary" "$@" >out.txt 2>err.txt || code=$?
    grep -hE '✓ Backup compressed|VERIFICATION|NOT VERIFIED|^(error|warning):' out.txt err.txt |
        grep -v SUMMARY | sed 's/^/    /' || true
    echo "    exit code: $code"
}

# on_record JSON: a line of the history, written by hand, and the metrics that follow from it.
on_record() {
    local run=1
    [[ ! -s backups/history.jsonl ]] || run=$(($(wc -l <backups/history.jsonl) + 1))
    echo "{\"version\":1,\"run\":$run,\"seconds\":1,\"tool_version\":\"0.1.0\",\"database\":\"ccc\",$1}" \
        >>backups/history.jsonl
    "$binary" history --metrics-file "$CCC_BACKUP_METRICS_FILE" >/dev/null
}

ago() { date -u -d "@$((now - $1 * 3600))" +%Y-%m-%dT%H:%M:%SZ; }

# --- What happens ---

step 'Nothing was ever backed up.'
expect BackupMissing

step 'A backup of an hour ago, verified.'
on_record "\"work\":\"create\",\"verdict\":\"passed\",\"backup\":\"a.sql.gz\",\"started_at\":\"$(ago 1)\",\"file_bytes\":50000000"
on_record "\"work\":\"verify\",\"verdict\":\"passed\",\"backup\":\"a.sql.gz\",\"started_at\":\"$(ago 1)\",\"phases\":[{\"name\":\"restore\",\"seconds\":300},{\"name\":\"checks\",\"seconds\":1}]"
expect ''

step 'Sixty hours later (the same lines, with the times of then).'
rm backups/history.*
on_record "\"work\":\"create\",\"verdict\":\"passed\",\"backup\":\"a.sql.gz\",\"started_at\":\"$(ago 60)\",\"file_bytes\":50000000"
on_record "\"work\":\"verify\",\"verdict\":\"passed\",\"backup\":\"a.sql.gz\",\"started_at\":\"$(ago 60)\",\"phases\":[{\"name\":\"restore\",\"seconds\":300},{\"name\":\"checks\",\"seconds\":1}]"
expect BackupMissing BackupVerificationMissing

step 'A backup is tried, and the server does not answer.'
DB_PORT=1 ccc-backup create
expect BackupFailed BackupMissing BackupVerificationMissing

step 'A backup of last night turns out to be empty.'
on_record "\"work\":\"create\",\"verdict\":\"passed\",\"backup\":\"empty.sql.gz\",\"started_at\":\"$(ago 30)\",\"file_bytes\":50000000"
: >backups/empty.sql.gz
ccc-backup verify backups/empty.sql.gz
expect BackupMissing BackupVerificationFailed BackupVerificationMissing

step 'A restore takes 50 minutes.'
on_record "\"work\":\"verify\",\"verdict\":\"failed\",\"backup\":\"a.sql.gz\",\"started_at\":\"$(ago 1)\",\"phases\":[{\"name\":\"restore\",\"seconds\":3000},{\"name\":\"checks\",\"seconds\":1}]"
expect BackupMissing BackupRestoreSlow BackupVerificationFailed BackupVerificationMissing

step 'A backup is made; it is much smaller than usual.'
ccc-backup create
expect BackupRestoreSlow BackupSizeAnomaly BackupVerificationFailed BackupVerificationMissing

step 'It is verified.'
ccc-backup verify --latest --port 0 --container-name "try-alerts-$$"
expect BackupSizeAnomaly

step 'The next one is to be copied to a disk that is not there.'
: >disk
ccc-backup create --copy-to disk/copies
expect BackupCopyMissing BackupSizeAnomaly

step 'The disk is there again.'
rm disk && mkdir disk
ccc-backup create --copy-to disk/copies
expect BackupCopyNotProven BackupSizeAnomaly

step 'The copy is verified, and the places of copies are asked.'
CCC_BACKUP_METRICS_FILE='' ccc-backup verify --latest --backup-dir disk/copies --port 0 --container-name "try-alerts-$$"
ccc-backup history --metrics-file "$CCC_BACKUP_METRICS_FILE" --copy-to disk/copies
expect BackupSizeAnomaly

step 'One is made that is not to be copied any more.'
ccc-backup create
expect BackupSizeAnomaly

step 'Nobody can be told of the next one.'
printf '[notify.command]\nrun = "exit 1"\non = ["passed"]\n' >ccc-backup.toml
ccc-backup create
expect BackupNotificationFailed BackupSizeAnomaly

step 'They can again.'
sed -i 's/exit 1/exit 0/' ccc-backup.toml
ccc-backup create
expect BackupSizeAnomaly

step 'The next one has the usual size again.'
on_record "\"work\":\"create\",\"verdict\":\"passed\",\"backup\":\"b.sql.gz\",\"started_at\":\"$(ago 0)\",\"file_bytes\":51000000"
expect ''

step 'Restores take longer week by week, of which 5 min 30 s are allowed.'
for week in 8 7 6 5 4 3 2 1 0; do
    on_record "\"work\":\"verify\",\"verdict\":\"passed\",\"backup\":\"b.sql.gz\",\"started_at\":\"$(ago $((week * 168)))\",\"file_bytes\":51000000,\"engine\":\"docker\",\"rto_seconds\":330,\"phases\":[{\"name\":\"restore\",\"seconds\":$((328 - 4 * week))},{\"name\":\"checks\",\"seconds\":1}]"
done
"$binary" history --limit 1 | grep -A1 Forecast | sed 's/^/  /'
expect BackupRestoreForecast

step 'From now on, an hour is allowed.'
on_record "\"work\":\"verify\",\"verdict\":\"passed\",\"backup\":\"b.sql.gz\",\"started_at\":\"$(ago 0)\",\"file_bytes\":51000000,\"engine\":\"docker\",\"rto_seconds\":3600,\"phases\":[{\"name\":\"restore\",\"seconds\":328},{\"name\":\"checks\",\"seconds\":1}]"
expect ''

step 'What node_exporter shows at the end, without the buckets:'
curl --silent "http://$exporter/metrics" | grep -E '^(backup_|node_textfile_scrape_error )' | grep -v _bucket | sed 's/^/  /'
printf '\nEvery alert fired and cleared.\n'
