//! Passwords, however odd and however given, reach the server and nothing else: no arguments of a
//! process, no output, log, manifest, history, metrics or report.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::sandbox::SWEEPING;
use crate::support::docker::{docker, docker_text, left, remove};
use crate::support::source::source;
use crate::support::{
    BINARY, Database, Outcome, Place, Running, clean_environment, database, good_dump, text,
};

/// Quotes, spaces, everything that has a meaning in a URL, in SQL, in a shell or in a password file, a
/// dash at the beginning, and letters beyond ASCII.
const PASSWORDS: [&str; 4] = [
    r#"it's "so" $pecial \ back\\slashed"#,
    "p@ss:w/rd%20?&#=+;,[x]",
    "-Wdash --no-password",
    "pässwörd 密碼 🔑",
];

/// A way to give a password to `create`.
#[derive(Debug, Clone, Copy)]
enum Way {
    DbPassword,
    DatabaseUrl,
    DatabaseUrlOption,
    PgPassword,
    PassFileAtHome,
    PassFile,
    Service,
}

/// A role whose password is required, and the place of a run that connects as it.
struct Login {
    place: Place,
    /// Where files with passwords are; nothing of the run is written there.
    home: tempfile::TempDir,
    database: Database,
    role: String,
    password: String,
}

impl Login {
    /// A password is some process's argument for a moment while its role is made; so each is used once.
    fn new(way: Way, number: usize) -> Self {
        let role = format!("it_secret_{way:?}_{number}");
        let password = format!("{}{way:?}{}", PASSWORDS[number], std::process::id());
        let database = database();
        let literal = password.replace('\'', "''");
        database.sql(&format!("CREATE ROLE \"{role}\" LOGIN SUPERUSER PASSWORD '{literal}'"));
        let home = tempfile::tempdir().unwrap();
        Self { place: Place::without_docker(), home, database, role, password }
    }

    /// `create` by this way with this password.
    fn create(&self, way: Way, password: &str) -> Command {
        let (port, name, role) = (source().port.to_string(), &self.database.name, &self.role);
        let url = format!("postgresql://{role}:{}@127.0.0.1:{port}/{name}", encoded(password));
        let mut command = Command::new(BINARY);
        command.env_clear().envs(clean_environment()).env("HOME", self.home.path());
        command.current_dir(self.place.dir());
        command.args(["--verbose", "--log-file", "run.log", "create", "a.sql"]);
        command.args(["--compress", "none", "--metrics-file", "m.prom"]);
        let parts = [("HOST", "127.0.0.1"), ("PORT", &port), ("NAME", name), ("USER", role)];
        match way {
            Way::DatabaseUrl => command.env("DATABASE_URL", url),
            Way::DatabaseUrlOption => command.args(["--database-url", &url]),
            Way::Service => {
                let service = format!(
                    "[it]\nhost=127.0.0.1\nport={port}\ndbname={name}\nuser={role}\n\
                     password={password}\n"
                );
                let file = self.secret_file("service.conf", &service);
                command.env("PGSERVICE", "it").env("PGSERVICEFILE", file)
            }
            _ => command.envs(parts.map(|(name, value)| (format!("DB_{name}"), value))),
        };
        let escaped = password.replace('\\', r"\\").replace(':', r"\:");
        let line = format!("127.0.0.1:{port}:{name}:{role}:{escaped}\n");
        match way {
            Way::DbPassword => command.env("DB_PASSWORD", password),
            Way::PgPassword => command.env("PGPASSWORD", password),
            Way::PassFileAtHome => {
                self.secret_file(".pgpass", &line);
                &mut command
            }
            Way::PassFile => command.env("PGPASSFILE", self.secret_file("passwords", &line)),
            Way::DatabaseUrl | Way::DatabaseUrlOption | Way::Service => &mut command,
        };
        command
    }

    fn secret_file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    fn drop_role(&self) {
        self.database.sql(&format!("DROP ROLE \"{}\"", self.role));
    }
}

/// Every byte but letters and digits as `%XX`.
fn encoded(password: &str) -> String {
    let byte = |byte: u8| match byte {
        letter if letter.is_ascii_alphanumeric() => char::from(letter).to_string(),
        other => format!("%{other:02X}"),
    };
    password.bytes().map(byte).collect()
}

/// The password as it could be written somewhere.
fn forms(password: &str) -> [String; 5] {
    let json = serde_json::to_string(password).unwrap();
    [
        password.to_owned(),
        encoded(password),
        json.trim_matches('"').to_owned(),
        password.escape_debug().to_string(),
        password.replace('\\', r"\\").replace('\'', r"\'"),
    ]
}

#[track_caller]
fn assert_unseen(password: &str, text: &str, place: &str) {
    for form in forms(password) {
        assert!(!text.contains(&form), "{place} shows the password {form:?}:\n{text}");
    }
}

/// Fails where a file of the directory, or of one in it, shows the password.
#[track_caller]
fn assert_in_no_file(password: &str, dir: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += assert_in_no_file(password, &path);
        } else {
            let content = text(&std::fs::read(&path).unwrap());
            assert_unseen(password, &content, &path.display().to_string());
            files += 1;
        }
    }
    files
}

/// The arguments of all processes but one, as every user of the machine can read them.
fn arguments_but_of(id: u32) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let other = entry.file_name().to_str() != Some(&id.to_string());
        other.then(|| std::fs::read(entry.path().join("cmdline")).ok()).flatten()
    });
    processes.map(|arguments| text(&arguments).replace('\0', " ")).collect()
}

/// Makes a backup by a way with each password, and looks everywhere while pg_dump runs and afterwards.
fn stays_secret(way: Way) {
    for number in 0..PASSWORDS.len() {
        let login = Login::new(way, number);
        let lock = login.database.locked();
        let run = Running::spawn(&mut login.create(way, &login.password));
        login.database.wait_for_a_dump();
        // Who types a password into the arguments of a command shows it by that.
        let but = if matches!(way, Way::DatabaseUrlOption) { run.id() } else { 0 };
        let arguments = arguments_but_of(but);
        drop(lock);
        let (outcome, _) = run.end();
        assert_eq!(outcome.code, 0, "{way:?}: {outcome}");
        assert!(arguments.iter().any(|line| line.contains("pg_dump")), "{arguments:?}");
        for line in &arguments {
            assert_unseen(&login.password, line, "/proc");
        }
        assert_unseen(&login.password, &format!("{outcome}"), "the output");
        // Backup, manifest, history, log, metrics.
        let files = assert_in_no_file(&login.password, login.place.dir());
        assert!(files >= 5, "{:?}", login.place.names("."));
        refuses_a_wrong_one(way, &login);
        login.drop_role();
    }
}

/// The password is really required, and a wrong one is not shown either.
fn refuses_a_wrong_one(way: Way, login: &Login) {
    let wrong = format!("{}wrong", login.password);
    let mut command = login.create(way, &wrong);
    let outcome = Outcome::of(&command.arg("--force").output().unwrap());
    assert_ne!(outcome.code, 0, "{way:?}: {outcome}");
    assert!(outcome.stderr.contains("password authentication failed"), "{way:?}: {outcome}");
    outcome.hints("");
    assert_unseen(&login.password, &format!("{outcome}"), "the output");
    assert_in_no_file(&login.password, login.place.dir());
}

#[test]
fn a_password_in_pgpassword_stays_secret() {
    stays_secret(Way::PgPassword);
}

#[test]
fn a_password_in_pgpass_at_home_stays_secret() {
    stays_secret(Way::PassFileAtHome);
}

/// A `create` that never gets as far as a server.
fn refused(args: &[&str], environment: &[(&str, &str)]) {
    let place = Place::without_docker();
    let mut command = place.ccc();
    let args = [&["--verbose", "--log-file", "run.log", "create"], args].concat();
    let output = command.args(&args).envs(environment.iter().copied()).output().unwrap();
    let outcome = Outcome::of(&output);
    assert_ne!(outcome.code, 0, "{args:?} {environment:?}: {outcome}");
    outcome.hints("");
    let said = format!("{outcome}");
    assert!(!said.contains("s3cret"), "{args:?} {environment:?}: {said}");
    assert_in_no_file("s3cret", place.dir());
}

#[test]
fn a_url_whose_password_is_not_encoded_is_refused_and_not_shown() {
    for password in ["1/s3cret", "1?s3cret", "1?a=b&s3cret", "s3cret%", "a/s3cret", "1#/s3cret"] {
        let url = format!("postgresql://app:{password}@127.0.0.1/shop");
        refused(&[], &[("DATABASE_URL", &url)]);
        refused(&["--database-url", &url], &[]);
    }
}

#[test]
fn a_url_in_the_wrong_place_is_refused_and_not_shown() {
    let url = "postgresql://app:s3cret@127.0.0.1/shop";
    refused(&[url], &[]);
    refused(&["--dbname", url], &[]);
    refused(&["--host", url], &[]);
    refused(&["--dbname", "host=127.0.0.1 password=s3cret"], &[]);
    refused(&[], &[("DB_NAME", url)]);
    refused(&[], &[("PGDATABASE", url)]);
    refused(&["--", url], &[]);
    refused(&["--", "--dbname", url], &[]);
}

/// Looks at the arguments of all processes again and again until it is told to stop.
fn watch_arguments(stop: &AtomicBool) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        seen.extend(arguments_but_of(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    seen
}

#[test]
fn the_password_of_the_sandbox_is_shown_to_nobody_but_who_keeps_it() {
    let _alone = SWEEPING.blocking_lock();
    let place = Place::new();
    place.file("a.sql", good_dump());
    let stop = AtomicBool::new(false);
    let (output, arguments) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch_arguments(&stop));
        let mut verify = place.ccc();
        verify.args(["--verbose", "--log-file", "run.log", "verify", "a.sql", "--no-cleanup"]);
        verify.args(["--port", "0", "--container-name", &place.container]);
        verify.args(["--report", "r.json", "--junit", "r.xml", "--metrics-file", "m.prom"]);
        verify.env("GITHUB_STEP_SUMMARY", place.dir().join("summary.md"));
        verify.env("RUST_LOG", "trace");
        let output = verify.output();
        stop.store(true, Ordering::Relaxed);
        (output.unwrap(), watching.join().unwrap())
    });
    let outcome = Outcome::of(&output);
    outcome.passed();
    // The line that connects to what is kept is the only place for it.
    let connect = outcome.stdout.lines().find_map(|line| line.trim().strip_prefix("Connect: "));
    let password = connect.and_then(|line| line.split(' ').next()).unwrap();
    let password = password.strip_prefix("PGPASSWORD=").unwrap();
    assert!(password.len() > 10, "{outcome}");
    assert_eq!(outcome.stdout.matches(password).count(), 1, "{outcome}");
    assert!(!outcome.stderr.contains(password), "{outcome}");

    assert!(arguments.iter().any(|line| line.contains("postgres")), "{arguments:?}");
    for line in arguments.iter().chain(&arguments_but_of(0)) {
        assert!(!line.contains(password), "/proc: {line}");
    }
    let name = place.container.as_str();
    let logs = docker(&["logs", name]);
    let said = [
        docker_text(&["inspect", name]),
        docker_text(&["top", name, "-eo", "pid,args"]),
        text(&logs.stdout),
        text(&logs.stderr),
        docker_text(&["exec", name, "sh", "-c", "cat /tmp/* /proc/1/environ 2>/dev/null || true"]),
    ];
    for text in &said {
        assert!(!text.contains(password), "{text}");
    }
    assert!(said[1].contains("postgres"), "{}", said[1]);
    // Log, report, junit, metrics, summary, history, the backup.
    let files = assert_in_no_file(password, place.dir());
    assert!(files >= 7, "{:?}", place.names("."));
    remove(&left(name));
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_password_in_db_password_stays_secret() {
        stays_secret(Way::DbPassword);
    }

    #[test]
    fn a_password_in_database_url_stays_secret() {
        stays_secret(Way::DatabaseUrl);
    }

    #[test]
    fn a_password_in_the_option_database_url_goes_no_further() {
        stays_secret(Way::DatabaseUrlOption);
    }

    #[test]
    fn a_password_in_a_password_file_stays_secret() {
        stays_secret(Way::PassFile);
    }

    #[test]
    fn a_password_in_a_service_file_stays_secret() {
        stays_secret(Way::Service);
    }
}
