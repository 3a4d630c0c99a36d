//! Breakages of statements: lost, altered, added. A lost one can be told by the comment that
//! pg_dump wrote above it, or by what needed it; an altered one that still runs by the manifest.

use super::broken::{Breakage, Broken, Class, text as broken};
use super::dump::{Dump, good};

/// Adds these breakages.
pub fn collect(museum: &mut Vec<Broken>) {
    lost_below_their_comment(museum);
    lost_with_their_comment(museum);
    altered(museum);
    not_run(museum);
    added(museum);
}

fn statement<'a>(museum: &'a mut Vec<Broken>, breakage: &'static str, dump: &Dump) -> Breakage<'a> {
    broken(museum, Class::Statements, breakage, dump)
}

fn lost_below_their_comment(museum: &mut Vec<Broken>) {
    for (breakage, kind, name, said) in [
        ("a table lost", "TABLE", "webhook_deliveries", "TABLE public.webhook_deliveries"),
        ("an index lost", "INDEX", "ix_users_roles", "INDEX public.ix_users_roles"),
        (
            "a primary key lost",
            "CONSTRAINT",
            "comments comments_pkey",
            "CONSTRAINT public.comments comments_pkey",
        ),
        (
            "a unique constraint lost",
            "CONSTRAINT",
            "campaigns uq_campaigns_name",
            "CONSTRAINT public.campaigns uq_campaigns_name",
        ),
        (
            "a foreign key lost",
            "FK CONSTRAINT",
            "users fk_users_organization",
            "FK CONSTRAINT public.users fk_users_organization",
        ),
        ("a function lost", "FUNCTION", "tag_key(text)", "FUNCTION public.tag_key(text)"),
        (
            "a trigger lost",
            "TRIGGER",
            "content_jobs content_jobs_search",
            "TRIGGER public.content_jobs content_jobs_search",
        ),
        ("a view lost", "VIEW", "content_overview", "VIEW public.content_overview"),
        (
            "the definition of a view lost that was made in two steps",
            "RULE",
            "organization_totals _RETURN",
            "RULE public.organization_totals _RETURN",
        ),
        ("a type lost", "TYPE", "job_status", "TYPE public.job_status"),
        ("a domain lost", "DOMAIN", "slug", "DOMAIN public.slug"),
        ("a sequence lost", "SEQUENCE", "users_id_seq", "SEQUENCE public.users_id_seq"),
        ("a column's default lost", "DEFAULT", "users id", "DEFAULT public.users id"),
        (
            "a partition not attached",
            "TABLE ATTACH",
            "usage_events_2025q2",
            "TABLE ATTACH public.usage_events_2025q2",
        ),
        (
            "an index not attached",
            "INDEX ATTACH",
            "usage_events_2025q2_pkey",
            "INDEX ATTACH public.usage_events_2025q2_pkey",
        ),
        ("a setval lost", "SEQUENCE SET", "users_id_seq", "SEQUENCE SET public.users_id_seq"),
        (
            "a materialized view lost",
            "MATERIALIZED VIEW",
            "organization_activity",
            "MATERIALIZED VIEW analytics.organization_activity",
        ),
        (
            "a REFRESH lost",
            "MATERIALIZED VIEW DATA",
            "organization_activity",
            "MATERIALIZED VIEW DATA analytics.organization_activity",
        ),
    ] {
        statement(museum, breakage, &good().dump.without_statement(kind, name)).alone(said);
    }
}

fn lost_with_their_comment(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let fit = "Statements do not match the manifest: ";
    // What needs them is still there and fails.
    for (breakage, kind, name, said) in [
        (
            "a table lost with its comment",
            "TABLE",
            "api_keys",
            "relation \"public.api_keys\" does not exist",
        ),
        (
            "a primary key lost with its comment",
            "CONSTRAINT",
            "users users_pkey",
            "there is no unique constraint matching given keys",
        ),
        (
            "a function lost with its comment",
            "FUNCTION",
            "content_jobs_search()",
            "function public.content_jobs_search() does not exist",
        ),
        (
            "a type lost with its comment",
            "TYPE",
            "plan_tier",
            "type \"public.plan_tier\" does not exist",
        ),
        ("a schema lost", "SCHEMA", "analytics", "schema \"analytics\" does not exist"),
        (
            "a sequence lost with its comment",
            "SEQUENCE",
            "tags_id_seq",
            "relation \"public.tags_id_seq\" does not exist",
        ),
        (
            "a setval lost with its comment",
            "SEQUENCE SET",
            "invoices_id_seq",
            "sequences are behind: public.invoices_id_seq: the next value is 1",
        ),
        (
            "a materialized view lost with its comment",
            "MATERIALIZED VIEW",
            "organization_activity",
            "does not exist",
        ),
    ] {
        statement(museum, breakage, &dump.without_entry(kind, name)).alone(said).made_to_fit(fit);
    }
    // Nothing needs them: only the manifest can tell.
    for (breakage, kind, name, said) in [
        (
            "an index lost with its comment",
            "INDEX",
            "ix_users_roles",
            "INDEX: expected 41, found 40",
        ),
        (
            "a unique index lost with its comment",
            "INDEX",
            "uq_users_lower_email",
            "INDEX: expected 41, found 40",
        ),
        (
            "a foreign key lost with its comment",
            "FK CONSTRAINT",
            "users fk_users_organization",
            "FK CONSTRAINT: expected 27, found 26",
        ),
        (
            "a trigger lost with its comment",
            "TRIGGER",
            "content_jobs content_jobs_search",
            "TRIGGER: expected 1, found 0",
        ),
        ("a view lost with its comment", "VIEW", "content_overview", "VIEW: expected 2, found 1"),
        ("a default lost with its comment", "DEFAULT", "users id", "DEFAULT: expected 8, found 7"),
        (
            "a partition not attached, its comment lost",
            "TABLE ATTACH",
            "usage_events_2025q2",
            "TABLE ATTACH: expected 5, found 4",
        ),
        (
            "an index not attached, its comment lost",
            "INDEX ATTACH",
            "usage_events_2025q2_pkey",
            "1 object is not as sound as in the source, the first: index public.usage_events_pkey",
        ),
        (
            "a REFRESH lost with its comment",
            "MATERIALIZED VIEW DATA",
            "organization_activity",
            "1 object is not as sound as in the source, the first: materialized view analytics.organization_activity",
        ),
        (
            "extended statistics lost",
            "STATISTICS",
            "st_artifacts",
            "STATISTICS: expected 1, found 0",
        ),
        (
            "a comment in the database lost",
            "COMMENT",
            "COLUMN users.email",
            "COMMENT: expected 3, found 2",
        ),
        (
            "the setval of an empty table lost",
            "SEQUENCE SET",
            "webhook_deliveries_id_seq",
            "public.webhook_deliveries_id_seq: expected 1 (not called) by the manifest, found none",
        ),
    ] {
        statement(museum, breakage, &dump.without_entry(kind, name)).made_to_fit(said);
    }
}

fn altered(museum: &mut Vec<Broken>) {
    let not_what_was_written = |kind: &str| -> &'static str {
        format!("Statements do not match the manifest: {kind}: not what was written").leak()
    };
    for (breakage, kind, name, from, to) in [
        ("a function's body altered", "FUNCTION", "content_jobs_search()", "'B'", "'C'"),
        ("an index on another column", "INDEX", "ix_jobs_creator", "(created_by)", "(campaign_id)"),
        ("a partial index on other rows", "INDEX", "ix_jobs_queue", "'running'", "'failed'"),
        ("a unique index not unique any more", "INDEX", "uq_tags_key", "UNIQUE ", ""),
        (
            "a check altered",
            "TABLE",
            "content_artifacts",
            "(quality <= (1)::numeric)",
            "(quality <= (9)::numeric)",
        ),
        ("a NOT NULL lost", "TABLE", "users", "email text NOT NULL", "email text"),
        (
            "a column's type altered",
            "TABLE",
            "users",
            "character varying(80)",
            "character varying(90)",
        ),
        ("a column's default altered", "TABLE", "users", "DEFAULT true", "DEFAULT false"),
        (
            "ON DELETE altered",
            "FK CONSTRAINT",
            "users fk_users_organization",
            "ON DELETE CASCADE",
            "ON DELETE SET NULL",
        ),
        (
            "a view altered",
            "VIEW",
            "content_overview",
            "o.name AS organization",
            "o.slug AS organization",
        ),
        (
            "a sequence's step altered",
            "SEQUENCE",
            "subscriptions_id_seq",
            "INCREMENT BY 5",
            "INCREMENT BY 1",
        ),
        (
            "a trigger for other events",
            "TRIGGER",
            "content_jobs content_jobs_search",
            "INSERT OR UPDATE",
            "UPDATE",
        ),
        (
            "a foreign key declared NOT VALID",
            "FK CONSTRAINT",
            "users fk_users_organization",
            "ON DELETE CASCADE",
            "ON DELETE CASCADE NOT VALID",
        ),
        (
            "a comment in the database altered",
            "COMMENT",
            "COLUMN users.email",
            "As typed",
            "As read",
        ),
    ] {
        let altered = good().dump.altered(kind, name, from, to);
        statement(museum, breakage, &altered).made_to_fit(not_what_was_written(kind));
    }
    let dump = &good().dump;
    statement(
        museum,
        "a setval of another value",
        &dump.replace("users_id_seq', 22,", "users_id_seq', 2200,"),
    )
    .made_to_fit("public.users_id_seq: expected 22 (called) by the manifest, found 2200 (called)");
}

fn not_run(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    for (breakage, kind, name, from, to, said) in [
        (
            "a keyword misspelled",
            "INDEX",
            "ix_users_roles",
            "CREATE INDEX",
            "CREATE INDEY",
            "INDEX public.ix_users_roles: syntax error",
        ),
        (
            "an index on a column that is not there",
            "INDEX",
            "ix_users_roles",
            "(roles)",
            "(rolez)",
            "column \"rolez\" does not exist",
        ),
        (
            "a type that is not there",
            "TABLE",
            "users",
            "inet",
            "inot",
            "TABLE public.users: type \"inot\" does not exist",
        ),
        (
            "a parenthesis lost",
            "TABLE",
            "users",
            "\n);",
            "\n;",
            "psql command inside the statement that begins",
        ),
        ("a semicolon lost", "TABLE ATTACH", "usage_events_2025q1", ";", "", "syntax error"),
        (
            "a setval of a sequence that is not there",
            "SEQUENCE SET",
            "users_id_seq",
            "users_id_seq",
            "users_ix_seq",
            "relation \"public.users_ix_seq\" does not exist",
        ),
        (
            "a key on columns that are not unique",
            "CONSTRAINT",
            "users users_pkey",
            "(id)",
            "(organization_id)",
            "could not create unique index \"users_pkey\"",
        ),
    ] {
        statement(museum, breakage, &dump.altered(kind, name, from, to)).alone(said);
    }
    let quote = dump.at("COMMENT ON COLUMN public.users.email IS '") + 40;
    statement(museum, "a quote lost", &dump.with(quote..quote + 1, "")).alone_one_of(&[
        "restore error",
        "the dump ends",
        "psql command",
        "has lost a statement",
    ]);
    let open = dump.altered("FUNCTION", "content_jobs_search()", "$_$;", ";");
    statement(museum, "the end of a function's body lost", &open)
        .alone_one_of(&["the dump ends inside quotes", "psql command inside the statement"]);
    let order = dump.without_entry("TYPE", "plan_tier");
    let moved = dump.bytes()[dump.statement("TYPE", "plan_tier")].to_vec();
    let text = String::from_utf8(moved).unwrap();
    statement(museum, "a statement moved behind what needs it", &order.with_last(text.trim()))
        .alone("type \"public.plan_tier\" does not exist");
}

fn added(museum: &mut Vec<Broken>) {
    let dump = &good().dump;
    let rows = "Rows do not match the backup: ";
    statement(
        museum,
        "a DELETE after the rows",
        &dump.with_last("DELETE FROM public.comments WHERE id = 60;"),
    )
    .alone("public.comments: expected 60 rows, found 59")
    .made_to_fit(rows);
    statement(
        museum,
        "a TRUNCATE after the rows",
        &dump.with_last("TRUNCATE public.artifact_tags;"),
    )
    .alone("public.artifact_tags: expected 100 rows, found 0");
    statement(
        museum,
        "an UPDATE after the rows",
        &dump.with_last("UPDATE public.comments SET body = upper(body) WHERE id = 60;"),
    )
    .alone("public.comments: restored values differ from the dump");
    statement(
        museum,
        "an INSERT after the rows",
        &dump.with_last("INSERT INTO public.blocked_phrases VALUES ('x');"),
    )
    .alone("public.blocked_phrases: expected 22 rows, found 23");
    statement(
        museum,
        "a DROP TABLE after the rows",
        &dump.with_last("DROP TABLE public.webhook_deliveries;"),
    )
    .alone("public.webhook_deliveries: cannot be read");
    statement(
        museum,
        "a setval too many",
        &dump.with_last("SELECT setval('public.users_id_seq', 500);"),
    )
    .alone("public.users_id_seq: expected 22 (called) by the dump, found 500 (called)")
    .made_to_fit("Statements do not match the manifest");
    statement(
        museum,
        "a DROP INDEX too many",
        &dump.with_last("DROP INDEX public.ix_users_roles;"),
    )
    .made_to_fit("Statements do not match the manifest");
    statement(
        museum,
        "a table too many",
        &dump.with_last("CREATE TABLE public.more (id integer);"),
    )
    .made_to_fit("Statements do not match the manifest");
}
