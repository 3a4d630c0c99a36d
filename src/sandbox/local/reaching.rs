//! Settings by which a local server would run a program of this machine, load a library into itself,
//! read or write files of its choice, or call somebody.

/// What the names of such settings end with.
const ENDS: [&str; 9] = [
    "_command",
    "_conninfo",
    "_directories",
    "_directory",
    "_file",
    "_keyfile",
    "_libraries",
    "_library",
    "_path",
];
/// Those whose names do not show it.
const OTHERS: [&str; 4] = ["data_directory", "jit_provider", "log_filename", "ssl_crl_dir"];
/// Has such an end, and is the order of schemas.
const SCHEMAS: &str = "search_path";

/// The first of the settings that reaches what is not the server's. PostgreSQL takes names in any
/// case.
pub fn first_reaching(settings: &[(String, String)]) -> Option<&str> {
    settings.iter().map(|(name, _)| name.as_str()).find(|name| reaches(name))
}

fn reaches(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    // In an argument of the server, `-` stands for `_`, and `=` ends a name.
    let is_another_name = !name.chars().all(plain);
    let says_so = ENDS.iter().any(|end| name.ends_with(end)) && name != SCHEMAS;
    is_another_name || says_so || OTHERS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_run_load_read_or_call_are_told_from_those_of_the_server_alone() {
        for name in [
            "archive_command",
            "Archive_Command",
            "archive-command",
            "archive_command=touch /tmp/x; #",
            "restore_command",
            "recovery_end_command",
            "archive_library",
            "ssl_passphrase_command",
            "shared_preload_libraries",
            "session_preload_libraries",
            "local_preload_libraries",
            "dynamic_library_path",
            "extension_control_path",
            "jit_provider",
            "hba_file",
            "external_pid_file",
            "krb_server_keyfile",
            "log_directory",
            "unix_socket_directories",
            "primary_conninfo",
        ] {
            assert!(reaches(name), "{name}");
        }
        for name in ["jit", "max_connections", "search_path", "work_mem", "app.tenant", "TimeZone"]
        {
            assert!(!reaches(name), "{name}");
        }
    }
}
