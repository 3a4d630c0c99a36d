//! The source: one throwaway PostgreSQL server for all tests, with a database made by the
//! application's own migrations and a seeder, and copies of it for tests that change it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{repository, text};

/// The database that the migrations and the seeder made; never changed, and never connected to
/// while it is copied.
const TEMPLATE: &str = "ccc_template";
/// The smallest scale: every awkward value, and about 1,400 rows.
const SCALE: &str = "0.001";

/// The source server.
pub struct Source {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The password of its superuser `postgres`.
    pub password: String,
    /// Where its data and its socket are.
    pub dir: PathBuf,
    // The server ends with this pipe, and the pipe ends with this process, whatever ends it.
    _stdin: ChildStdin,
    _script: Child,
}

/// Bytes that all databases of a run need at the most.
const DATABASES: u64 = 6 << 30;

/// The directory of temporary files that are best in memory, where that has room: a database is hundreds of files.
fn in_memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map_or(0, |there| there.f_bavail * there.f_frsize);
    if free > DATABASES { memory.to_owned() } else { std::env::temp_dir() }
}

/// The source server, started by the first test that asks.
pub fn source() -> &'static Source {
    static SOURCE: OnceLock<Source> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let source = Source::start();
        source.make_template();
        source
    })
}

impl Source {
    /// Another server than the one that the tests share.
    pub fn start() -> Self {
        Self::with("", "")
    }

    /// Another server, which has these locales beside the system's.
    pub fn with_locales(locales: &str) -> Self {
        Self::with("SOURCE_LOCALES", locales)
    }

    /// Another server, which waits for what a primary sends it, and takes no writes.
    pub fn standby() -> Self {
        Self::with("SOURCE_STANDBY", "yes")
    }

    /// Another server, with these lines in its configuration.
    pub fn with_settings(settings: &str) -> Self {
        Self::with("SOURCE_SETTINGS", settings)
    }

    fn with(variable: &str, value: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let port = free_port();
        let password = format!("s3cret-of-{}", std::process::id());
        // Made and removed by the script; the server's user has to be able to enter it.
        let dir = in_memory().join(format!("ccc-it-source-{}-{count}", std::process::id()));
        let mut script = Command::new(repository("tests/fixtures/source-server.sh"))
            .arg(&dir)
            .arg(port.to_string())
            .env("SOURCE_PASSWORD", &password)
            .envs([(variable, value)].into_iter().filter(|(name, _)| !name.is_empty()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut said).unwrap();
        if said.trim() != "ready" {
            let output = script.wait_with_output().unwrap();
            panic!("the source server did not start: {}", text(&output.stderr));
        }
        Self { port, password, dir, _stdin: script.stdin.take().unwrap(), _script: script }
    }

    fn make_template(&self) {
        let mut make = Command::new(repository("tests/fixtures/make-database.sh"));
        for (name, value) in self.libpq() {
            make.env(name, value);
        }
        let output = make.args([TEMPLATE, SCALE]).output().unwrap();
        assert!(output.status.success(), "make-database.sh: {}", text(&output.stderr));
    }

    /// libpq's variables for this server.
    pub fn libpq(&self) -> [(&'static str, String); 4] {
        [
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", "postgres".to_owned()),
            ("PGPASSWORD", self.password.clone()),
        ]
    }

    /// The environment that makes `create` connect to a database of this server.
    pub fn connection(&self, database: &str) -> [(&'static str, String); 5] {
        [
            ("DB_HOST", "127.0.0.1".to_owned()),
            ("DB_PORT", self.port.to_string()),
            ("DB_NAME", database.to_owned()),
            ("DB_USER", "postgres".to_owned()),
            ("DB_PASSWORD", self.password.clone()),
        ]
    }

    /// Runs one of PostgreSQL's client programs against this server; it must succeed.
    pub fn client(&self, program: &str, args: &[&str]) -> Vec<u8> {
        let mut command = Command::new(client(program));
        let output = command.args(args).envs(self.libpq()).output().unwrap();
        assert!(output.status.success(), "{program} {args:?}: {}", text(&output.stderr));
        output.stdout
    }
}

/// A database of a test's own on the source server.
pub struct Database {
    /// Its name.
    pub name: String,
}

/// A fresh copy of the migrated and seeded database.
pub fn database() -> Database {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("ccc_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    source().client("createdb", &["--template", TEMPLATE, "--", &name]);
    Database { name }
}

/// A copy for tests that do not change it, nor lock anything in it.
pub fn unchanged_database() -> &'static Database {
    static DATABASE: OnceLock<Database> = OnceLock::new();
    DATABASE.get_or_init(database)
}

impl Database {
    /// Runs SQL in it; gives the rows, unaligned.
    pub fn sql(&self, sql: &str) -> String {
        let args = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", &self.name, "-c", sql];
        text(&source().client("psql", &args)).trim().to_owned()
    }

    /// A plain dump of it, made by the real pg_dump with these arguments.
    pub fn dump(&self, args: &[&str]) -> Vec<u8> {
        source().client("pg_dump", &[&["-d", self.name.as_str()][..], args].concat())
    }
}

/// The environment that makes `create` connect to a database of the source server.
pub fn connection(database: &Database) -> [(&'static str, String); 5] {
    source().connection(&database.name)
}

/// A lock on a table of a database, under which whoever reads the table waits.
pub struct Lock<'a> {
    database: &'a Database,
    table: &'static str,
    holder: Child,
}

impl Database {
    /// Locks `users`, which every dump reads.
    pub fn locked(&self) -> Lock<'_> {
        self.with_a_lock_on("users")
    }

    /// Locks a table.
    pub fn with_a_lock_on(&self, table: &'static str) -> Lock<'_> {
        let sql = format!("BEGIN; LOCK TABLE {table}; SELECT pg_sleep(600)");
        let mut holder = Command::new(client("psql"));
        holder
            .args(["-Xqd", &self.name, "-c", &sql])
            .envs(source().libpq())
            .env("PGAPPNAME", Lock::holder(table));
        holder.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let lock = Lock { database: self, table, holder: holder.spawn().unwrap() };
        self.wait_for(&Self::locks("granted", table));
        lock
    }

    /// Waits until a pg_dump of this database waits for the lock on `users`.
    pub fn wait_for_a_dump(&self) {
        self.wait_for(&Self::locks("NOT granted", "users"));
    }

    /// Copies of one database have the same object numbers, so the database has to be named.
    fn locks(which: &str, table: &str) -> String {
        format!(
            "SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database
             WHERE {which} AND relation = '{table}'::regclass AND datname = current_database()"
        )
    }

    /// Waits until a query gives a row.
    pub fn wait_for(&self, query: &str) {
        let begun = Instant::now();
        while self.sql(query).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "never seen: {query}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Lock<'_> {
    /// What the session is called that holds it.
    fn holder(table: &str) -> String {
        format!("lock on {table}")
    }

    /// Waits until somebody has waited for it for two seconds.
    pub fn wait_until_it_lasts(&self) {
        let waiting = Database::locks("NOT granted", self.table);
        self.database.wait_for(&format!("{waiting} AND waitstart < now() - interval '2 s'"));
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // The end of psql alone would leave its query running. By way of another database: a test
        // may have dropped this one.
        let postgres = Database { name: "postgres".to_owned() };
        postgres.sql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = '{}' AND application_name = '{}'",
            self.database.name,
            Self::holder(self.table)
        ));
        self.holder.wait().unwrap();
    }
}

/// Where Debian has the programs themselves. Those on its `PATH` are a script in Perl, which looks for them first: it takes
/// twice as long as they do.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// The search path for a run: the programs themselves before whatever else is called so.
pub fn path(path: &str) -> String {
    if Path::new(PROGRAMS).is_dir() { format!("{PROGRAMS}:{path}") } else { path.to_owned() }
}

/// Where one of PostgreSQL's client programs is.
pub fn client(program: &str) -> PathBuf {
    let path = path(&std::env::var("PATH").unwrap_or_default());
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{program} is missing: infra/setup.sh installs it"))
}

/// A port on 127.0.0.1 that nobody has at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
