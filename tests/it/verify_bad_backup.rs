//! Bad backups fail, exit 1: each for the reason that it is bad, with nothing left behind.

use crate::support::dumps::{
    AS_CREATE_DOES, gzipped, position, rows, rows_of, trailer, with_rows, with_sql_first,
    with_sql_last,
};
use crate::support::{Outcome, Place, database, good_dump};

fn verified(name: &str, bytes: &[u8]) -> Outcome {
    Place::on_a_lent_server().verify_bytes(name, bytes)
}

#[test]
fn verify_empty_backup_file_fails() {
    let outcome = verified("a.sql", b"");
    outcome.failed("the backup file is empty (0 bytes)").hints("older backup");
}

#[test]
fn an_html_page_named_sql_fails() {
    let page = b"<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>\n";
    verified("a.sql", page).failed("it looks like an HTML page").hints("the job that wrote it");
}

#[test]
fn text_that_is_no_dump_fails() {
    let outcome = verified("a.sql", b"pg_dump: error: connection to server failed\n");
    outcome.failed("no plain dump").hints("the job that wrote it");
}

#[test]
fn sql_that_pg_dump_did_not_write_fails_where_it_is_none() {
    let outcome = verified("a.sql", b"CREATE TABEL users (id int);\nusers: 3 rows;\n");
    outcome.failed("no plain dump").hints("the job that wrote it");
    let outcome = verified("a.sql", b"CREATE TABLE users (id int);\n");
    outcome.not_verified("pg_dump").hints("--accept-foreign-sql");
}

#[test]
fn a_file_of_zeros_fails() {
    let outcome = verified("a.sql", &vec![0; 100_000]);
    outcome.failed("zero bytes").hints("the job that wrote it");
}

#[test]
fn a_dump_whose_end_is_zeros_fails() {
    let mut dump = good_dump().to_vec();
    let half = dump.len() / 2;
    dump[half..].fill(0);
    let outcome = verified("a.sql", &dump);
    assert_eq!(outcome.code, 1, "{outcome}");
}

#[test]
fn a_dump_in_utf_16_fails() {
    let text = String::from_utf8(good_dump().to_vec()).unwrap();
    let wide = text.encode_utf16().flat_map(u16::to_le_bytes);
    let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain(wide).collect();
    verified("a.sql", &bytes).failed("UTF-16").hints("the job that wrote it");
}

#[test]
fn a_gzip_file_that_is_cut_short_fails() {
    let bytes = gzipped(good_dump());
    let place = Place::on_a_lent_server();
    for kept in [bytes.len() / 2, bytes.len() - 9, bytes.len() - 1] {
        let outcome = place.verify_bytes("a.sql.gz", &bytes[..kept]);
        outcome.failed("the gzip stream is cut off").hints("older backup");
    }
}

#[test]
fn a_gzip_file_with_a_flipped_bit_fails() {
    let whole = gzipped(good_dump());
    let place = Place::on_a_lent_server();
    for at in [whole.len() / 3, whole.len() / 2, whole.len() - 6] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        let outcome = place.verify_bytes("a.sql.gz", &bytes);
        assert_eq!(outcome.code, 1, "byte {at}: {outcome}");
        outcome.hints("older backup");
    }
}

#[test]
fn a_gzip_file_with_garbage_behind_it_fails() {
    let bytes = [&gzipped(good_dump())[..], b"not gzip"].concat();
    verified("a.sql.gz", &bytes).failed("garbage follows the gzip stream").hints("older backup");
}

#[test]
fn a_dump_cut_inside_a_copy_block_fails() {
    let place = rows_of(good_dump(), "users");
    let outcome = verified("a.sql", &good_dump()[..place.start + place.len() / 2]);
    outcome.failed("the dump ends inside the data of table public.users").hints("older backup");
}

#[test]
fn a_dump_cut_at_a_row_boundary_fails() {
    let first = rows(good_dump(), "content_jobs")[0];
    let end = rows_of(good_dump(), "content_jobs").start + first.len();
    let outcome = verified("a.sql", &good_dump()[..end]);
    outcome.failed("the dump ends inside the data of table public.content_jobs");
}

#[test]
fn a_dump_cut_inside_a_statement_fails() {
    let dump = good_dump();
    let index = memchr::memmem::find(dump, b"\nCREATE INDEX ").unwrap();
    verified("a.sql", &dump[..index + 20]).failed("the dump ends inside the statement");
}

#[test]
fn a_dump_cut_between_two_statements_fails() {
    let dump = good_dump();
    let index = memchr::memmem::find(dump, b"\nCREATE INDEX ").unwrap();
    verified("a.sql", &dump[..index + 1]).failed("it is cut").hints("older backup");
}

#[test]
fn a_dump_cut_before_its_trailer_fails() {
    let outcome = verified("a.sql.gz", &gzipped(&good_dump()[..trailer(good_dump())]));
    outcome.failed("without \"PostgreSQL database dump complete\"").hints("older backup");
}

#[test]
fn verify_schema_missing_table_fails() {
    let database = database();
    database.sql("DROP TABLE content_artifacts CASCADE");
    let outcome = verified("a.sql", &database.dump(&AS_CREATE_DOES));
    outcome.failed("Content artifacts table is missing");
    outcome.says("✗ Content artifacts table is missing").says("Failed: 2");
}

#[test]
fn an_empty_alembic_version_fails() {
    let database = database();
    database.sql("DELETE FROM alembic_version");
    let outcome = verified("a.sql", &database.dump(&AS_CREATE_DOES));
    outcome.failed("alembic_version is empty");
}

#[test]
fn run_verification_query_failure_fails_with_the_servers_words() {
    let database = database();
    database.sql(
        "ALTER TABLE subscriptions RENAME TO plans;
         CREATE VIEW subscriptions AS SELECT FROM plans WHERE 1 / (id - id) > 0",
    );
    let dump = database.dump(&AS_CREATE_DOES);
    let outcome = verified("a.sql", &dump);
    outcome.failed("division by zero").says("✗ Subscriptions count >= 0: division by zero");
}

#[test]
fn restore_backup_fatal_error_names_table_line_and_cause() {
    let users = rows(good_dump(), "users");
    let twice = [users.concat(), users[0].to_vec()].concat();
    let outcome = verified("a.sql", &with_rows("users", &twice));
    outcome.failed("public.users users_pkey").hints("--log-file");
    // The statement begins on the line before, and there is a row more.
    let line = memchr::memchr_iter(b'\n', &good_dump()[..users_pkey()]).count() + 1;
    let error = outcome.stdout.lines().find(|line| line.contains("could not create unique index"));
    let error = error.unwrap_or_else(|| panic!("{outcome}"));
    assert!(error.contains(&format!("line {line}")) && error.contains("public.users"), "{error}");
}

fn users_pkey() -> usize {
    memchr::memmem::find(good_dump(), b"ADD CONSTRAINT users_pkey").unwrap()
}

#[test]
fn a_row_that_breaks_a_check_fails_and_its_line_in_the_data_is_shown() {
    let mut users = rows(good_dump(), "users").concat();
    users.extend_from_slice(b"not a number\n");
    let outcome = verified("a.sql", &with_rows("users", &users));
    outcome.failed("public.users").hints("--log-file");
    let count = rows(good_dump(), "users").len() + 1;
    assert!(outcome.stdout.contains(&format!("COPY users, line {count}")), "{outcome}");
}

#[test]
fn a_row_whose_parent_is_missing_fails() {
    let organizations = rows(good_dump(), "organizations");
    let outcome = verified("a.sql", &with_rows("organizations", &organizations[1..].concat()));
    outcome.failed("violates foreign key constraint").hints("--log-file");
}

#[test]
fn a_psql_command_in_a_dump_fails_and_is_not_run() {
    let place = Place::on_a_lent_server();
    let touched = place.dir().join("touched");
    for command in [
        format!("\\! touch {}", touched.display()),
        format!("SELECT 1 \\g |touch {}", touched.display()),
        format!("\\copy public.users TO PROGRAM 'touch {}'", touched.display()),
    ] {
        let outcome = place.verify_bytes("a.sql", &with_sql_last(&command));
        outcome.failed("psql command").hints("older backup");
        assert!(!touched.exists());
    }
}

#[test]
fn a_dump_cannot_run_programs_on_this_machine() {
    let place = Place::on_a_lent_server();
    let touched = place.dir().join("touched");
    let program = format!("COPY public.tags TO PROGRAM 'touch {}';", touched.display());
    // In the container, as its server's user, it cannot see the directory.
    let outcome = place.verify_bytes("a.sql", &with_sql_last(&program));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(!touched.exists());
}

/// Verifies where no Docker answers: what is wrong with the file itself is found all the same.
fn verified_without_docker(place: &Place, name: &str, bytes: &[u8]) -> Outcome {
    place.file(name, bytes);
    let dead = format!("unix://{}/dead.sock", place.dir().display());
    Outcome::of(
        &place.verify().args([name, "--engine=docker"]).env("DOCKER_HOST", dead).output().unwrap(),
    )
}

#[test]
fn a_bad_backup_stays_bad_where_no_docker_answers() {
    let half = &good_dump()[..good_dump().len() / 2];
    verified_without_docker(&Place::without_docker(), "a.sql", half).failed("it is cut");
}

#[test]
fn a_backup_cut_anywhere_fails() {
    let place = Place::without_docker();
    let (plain, packed) = (good_dump(), gzipped(good_dump()));
    for step in 0..40 {
        for (name, bytes, end) in
            [("a.sql", plain, trailer(plain)), ("a.sql.gz", &packed[..], packed.len() - 1)]
        {
            let cut = 1 + (end - 1) * step / 39;
            let outcome = verified_without_docker(&place, name, &bytes[..cut]);
            assert_eq!(outcome.code, 1, "{name} cut at {cut}: {outcome}");
        }
    }
}

#[test]
fn a_gzipped_backup_with_a_bit_flipped_anywhere_fails() {
    let place = Place::without_docker();
    let whole = gzipped(good_dump());
    // Behind the header's time and system, which say nothing of the content.
    for step in 0..40 {
        let at = 10 + (whole.len() - 20) * step / 39;
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (step % 8);
        let outcome = verified_without_docker(&place, "a.sql.gz", &bytes);
        assert_eq!(outcome.code, 1, "byte {at}: {outcome}");
    }
}

/// The good dump with a piece of its text in another form.
fn with_text(old: &str, new: &str) -> Vec<u8> {
    let (dump, at) = (good_dump(), position(good_dump(), old));
    [&dump[..at], new.as_bytes(), &dump[at + old.len()..]].concat()
}

#[test]
fn rows_of_a_table_that_is_not_created_fail_with_its_name() {
    let dump = with_text("CREATE TABLE public.users (", "CREATE TABLE public.others (");
    for jobs in ["1", "2"] {
        let place = Place::on_a_lent_server();
        place.file("a.sql", &dump);
        let outcome = place.outcome(place.verify().args(["a.sql", "--jobs", jobs]));
        outcome.failed("relation \"public.users\" does not exist").hints("--log-file");
    }
}

#[test]
fn rows_for_a_column_that_is_not_there_fail_with_the_name_of_the_table() {
    let dump = with_text("COPY public.tags (id, ", "COPY public.tags (number, ");
    for jobs in ["1", "2"] {
        let place = Place::on_a_lent_server();
        place.file("a.sql", &dump);
        let outcome = place.outcome(place.verify().args(["a.sql", "--jobs", jobs]));
        outcome.failed("TABLE DATA public.tags: column \"number\" of relation \"tags\" does not");
    }
}

#[test]
fn a_backup_proven_bad_stays_bad_when_the_server_goes_away_afterwards() {
    let bad = String::from_utf8(with_sql_first("SELECT nothing.at_all;")).unwrap();
    let text = "--\n-- PostgreSQL database dump complete";
    let gone = format!("SELECT pg_terminate_backend(pg_backend_pid());\n\n{text}");
    let outcome = verified("a.sql", bad.replace(text, &gone).as_bytes());
    outcome.failed("missing FROM-clause entry for table \"nothing\"");
}

/// A dump of a table of 18 MB, whose rows are for these columns; the identifier on line `bad` is none.
fn large_table(columns: &str, bad: u32) -> Vec<u8> {
    let mut dump = format!(
        "--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.big (id integer, v text);\n\n\
         COPY public.big ({columns}) FROM stdin;\n"
    );
    for row in 1..=300_000 {
        let bad = if row == bad { "x" } else { "" };
        dump += &format!("{bad}{row}\tvalue number {row}, with some text to fill the row\n");
    }
    dump += "\\.\n\n--\n-- PostgreSQL database dump complete\n--\n";
    dump.into_bytes()
}

#[test]
fn a_bad_row_of_a_large_table_is_named_by_its_number_in_the_table() {
    let dump = large_table("id, v", 290_000);
    for jobs in ["1", "4"] {
        let place = Place::on_a_lent_server();
        place.file("a.sql", &dump);
        let outcome = place.outcome(place.verify().args(["a.sql", "--jobs", jobs]));
        outcome.failed("invalid input syntax for type integer: \"x290000\"");
        outcome.says("COPY big, line 290000, column id: \"x290000\"");
    }
}

#[test]
fn a_large_table_of_which_the_server_takes_no_row_fails_with_its_words() {
    let place = Place::on_a_lent_server();
    place.file("a.sql", &large_table("id, w", 0));
    let outcome = place.outcome(place.verify().args(["a.sql", "--jobs", "4"]));
    outcome.failed("column \"w\" of relation \"big\" does not exist");
}
