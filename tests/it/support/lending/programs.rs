//! What programs leave that ran beside a server that is lent: files, and themselves.

use bollard::Docker;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::StreamExt;
use serde_json::Value;

/// Removes what lies beside the data directory and in the programs' own directory, and fails where something is there
/// still, or a process that is neither the server's nor the container's own.
const CLEAR: &str = r#"
cd "/proc/1/root${PGDATA%/*}"
for file in * .[!.]*; do [ "$file" = "${PGDATA##*/}" ] || rm -rf -- "$file"; done
rm -rf /tmp/* /tmp/.[!.]*
[ "$(ls -A)" = "${PGDATA##*/}" ]
[ -z "$(ls -A /tmp)" ]
for process in /proc/[0-9]*/comm; do
    read -r name 2>/dev/null <"$process" || continue
    case $name in postgres | sleep | sh) ;; *) exit 1 ;; esac
done
"#;

/// Clears both containers of what programs left, from the one beside the server; `false` where something is left.
pub async fn are_cleared(docker: &Docker, beside: &str, plan: &str) -> bool {
    let plan: Value = serde_json::from_str(plan).unwrap();
    let environment = plan["Env"].as_array().unwrap().iter();
    let config = ExecConfig {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        env: Some(environment.map(|it| it.as_str().unwrap().to_owned()).collect()),
        cmd: Some(["sh", "-ec", CLEAR].map(str::to_owned).into()),
        ..ExecConfig::default()
    };
    let Ok(exec) = docker.create_exec(beside, config).await else { return false };
    let started = docker.start_exec(&exec.id, None::<StartExecOptions>).await;
    let Ok(StartExecResults::Attached { mut output, .. }) = started else { return false };
    while output.next().await.is_some() {}
    let ended = docker.inspect_exec(&exec.id).await;
    ended.is_ok_and(|ended| ended.exit_code == Some(0))
}
