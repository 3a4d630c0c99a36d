-- The second data set: what the first has little of. A partitioned table, wide rows, documents and texts, and indexes of the
-- kinds GIN and GiST and on expressions. Computed from row numbers: two databases of one scale dump to the same bytes.
--
--   psql -v scale=N -f indexed.sql      1 is a plain dump of about 300 MB

\set ON_ERROR_STOP on
SET timezone = 'UTC';
SET max_parallel_workers_per_gather = 0;
SET synchronous_commit = off;

SELECT greatest(200, round(400000 * :scale))::int AS events,
       greatest(100, round(100000 * :scale))::int AS documents,
       greatest(100, round(80000 * :scale))::int AS texts,
       greatest(20, round(20000 * :scale))::int AS wide
\gset

CREATE TABLE accounts (id int PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO accounts SELECT i, 'account ' || i FROM generate_series(1, 2000) i;

-- A table of months, with a foreign key of each.
CREATE TABLE events (
    id bigint NOT NULL, account int NOT NULL REFERENCES accounts, at timestamptz NOT NULL, kind text NOT NULL, amount numeric,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
SELECT format('CREATE TABLE events_%s PARTITION OF events FOR VALUES FROM (%L) TO (%L)', month, month_begins,
              month_begins + interval '1 month')
FROM generate_series(1, 6) month, LATERAL (SELECT timestamptz '2025-01-01' + (month - 1) * interval '1 month') b (month_begins)
\gexec
INSERT INTO events
SELECT i, 1 + i::bigint * 7919 % 2000, timestamptz '2025-01-01' + (i::bigint * 15000000 / :events) * interval '1 s',
       (ARRAY['view', 'click', 'order', 'refund'])[1 + i % 4], (i::bigint * 7919 % 100000)::numeric / 100
FROM generate_series(1, :events) i;
CREATE INDEX ON events (account, at);
CREATE INDEX ON events (date_trunc('day', at AT TIME ZONE 'UTC')) WHERE kind = 'order';
CREATE INDEX ON events USING brin (at);

CREATE TABLE documents (id int PRIMARY KEY, account int NOT NULL REFERENCES accounts, doc jsonb NOT NULL);
INSERT INTO documents
SELECT i, 1 + i::bigint * 31 % 2000, jsonb_build_object('id', i, 'name', md5(i::text), 'tags', jsonb_build_array('a' || i % 50,
       'b' || i % 300), 'n', i::bigint * 7919 % 1000, 'deep', jsonb_build_object('x', i % 10, 'y', md5((i % 1000)::text)))
FROM generate_series(1, :documents) i;
CREATE INDEX ON documents USING gin (doc);
CREATE INDEX ON documents USING gin (doc jsonb_path_ops);
CREATE INDEX ON documents ((doc ->> 'name'));
CREATE INDEX ON documents (account);

CREATE TABLE texts (
    id int PRIMARY KEY, title text NOT NULL, body text NOT NULL, words tsvector GENERATED ALWAYS AS
    (to_tsvector('simple', body)) STORED, span int4range NOT NULL, place point NOT NULL
);
INSERT INTO texts (id, title, body, span, place)
SELECT i, 'Title ' || md5(i::text), b.body, int4range(i % 1000, i % 1000 + 1 + i % 50), point(i % 1000, i::bigint * 7919 % 1000)
FROM generate_series(1, :texts) i, LATERAL (SELECT string_agg((ARRAY['autumn', 'launch', 'budget', 'travel', 'kitchen',
     'garden', 'coffee'])[1 + i % 7 * k % 7] || (i::bigint * k % 997)::text, ' ') FROM generate_series(1, 30) k) b (body);
CREATE INDEX ON texts USING gin (words);
CREATE INDEX ON texts USING gist (span);
CREATE INDEX ON texts USING gist (place);
CREATE INDEX ON texts (lower(title));
CREATE INDEX ON texts (md5(body));

-- Values that are stored out of line.
CREATE TABLE wide (id int PRIMARY KEY, account int NOT NULL REFERENCES accounts, payload text NOT NULL, raw bytea NOT NULL);
INSERT INTO wide
SELECT i, 1 + i % 2000, p.hashes, decode(p.hashes, 'hex')
FROM generate_series(1, :wide) i,
     LATERAL (SELECT string_agg(md5((i * 100 + k)::text), '') FROM generate_series(1, 100) k) p (hashes);
CREATE INDEX ON wide USING hash (payload);
