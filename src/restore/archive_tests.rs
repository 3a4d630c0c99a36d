use std::collections::BTreeMap;

use super::*;
use crate::restore::Restored;
use crate::restore::tolerate::Rule;

fn judged(exit: i64, said: &str) -> Judged {
    judged_by(1, exit, said).0
}

fn judged_by(jobs: usize, exit: i64, said: &str) -> (Judged, Restored) {
    let mut restoring = Restoring::by(jobs);
    said.lines().for_each(|line| restoring.line(line));
    let (restored, judged) = restoring.judge(exit);
    (judged, restored)
}

fn restored(exit: i64, said: &str) -> Restored {
    let (judged, restored) = judged_by(1, exit, said);
    assert_eq!(judged, Judged::Clear);
    restored
}

const OWNER: &str = "\
pg_restore: from TOC entry 215; 1259 16389 TABLE users ccc
pg_restore: error: could not execute query: ERROR:  role \"ccc\" does not exist
Command was: ALTER TABLE public.users OWNER TO ccc;


";
const TABLE: &str = "\
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 252; 1259 16830 MATERIALIZED VIEW monthly totals postgres
pg_restore: error: could not execute query: ERROR:  column u.id does not exist
LINE 9:      JOIN public.users u ON ((u.id = j.created_by)));
                                      ^
HINT:  Perhaps you meant to reference the column \"j.id\".
Command was: CREATE VIEW public.v AS
 SELECT j.id;


";
const COPY: &str = "\
pg_restore: error: COPY failed for table \"users\": ERROR:  duplicate key value violates unique constraint \"users_pkey\"
DETAIL:  Key (id)=(1) already exists.
CONTEXT:  COPY users, line 2
";

const ONE: &str = "pg_restore: warning: errors ignored on restore: 1\n";

#[test]
fn a_restore_without_a_word_is_good() {
    let restored = restored(0, "pg_restore: creating TABLE \"public.users\"\n");
    assert!(restored.errors.is_empty() && restored.tolerated.is_empty());
}

#[test]
fn harmless_errors_are_counted_by_their_rule() {
    let said = [OWNER, OWNER, "pg_restore: warning: errors ignored on restore: 2\n"].concat();
    let restored = restored(1, &said);
    assert_eq!(restored.tolerated, BTreeMap::from([(Rule::RoleAbsent, 2)]));
    assert!(restored.errors.is_empty());
}

#[test]
fn an_error_is_told_with_its_entry_message_detail_and_statement() {
    let said = [OWNER, TABLE, COPY, "pg_restore: warning: errors ignored on restore: 3"].concat();
    let restored = restored(1, &said);
    let said: Vec<String> = restored.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "entry 252, MATERIALIZED VIEW monthly totals: column u.id does not exist (SQLSTATE 42703)\n  \
             CREATE VIEW public.v AS",
            "entry 252, MATERIALIZED VIEW monthly totals: duplicate key value violates unique \
             constraint \"users_pkey\"\n  COPY failed for table \"users\"\n  Key (id)=(1) already \
             exists.\n  COPY users, line 2",
        ]
    );
}

#[test]
fn what_follows_an_error_on_lines_of_its_own_is_told_with_it() {
    let said = "pg_restore: error: COPY failed for table \"users\": ERROR:  some rows\nare bad\n\
                pg_restore: detail: DETAIL:  One.\nTwo.\n";
    let restored = restored(1, &[said, ONE].concat());
    let error = &restored.errors[0].error;
    assert_eq!(error.message, "some rows\nare bad");
    assert_eq!(error.detail.as_deref(), Some("One.\nTwo."));
}

#[test]
fn an_error_that_is_not_about_a_statement_is_pg_restores_own() {
    let said =
        "pg_restore: error: something else\nquotes the log: ERROR:  role \"ccc\" does not exist";
    let restored = restored(1, said);
    assert!(restored.tolerated.is_empty());
    assert!(restored.errors[0].to_string().starts_with("pg_restore: something else"));
}

#[test]
fn the_code_that_pg_restore_does_not_print_is_told_from_the_message() {
    let code = |message: &str| {
        let said = TABLE.replace("column u.id does not exist", message);
        let restored = restored(1, &[&said, ONE].concat());
        let lacking = restored.lacking.iter().map(|lacking| &lacking.failure);
        let refused = restored.errors.iter().chain(lacking).next().unwrap();
        refused.error.code.clone()
    };
    for (message, expected) in [
        ("role \"ccc\" does not exist", "42704"),
        ("unrecognized configuration parameter \"x\"", "42704"),
        ("schema \"shop\" already exists", "42P06"),
        ("unrecognized parameter \"fillfaktor\"", "22023"),
        ("extension \"vector\" is not available", "0A000"),
        ("could not open extension control file \"vector.control\": No such file", "58P01"),
        ("permission denied for schema public", "42501"),
        ("must be owner of table t", "42501"),
        ("relation \"users\" already exists", ""),
        ("schema \"shop\" does not exist", "3F000"),
        ("operator does not exist: integer + text", "42883"),
        ("type \"shop.tier\" does not exist", "42704"),
        ("could not access file \"anon\": No such file or directory", "58P01"),
        ("hypopg must be loaded via shared_preload_libraries", "55000"),
        ("invalid input syntax for type integer: \"does not exist\"", ""),
    ] {
        assert_eq!(code(message), expected, "{message}");
    }
}

#[test]
fn errors_that_do_not_add_up_are_not_taken_for_known() {
    let count = |count| format!("pg_restore: warning: errors ignored on restore: {count}\n");
    let mixed = OWNER.replace("pg_restore: error: ", "pg_restore: pg_restore: error: ");
    for said in [OWNER.to_owned() + &count(2), mixed + &count(1), OWNER.to_owned()] {
        assert!(matches!(judged(1, &said), Judged::Unclear(_)), "{said}");
    }
    assert!(matches!(judged(1, ""), Judged::Unclear(_)));
    assert!(matches!(judged(3, ""), Judged::Unclear(_)));
    assert!(matches!(judged(0, TABLE), Judged::Unclear(_)));
}

#[test]
fn what_workers_count_is_not_exact_but_a_torn_message_shows() {
    let count = "pg_restore: warning: errors ignored on restore: 3\n";
    let whole = [OWNER, OWNER, count].concat();
    let (judged, restored) = judged_by(2, 1, &whole);
    assert!(judged == Judged::Clear && restored.errors.is_empty());
    let start = "pg_restore: error: could not execute query: ERROR:  ";
    let torn = whole.replacen(start, &format!("pg_restore: {start}"), 1);
    let (Judged::Unclear(why), _) = judged_by(2, 1, &torn) else { panic!("clear") };
    assert!(why.contains("; among them: role \""), "{why}");
    let mixed = [OWNER, &OWNER.replace("pg_restore: error: ", "error: "), count].concat();
    assert!(matches!(judged_by(2, 1, &mixed).0, Judged::Unclear(_)));
}

#[test]
fn an_error_of_pg_restore_itself_is_a_failure() {
    let said = "pg_restore: error: could not read from input file: end of file\n";
    let restored = restored(1, said);
    let first = restored.errors[0].to_string();
    assert_eq!(first, "pg_restore: could not read from input file: end of file");
}

#[test]
fn a_server_in_trouble_says_nothing_of_the_archive() {
    for message in [
        "could not extend file \"base/16384/16500\": No space left on device",
        "out of shared memory",
        "terminating connection due to administrator command",
    ] {
        let said = TABLE.replace("column u.id does not exist", message);
        assert!(matches!(judged(1, &said), Judged::Trouble(_)), "{message}");
    }
    let lost = "pg_restore: error: connection to server on socket \"/tmp/.s.PGSQL.5432\" failed\n";
    assert!(matches!(judged(1, lost), Judged::Trouble(_)));
    assert!(matches!(judged(137, ""), Judged::Trouble(_)));
    assert!(matches!(judged(127, ""), Judged::Trouble(_)));
}

#[test]
fn the_words_of_a_server_in_trouble_in_a_row_are_a_bad_row() {
    for words in ["connection to server lost", "No space left on device", "out of memory"] {
        let said = format!(
            "pg_restore: error: COPY failed for table \"users\": ERROR:  invalid input syntax for \
             type integer: \"{words}\"\nDETAIL:  {words}\nCONTEXT:  COPY users, line 2, column id: \
             \"{words}\"\n{ONE}"
        );
        assert_eq!(restored(1, &said).errors.len(), 1, "{words}");
    }
}

#[test]
fn what_was_refused_before_the_trouble_is_proof_and_what_follows_it_is_not() {
    let full = TABLE.replace("column u.id does not exist", "out of shared memory");
    let (judged, restored) = judged_by(1, 1, &[COPY, &full, TABLE].concat());
    assert!(matches!(judged, Judged::Trouble(_)));
    assert_eq!(restored.errors.len(), 1);
    assert!(restored.errors[0].error.message.starts_with("duplicate key"));
    // Also of a restore that never ended.
    let mut restoring = Restoring::by(1);
    [COPY, TABLE].concat().lines().for_each(|line| restoring.line(line));
    assert_eq!(restoring.so_far().errors.len(), 2);
}

#[test]
fn an_archive_that_cannot_be_decoded_is_bad_unless_another_pg_restore_could() {
    let decoded = |exit, line: &str| judge_decoding(exit, &[line.to_owned()]);
    assert_eq!(decoded(0, ""), Ok(()));
    let cut = "pg_restore: error: could not read from input file: end of file";
    let said = "pg_restore cannot read the archive: could not read from input file: end of file";
    assert_eq!(decoded(1, cut), Err(Undecoded::Bad(said.to_owned())));
    assert!(matches!(decoded(139, ""), Err(Undecoded::Bad(_))));
    let newer = "pg_restore: error: unsupported version (1.16) in file header";
    assert!(matches!(decoded(1, newer), Err(Undecoded::OtherReader(_))));
    let packed = "pg_restore: warning: archive is compressed, but this installation does not \
                  support compression -- no data will be available";
    assert!(matches!(decoded(0, packed), Err(Undecoded::OtherReader(_))));
    let full = "pg_restore: error: could not write: No space left on device";
    assert!(matches!(decoded(1, full), Err(Undecoded::Trouble(_))));
    assert!(matches!(decoded(137, ""), Err(Undecoded::Trouble(_))));
}
