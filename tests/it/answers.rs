//! What the checks and the restore make of a server that refuses to answer or ends a session, and of a
//! backup that reads otherwise than before. They are called by themselves: a run of the binary asks as
//! a role that may see everything, and meets the others by chance only.

use std::io::{self, Read};
use std::time::Duration;

use ccc_backup::checks::large_objects::{self, Expected};
use ccc_backup::checks::read_back::{self, Found, Wanted};
use ccc_backup::checks::rendering::Rendering;
use ccc_backup::checks::{ccc_tables, schema};
use ccc_backup::dump::large_objects::Written;
use ccc_backup::dump::times::Samples;
use ccc_backup::model::contents::{Columns, Table, TableFingerprint};
use ccc_backup::model::outcome::Status;
use ccc_backup::model::secret::Secret;
use ccc_backup::pg::{Address, ConnectInfo, Terms};
use ccc_backup::restore::load::load;
use ccc_backup::restore::{Ledger, LoadError, Restored};

use crate::support::source::source;
use crate::support::{Database, database, unchanged_database};

/// A role that every server has and that owns nothing.
const NOBODY: &str = "SET ROLE pg_monitor";

fn server(database: &Database) -> ConnectInfo {
    ConnectInfo {
        address: Address::Tcp { host: "127.0.0.1".to_owned(), port: source().port },
        user: "postgres".to_owned(),
        password: Secret::new(&source().password),
        database: database.name.clone(),
        event_triggers: true,
        terms: Terms::default(),
    }
}

#[tokio::test]
async fn large_objects_that_may_not_be_read_are_counted_and_their_contents_not_proven() {
    let database = database();
    database.sql("SELECT lo_from_bytea(7, 'x')");
    let mut in_dump = Written::default();
    for text in [
        "SELECT pg_catalog.lo_create('7');",
        "SELECT pg_catalog.lo_open('7', 131072);",
        r"SELECT pg_catalog.lowrite(0, '\x78');",
        "SELECT pg_catalog.lo_close(0);",
    ] {
        in_dump.take(text.as_bytes(), true);
    }
    let session = server(&database).connect().await.unwrap();
    let expected = Expected { in_dump: in_dump.objects(), recorded: None, content: true };
    let (check, why_not) = large_objects::check(&session, expected, &|_| {}).await.unwrap();
    assert_eq!((check.status, why_not), (Status::Passed, None));
    assert_eq!(check.title, "Large objects match the backup (1, 1 bytes)");
    session.batch_execute(NOBODY).await.unwrap();
    let (check, why_not) = large_objects::check(&session, expected, &|_| {}).await.unwrap();
    assert_eq!(check.status, Status::Passed);
    assert_eq!(check.title, "Large objects match the backup (1)");
    assert_eq!(why_not.as_deref(), Some("permission denied for large object 7"));
}

#[tokio::test]
async fn a_table_that_the_server_refuses_to_look_for_is_not_there() {
    let database = database();
    let session = server(&database).connect().await.unwrap();
    let users = ccc_tables().into_iter().find(|table| table.name == "users").unwrap();
    assert_eq!(schema::check(&session, &users).await.unwrap().status, Status::Passed);
    database.sql("REVOKE USAGE ON SCHEMA information_schema FROM PUBLIC");
    session.batch_execute(NOBODY).await.unwrap();
    let check = schema::check(&session, &users).await.unwrap();
    assert_eq!(check.status, Status::Failed);
    let said = "Users table exists: permission denied for schema information_schema";
    assert_eq!(check.title, said);
}

fn table(name: &str) -> Wanted {
    Wanted::all(Table {
        schema: "public".into(),
        name: name.into(),
        columns: Columns::Stored,
        fingerprint: TableFingerprint::default(),
        bytes: 0,
        spans: Vec::new(),
    })
}

#[test]
fn a_session_that_the_server_ends_is_no_answer_about_a_table() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = database();
    let lock = database.locked();
    let target = server(&database);
    let counting = runtime.spawn(async move {
        let session = target.connect().await.unwrap();
        let refused = read_back::count(&session, &[table("nothing")]).await.unwrap();
        assert!(matches!(&refused[..], [Found::Refused(_)]), "{refused:?}");
        read_back::count(&session, &[table("users")]).await
    });
    database.wait_for_a_dump();
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'ccc-backup'",
    );
    let error = runtime.block_on(counting).unwrap().unwrap_err().to_string();
    assert!(error.contains("terminating connection due to administrator command"), "{error}");
    drop(lock);
}

#[tokio::test]
async fn without_a_time_in_the_dump_no_other_zone_is_tried() {
    let session = server(unchanged_database()).connect().await.unwrap();
    let rendering = Rendering {
        encoding: "UTF8".to_owned(),
        time_zone: "UTC".to_owned(),
        bytea_output: "hex".to_owned(),
    };
    let others = rendering.alternatives(&session, &Samples::default()).await.unwrap();
    assert_eq!(others, [Rendering { bytea_output: "escape".to_owned(), ..rendering }]);
}

/// The beginning of a dump, and how it ends.
struct Ending(&'static [u8], fn() -> io::Result<usize>);

impl Read for Ending {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { (self.1)() } else { self.0.read(buffer) }
    }
}

/// Restores a dump as it is read, with this in the place of its end.
async fn loaded(end: fn() -> io::Result<usize>) -> (Result<(), LoadError>, Restored) {
    const BEGINNING: &[u8] =
        b"--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.t (a int);\n\
        COPY public.t (a) FROM stdin;\n1\n2\n";
    let (database, ledger) = (database(), Ledger::default());
    let stream = Box::new(Ending(BEGINNING, end));
    let target = server(&database);
    let ended = load(stream, &target, &ledger, &|_, _| {});
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
    (ended, ledger.close())
}

#[tokio::test]
async fn a_backup_that_ends_earlier_than_before_is_unsound_and_one_that_fails_is_not_told() {
    let (ended, restored) = loaded(|| Ok(0)).await;
    assert!(ended.is_ok(), "{ended:?}");
    let unsound = restored.unsound.unwrap().to_string();
    assert!(unsound.contains("public.t"), "{unsound}");
    let (ended, restored) = loaded(|| Err(io::Error::from_raw_os_error(5))).await;
    assert!(matches!(ended, Err(LoadError::Disk(_))), "{ended:?}");
    assert!(restored.unsound.is_none() && restored.errors.is_empty());
    let (ended, restored) = loaded(|| panic!("the thread dies, as it should")).await;
    assert!(matches!(ended, Err(LoadError::Died)), "{ended:?}");
    assert!(restored.unsound.is_none() && restored.errors.is_empty());
}
