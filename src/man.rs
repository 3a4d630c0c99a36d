//! The manual page: one for all commands, from the definition that `--help` is made from.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

const DESCRIPTION: [&str; 4] = [
    "create runs pg_dump and writes what it says, compressed, into a file that appears whole or not \
     at all, with a manifest beside it: rows and fingerprint of every table, and a checksum.",
    "verify restores a backup into a throwaway PostgreSQL in a container, checks what came back \
     against the dump and the manifest, and removes the container.",
    "extract writes the rows of a table in a backup to stdout, and reads only what holds them.",
    "diff says in what two backups differ, from their manifests alone, and of a table by its rows.",
];

const ENVIRONMENT: [(&str, &str); 11] = [
    ("DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD", "The database that create dumps."),
    ("DATABASE_URL", "The same as a URL, also with a driver's name (postgresql+psycopg2://)."),
    ("PGHOST, PGSERVICE, PGSSLMODE and libpq's others", "What the former leave open."),
    ("CCC_BACKUP_DIR", "Directory of the backups."),
    ("CCC_BACKUP_IMAGE", "Image of the throwaway PostgreSQL."),
    ("CCC_BACKUP_PG_DUMP", "The pg_dump to use."),
    ("CCC_BACKUP_METRICS_FILE", "Where create and verify write metrics for Prometheus."),
    (
        "DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH",
        "The Docker Engine, as for docker itself.",
    ),
    ("RUST_LOG", "Which diagnostics go to stderr, such as ccc_backup=debug."),
    ("NO_COLOR", "Set to anything: no colour on a terminal."),
    (
        "GITHUB_STEP_SUMMARY, GITHUB_ACTIONS",
        "Set by GitHub: verify adds a summary and annotations.",
    ),
];

const FILES: [(&str, &str); 4] = [
    (
        "BACKUP_DIR/backup_YYYYMMDD_HHMMSS.sql.gz",
        "A backup, named by the time in UTC; .sql.zst and .sql by --compress.",
    ),
    ("BACKUP_DIR/backup_YYYYMMDD_HHMMSS.sql.gz.manifest.json", "What it held when it was made."),
    (
        "BACKUP_DIR/backup_YYYYMMDD_HHMMSS.globals.sql",
        "Roles and tablespaces of its server, without passwords, by create --globals.",
    ),
    ("BACKUP_DIR/history.jsonl", "What was made and verified, and with which result."),
];

/// The page in roff, with all visible commands of `program` and their options.
pub fn page(program: &Command) -> String {
    let name = program.get_name();
    let source = format!("{name} {}", program.get_version().unwrap_or_default());
    let commands = commands(program);
    let mut page = Page::default();
    page.put(|roff| {
        // No date: the same source makes the same page.
        roff.control("TH", [&*name.to_uppercase(), "1", "\"\"", &source, "User Commands"]);
        roff.control("SH", ["NAME"]).text([roman(format!("{name} - {}", about(program)))]);
        roff.control("SH", ["SYNOPSIS"]);
        for (at, command) in commands.iter().enumerate() {
            if at > 0 {
                roff.control("br", []);
            }
            roff.text([roman(usage(command))]);
        }
        roff.control("SH", ["DESCRIPTION"]).text([roman(DESCRIPTION[0])]);
        roff.control("PP", []).text([roman(DESCRIPTION[1])]);
        roff.control("SH", ["COMMANDS"]);
    });
    for command in commands {
        page.put(|roff| {
            roff.control("SS", [command.get_bin_name().unwrap_or_default()]);
            roff.text([roman(about(&command) + ".")]);
        });
        page.options(command.clone());
        for paragraph in after_help(&command) {
            page.put(|roff| {
                let (text, lines) = paragraph.split_once(":\n").unwrap_or((&paragraph, ""));
                let colon = if lines.is_empty() { "" } else { ":" };
                roff.control("PP", []).text([roman(text.replace('\n', " ") + colon)]);
                verbatim(roff, lines);
            });
        }
    }
    page.put(|roff| {
        roff.control("SH", ["OPTIONS OF EVERY COMMAND"]);
    });
    page.options(program.clone());
    page.put(|roff| {
        for paragraph in after_help(program) {
            let (heading, lines) = paragraph.split_once(":\n").unwrap_or(("NOTES", &paragraph));
            roff.control("SH", [&*heading.to_uppercase()]);
            verbatim(roff, lines);
        }
        list(roff, "ENVIRONMENT", &ENVIRONMENT);
        list(roff, "FILES", &FILES);
        roff.control("SH", ["SEE ALSO"]).text([roman("pg_dump(1), psql(1), docker(1)")]);
    });
    page.0
}

/// A page in the making. Every rendering begins with the same definitions, which it needs once.
struct Page(String);

impl Default for Page {
    fn default() -> Self {
        Self(definitions())
    }
}

fn definitions() -> String {
    Roff::new().render()
}

impl Page {
    fn put(&mut self, write: impl FnOnce(&mut Roff)) {
        let mut roff = Roff::new();
        write(&mut roff);
        let text = roff.render();
        self.0 += text.strip_prefix(&definitions()).unwrap_or(&text);
    }

    /// The options of a command, without the heading that they come with.
    fn options(&mut self, command: Command) {
        let mut bytes = Vec::new();
        // Writing into memory cannot fail.
        let _ = Man::new(command).render_options_section(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        self.0 += text.split_once(".SH OPTIONS\n").map_or("", |(_, options)| options);
    }
}

/// The commands that have a section: all but `help` and those that only hold others.
fn commands(program: &Command) -> Vec<Command> {
    let shown = |command: &&Command| !command.is_hide_set() && !command.has_subcommands();
    let named = |command: &Command| {
        let name = format!("{} {}", program.get_name(), command.get_name());
        command.clone().bin_name(name).disable_help_flag(true)
    };
    program.get_subcommands().filter(shown).map(named).collect()
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.trim_start_matches("Usage: ").to_owned()
}

/// What `--help` ends with, paragraph by paragraph.
fn after_help(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    text.split("\n\n").filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// Lines that stay lines.
fn verbatim(roff: &mut Roff, lines: &str) {
    if lines.is_empty() {
        return;
    }
    roff.control("RS", ["2"]).control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("fi", []).control("RE", []);
}

fn list(roff: &mut Roff, heading: &str, items: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (name, text) in items {
        roff.control("TP", []).text([bold(*name)]).text([roman(*text)]);
    }
}
