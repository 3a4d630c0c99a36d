//! The options that pg_dump knows, and what a name that is not whole means.

/// A long option of pg_dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongOption {
    /// Its full name.
    pub name: &'static str,
    /// Whether it takes a value.
    pub takes_value: bool,
    /// The first major version that has it; 0 where all do that are kept.
    since: u32,
}

/// The option that a name means to a pg_dump of this major version: its own, or the only one that it
/// begins. What a version does not have it refuses by itself.
pub fn long_option(name: &str, major: u32) -> Option<&'static LongOption> {
    let begun = |option: &&LongOption| option.since <= major && option.name.starts_with(name);
    exact(name).or_else(|| {
        let mut candidates = LONG.iter().filter(begun);
        candidates.next().filter(|_| candidates.next().is_none())
    })
}

/// The option that a letter means.
pub fn short_option(letter: char) -> Option<&'static LongOption> {
    SHORT.iter().find(|(of, _)| *of == letter).and_then(|(_, name)| exact(name))
}

fn exact(name: &str) -> Option<&'static LongOption> {
    LONG.iter().find(|option| option.name == name)
}

const fn flag(name: &'static str, since: u32) -> LongOption {
    LongOption { name, takes_value: false, since }
}

const fn value(name: &'static str, since: u32) -> LongOption {
    LongOption { name, takes_value: true, since }
}

/// Short options, and the long ones that they stand for.
const SHORT: [(char, &str); 29] = [
    ('a', "data-only"),
    ('b', "large-objects"),
    ('B', "no-large-objects"),
    ('c', "clean"),
    ('C', "create"),
    ('d', "dbname"),
    ('e', "extension"),
    ('E', "encoding"),
    ('f', "file"),
    ('F', "format"),
    ('h', "host"),
    ('j', "jobs"),
    ('n', "schema"),
    ('N', "exclude-schema"),
    ('O', "no-owner"),
    ('p', "port"),
    ('R', "no-reconnect"),
    ('s', "schema-only"),
    ('S', "superuser"),
    ('t', "table"),
    ('T', "exclude-table"),
    ('U', "username"),
    ('v', "verbose"),
    ('V', "version"),
    ('w', "no-password"),
    ('W', "password"),
    ('x', "no-privileges"),
    ('Z', "compress"),
    ('?', "help"),
];

/// Long options.
const LONG: &[LongOption] = &[
    flag("attribute-inserts", 0),
    flag("binary-upgrade", 0),
    flag("blobs", 0),
    flag("clean", 0),
    flag("column-inserts", 0),
    value("compress", 0),
    flag("create", 0),
    flag("data-only", 0),
    value("dbname", 0),
    flag("disable-dollar-quoting", 0),
    flag("disable-triggers", 0),
    flag("enable-row-security", 0),
    value("encoding", 0),
    value("exclude-extension", 17),
    value("exclude-schema", 0),
    value("exclude-table", 0),
    value("exclude-table-and-children", 16),
    value("exclude-table-data", 0),
    value("exclude-table-data-and-children", 16),
    value("extension", 14),
    value("extra-float-digits", 0),
    value("file", 0),
    value("filter", 17),
    value("format", 0),
    flag("help", 0),
    value("host", 0),
    flag("if-exists", 0),
    value("include-foreign-data", 13),
    flag("inserts", 0),
    value("jobs", 0),
    flag("large-objects", 16),
    flag("load-via-partition-root", 0),
    value("lock-wait-timeout", 0),
    flag("no-acl", 0),
    flag("no-blobs", 0),
    flag("no-comments", 0),
    flag("no-data", 18),
    flag("no-large-objects", 16),
    flag("no-owner", 0),
    flag("no-password", 0),
    flag("no-policies", 18),
    flag("no-privileges", 0),
    flag("no-publications", 0),
    flag("no-reconnect", 0),
    flag("no-schema", 18),
    flag("no-security-labels", 0),
    flag("no-statistics", 18),
    flag("no-subscriptions", 0),
    flag("no-sync", 0),
    flag("no-synchronized-snapshots", 0),
    flag("no-table-access-method", 15),
    flag("no-tablespaces", 0),
    flag("no-toast-compression", 14),
    flag("no-unlogged-table-data", 0),
    flag("on-conflict-do-nothing", 0),
    flag("password", 0),
    value("port", 0),
    flag("quote-all-identifiers", 0),
    value("restrict-key", 0),
    value("role", 0),
    value("rows-per-insert", 0),
    value("schema", 0),
    flag("schema-only", 0),
    value("section", 0),
    flag("sequence-data", 18),
    flag("serializable-deferrable", 0),
    value("snapshot", 0),
    flag("statistics", 18),
    flag("statistics-only", 18),
    flag("strict-names", 0),
    value("superuser", 0),
    value("sync-method", 17),
    value("table", 0),
    value("table-and-children", 16),
    flag("use-set-session-authorization", 0),
    value("username", 0),
    flag("verbose", 0),
    flag("version", 0),
];
