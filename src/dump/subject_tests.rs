use super::*;

fn subject(text: &str) -> Subject {
    Statement { text: text.to_owned().into(), toc: None, line: 1, offset: 0 }.subject()
}

fn relation(name: &str) -> Relation {
    Relation { schema: "public".into(), name: name.into() }
}

#[test]
fn the_statements_of_post_data_name_their_tables() {
    let a = || relation("a");
    let cases = [
        ("CREATE INDEX i ON public.a USING btree (b);", Subject::Index(a())),
        ("CREATE UNIQUE INDEX \"on\" ON ONLY public.a USING btree (b);", Subject::Index(a())),
        (
            "ALTER TABLE ONLY public.a\n    ADD CONSTRAINT a_pkey PRIMARY KEY (id);",
            Subject::Table(a()),
        ),
        ("ALTER TABLE public.a CLUSTER ON a_pkey;", Subject::Table(a())),
        ("ALTER TABLE ONLY public.a REPLICA IDENTITY FULL;", Subject::Table(a())),
        (
            "ALTER TABLE ONLY public.a ADD CONSTRAINT f FOREIGN KEY (\")\", c) REFERENCES \
             public.\"B\"(id);",
            Subject::ForeignKey(a(), relation("B")),
        ),
        (
            "COMMENT ON INDEX public.a_pkey IS 'x';",
            Subject::Property(Object::Index, relation("a_pkey")),
        ),
        (
            "ALTER INDEX public.i ALTER COLUMN 1 SET STATISTICS 3000;",
            Subject::Property(Object::Index, relation("i")),
        ),
        (
            "ALTER STATISTICS public.s OWNER TO ccc;",
            Subject::Property(Object::Statistics, relation("s")),
        ),
        (
            "ALTER STATISTICS public.s SET STATISTICS 100;",
            Subject::Property(Object::Statistics, relation("s")),
        ),
        (
            "COMMENT ON STATISTICS public.s IS 'x';",
            Subject::Property(Object::Statistics, relation("s")),
        ),
        ("CREATE OR REPLACE VIEW public.a AS\n SELECT 1;", Subject::View(a())),
        ("CREATE VIEW public.a WITH (security_barrier='true') AS SELECT 1;", Subject::View(a())),
        ("CREATE POLICY \"on\" ON public.a FOR SELECT USING (true);", Subject::Attached(a())),
        ("ALTER TABLE public.a ENABLE ROW LEVEL SECURITY;", Subject::Attached(a())),
        ("ALTER TABLE ONLY public.a FORCE ROW LEVEL SECURITY;", Subject::Attached(a())),
        ("ALTER TABLE public.a DISABLE TRIGGER t;", Subject::Attached(a())),
        ("COMMENT ON CONSTRAINT \"on\" ON public.a IS 'x';", Subject::Table(a())),
        ("COMMENT ON TRIGGER t ON public.a IS 'x';", Subject::Table(a())),
        (
            "CREATE TRIGGER \"on\" BEFORE INSERT OR UPDATE OF b, c ON public.a FOR EACH ROW \
             WHEN ((new.b > 0)) EXECUTE FUNCTION public.f();",
            Subject::Attached(a()),
        ),
        (
            "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON public.a FROM public.b DEFERRABLE \
             FOR EACH ROW EXECUTE FUNCTION public.f();",
            Subject::Attached(a()),
        ),
        ("CREATE RULE r AS\n    ON DELETE TO public.a DO INSTEAD NOTHING;", Subject::Attached(a())),
        (
            "CREATE STATISTICS public.s (mcv) ON EXTRACT(year FROM b), c FROM public.a;",
            Subject::Attached(a()),
        ),
        (
            "ALTER INDEX public.i ATTACH PARTITION public.j;",
            Subject::IndexPart { index: relation("i"), part: relation("j") },
        ),
        ("REFRESH MATERIALIZED VIEW public.m;", Subject::Refresh(relation("m"))),
        ("SELECT pg_catalog.setval('public.s', 1, true);", Subject::Sequence(relation("s"))),
        ("SELECT setval('public.s', -5);", Subject::Sequence(relation("s"))),
    ];
    for (text, expected) in cases {
        assert_eq!(subject(text), expected, "{text}");
    }
}

#[test]
fn settings_name_what_they_set() {
    for text in [
        "SET search_path = '';",
        "SET SESSION search_path TO public;",
        "SELECT pg_catalog.set_config('search_path', '', false);",
    ] {
        assert_eq!(subject(text), Subject::Session("search_path".into()), "{text}");
    }
    for text in ["SET NAMES 'LATIN1';", "SET Client_Encoding TO latin1;"] {
        assert_eq!(subject(text), Subject::Session("client_encoding".into()), "{text}");
    }
    let zone = Subject::Session("timezone".into());
    assert_eq!(subject("SET TIME ZONE 'UTC';"), zone);
    let authorization = Subject::Session("session_authorization".into());
    assert_eq!(subject("SET SESSION AUTHORIZATION 'ccc';"), authorization);
    assert_eq!(subject("RESET SESSION AUTHORIZATION;"), authorization);
    for (text, name) in [
        ("SET app.Tenant = '5';", "app.tenant"),
        ("RESET ALL;", "all"),
        ("RESET ROLE;", "role"),
        ("SELECT set_config('app.x', 'false', false);", "app.x"),
    ] {
        assert_eq!(subject(text), Subject::Session(name.into()), "{text}");
    }
}

#[test]
fn what_is_not_recognised_runs_alone() {
    for text in [
        "ALTER TABLE public.a ADD CONSTRAINT c CHECK (b > 0) NOT VALID;",
        "ALTER TABLE public.a ADD CONSTRAINT c FOREIGN KEY (b) MATCH FULL;",
        "CREATE INDEX i ON a USING btree (b);",
        "CREATE INDEX CONCURRENTLY i ON public.a (b);",
        "CREATE TABLE public.a (id integer);",
        "COMMENT ON TABLE public.a IS 'x';",
        "COMMENT ON CONSTRAINT c ON DOMAIN public.d IS 'x';",
        "ALTER INDEX public.i RESET (fillfactor);",
        "ALTER STATISTICS public.s SET SCHEMA other;",
        "ALTER STATISTICS public.s RENAME TO t;",
        "ALTER TABLE public.a DISABLE TRIGGER t, DROP COLUMN b;",
        "CREATE OR REPLACE FUNCTION public.f() RETURNS integer LANGUAGE sql AS 'SELECT 1';",
        "CREATE OR REPLACE TRIGGER t BEFORE INSERT ON public.a EXECUTE FUNCTION public.f();",
        "CREATE TEMP VIEW v AS SELECT 1;",
        "CREATE RULE \"_RETURN\" AS ON SELECT TO public.v DO INSTEAD SELECT 1;",
        "CREATE TRIGGER t BEFORE INSERT ON a EXECUTE FUNCTION public.f();",
        "REFRESH MATERIALIZED VIEW public.m WITH NO DATA;",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY public.m;",
        "SET LOCAL search_path = '';",
        "INSERT INTO public.a VALUES (1);",
        "SELECT pg_catalog;",
        "SELECT set_config;",
        "SELECT set_config(name, setting, false) FROM pg_settings;",
        "SELECT set_config('work_mem', public.f(), false);",
        "SELECT set_config('work_mem', '1MB', true);",
        "SELECT set_config('work_mem', '1MB', false), public.f();",
        "SELECT setval('public.s', (SELECT max(id) FROM public.a));",
        "SELECT setval('public.s', public.f(), true);",
        "SELECT setval('s', 5, true);",
        "SET TRANSACTION READ ONLY;",
        "DISCARD TEMP;",
        "",
    ] {
        assert_eq!(subject(text), Subject::Other, "{text}");
    }
    assert_eq!(subject("BEGIN;"), Subject::Transaction);
    assert_eq!(subject("CREATE DATABASE ccc;"), Subject::Alone);
    for text in ["VACUUM ANALYZE;", "DISCARD ALL;", "COMMIT PREPARED 'x';"] {
        assert_eq!(subject(text), Subject::Alone, "{text}");
    }
}
