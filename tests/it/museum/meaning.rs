//! Breakages of what a backup means: every byte may be as pg_dump wrote it, and the application
//! could not go on with it all the same.

use super::broken::{Breakage, Broken, Class, text as broken};
use super::dump::{Dump, good};
use crate::support::dumps::AS_CREATE_DOES;
use crate::support::{Database, database, unchanged_database};

/// Adds these breakages.
pub fn collect(museum: &mut Vec<Broken>) {
    revision(museum);
    sequences(museum);
    other_dumps(museum);
    needs(museum);
    large_objects(museum);
    inserted(museum);
}

fn meaning<'a>(museum: &'a mut Vec<Broken>, breakage: &'static str, dump: &Dump) -> Breakage<'a> {
    broken(museum, Class::Meaning, breakage, dump)
}

fn as_create_does(database: &Database, more: &[&str]) -> Dump {
    Dump::of(database.dump(&[&AS_CREATE_DOES[..], more].concat()))
}

fn revision(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let other = dump.change_value(("alembic_version", 0, 0), |_| "e10b6a53d8f4".to_owned());
    meaning(museum, "another Alembic revision", &other).made_to_fit(
        "Migration version does not match the manifest: expected 0607bc5b8541, found e10b6a53d8f4",
    );
    meaning(museum, "no row in alembic_version", &dump.change_rows("alembic_version", Vec::clear))
        .alone("alembic_version is empty")
        .made_to_fit("alembic_version is empty");
    let two = dump.change_rows("alembic_version", |rows| rows.push("e10b6a53d8f4".to_owned()));
    meaning(museum, "a second Alembic revision", &two)
        .made_to_fit("Migration version does not match the manifest");
    let without = dump
        .without_entry("TABLE", "alembic_version")
        .without_entry("TABLE DATA", "alembic_version")
        .without_entry("CONSTRAINT", "alembic_version alembic_version_pkc");
    meaning(museum, "no alembic_version", &without)
        .alone("Alembic version table is missing")
        .made_to_fit("public.alembic_version: in the manifest, not in the dump");
}

fn sequences(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    for (breakage, from, to, said) in [
        (
            "a sequence behind its column",
            "users_id_seq', 22, true",
            "users_id_seq', 2, true",
            "public.users_id_seq: the next value is 3, and public.users.id has reached 22",
        ),
        (
            "a sequence not called",
            "users_id_seq', 22, true",
            "users_id_seq', 22, false",
            "public.users_id_seq: the next value is 22, and public.users.id has reached 22",
        ),
        (
            "an identity behind its column",
            "subscriptions_id_seq', 1015,",
            "subscriptions_id_seq', 1000,",
            "public.subscriptions_id_seq: the next value is 1005",
        ),
        (
            "a sequence that counts down behind its column",
            "awkward_values_id_seq', -70,",
            "awkward_values_id_seq', -10,",
            "public.awkward_values_id_seq: the next value is",
        ),
        (
            "a sequence of partitions behind its column",
            "usage_events_id_seq', 100,",
            "usage_events_id_seq', 50,",
            "public.usage_events_id_seq: the next value is 51",
        ),
    ] {
        meaning(museum, breakage, &dump.replace(from, to))
            .alone(said)
            .made_to_fit("Sequences do not match the backup");
    }
    let restarted = dump.with_last("ALTER SEQUENCE public.tags_id_seq RESTART;");
    meaning(museum, "a sequence restarted after its setval", &restarted)
        .alone("public.tags_id_seq: expected 8 (called) by the dump, found 1 (not called)");
}

fn other_dumps(museum: &mut Vec<Broken>) {
    let database = unchanged_database();
    meaning(museum, "a dump of the schema alone", &as_create_does(database, &["--schema-only"]))
        .alone("rows of no table")
        .made_to_fit("in the manifest, not in the dump");
    meaning(museum, "a dump of the rows alone", &Dump::of(database.dump(&["--data-only"])))
        .alone("does not exist");
    meaning(museum, "a dump of one table", &as_create_does(database, &["--table=tags"]))
        .alone("does not exist");
    meaning(
        museum,
        "a dump without one of the application's tables",
        &as_create_does(database, &["--exclude-table=subscriptions"]),
    )
    .alone("does not exist");
    meaning(
        museum,
        "a dump without the rows of a table",
        &as_create_does(database, &["--exclude-table-data=users"]),
    )
    .alone("violates foreign key constraint");
    meaning(museum, "a dump of another database", &Dump::of(source_dump("postgres")))
        .alone("nothing is in it")
        .made_to_fit("nothing is in it");
    let renamed = self::database();
    renamed.sql("ALTER TABLE content_jobs RENAME TO content_tasks");
    meaning(museum, "a table of the application renamed", &as_create_does(&renamed, &[]))
        .alone("Content jobs table is missing");
}

fn source_dump(name: &str) -> Vec<u8> {
    Database { name: name.to_owned() }.dump(&AS_CREATE_DOES)
}

fn needs(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let table = "CREATE TABLE public.typed (id public.nobodys);";
    meaning(museum, "a type that nobody makes", &dump.with_first(table))
        .alone("type \"public.nobodys\" does not exist");
    let parameter = "SET custom_typo_of_search_path = '';";
    meaning(museum, "a parameter that no version has", &dump.with_first(parameter))
        .alone("unrecognized configuration parameter \"custom_typo_of_search_path\"");
    meaning(
        museum,
        "a drop that --clean does not write",
        &dump.with_last("DROP TABLE public.typo;"),
    )
    .alone("table \"typo\" does not exist");
}

fn inserted(museum: &mut Vec<Broken>) {
    let dump = Dump::of(unchanged_database().dump(&["--inserts"]));
    let updated = dump.with_last("UPDATE public.comments SET body = upper(body) WHERE id = 60;");
    meaning(museum, "a value changed after the rows were inserted", &updated)
        .alone("public.comments: restored values differ from the dump");
    let deleted = dump.with_last("DELETE FROM public.comments WHERE id = 60;");
    meaning(museum, "a row deleted after the rows were inserted", &deleted)
        .alone("public.comments: expected 60 rows, found 59");
}

fn large_objects(museum: &mut Vec<Broken>) {
    let database = database();
    database.sql("SELECT lo_from_bytea(90001, 'one'), lo_from_bytea(90002, 'two')");
    let dump = Dump::of(database.dump(&AS_CREATE_DOES));
    let made = "SELECT pg_catalog.lo_create('90002');\n";
    meaning(museum, "a large object not made", &dump.replace(made, ""))
        .alone("announces BLOB 90002, and nothing of it follows");
    let changed = "DO $$ BEGIN PERFORM pg_catalog.lo_put(90001, 1, 'N'); END $$;";
    meaning(
        museum,
        "a byte of a large object changed after it was written",
        &dump.with_last(changed),
    )
    .alone("Contents of large objects do not match the backup: 6 bytes in the dump, found 6");
    let cut =
        "DO $$ BEGIN PERFORM pg_catalog.lo_truncate(pg_catalog.lo_open(90002, 131072), 2); END $$;";
    meaning(museum, "a large object cut after it was written", &dump.with_last(cut))
        .alone("Contents of large objects do not match the backup: 6 bytes in the dump, found 5");
    let unlinked = dump.with_last("SELECT pg_catalog.lo_unlink(90001);");
    meaning(museum, "a large object removed after it was made", &unlinked)
        .alone("Large objects do not match the backup: expected 2, 2 in the dump, found 1");
}
