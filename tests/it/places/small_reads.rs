//! One small table of a large backup in a place: a few megabytes of it are read, counted on the way.

use super::{Bucket, bulky, succeeded};
use crate::restore;
use crate::sealed::key;
use crate::support::faulty::Faulty;
use crate::support::s3::seaweed;
use crate::support::{Database, Outcome, Place};

/// Megabytes of rows that nobody asks for.
const BULK: u32 = 36;
/// What a large backup has at the least.
const LARGE: u64 = 25 << 20;
/// What is read of it at the most.
const LITTLE: u64 = 4 << 20;

/// A large backup in a bucket, and the key that opens it.
struct Large<'a> {
    place: &'a Place,
    database: &'a Database,
    bucket: &'a Bucket,
    name: &'static str,
}

impl Large<'_> {
    /// What the objects take of it.
    fn bytes(&self) -> u64 {
        let (itself, below) = (format!("p/{}", self.name), format!("p/{}/", self.name));
        let objects = self.bucket.server.objects(&self.bucket.name).into_iter();
        let its = objects.filter(|(key, _)| *key == itself || key.starts_with(&below));
        its.map(|(_, bytes)| bytes).sum()
    }

    fn url(&self) -> String {
        format!("{}/{}", self.bucket.url(), self.name)
    }

    /// The rows of a table, and the bytes that came for them.
    fn extract(&self, table: &str) -> (Outcome, u64) {
        let way = Faulty::passing(self.bucket.server.port());
        let mut command = self.place.ccc();
        command.args(["extract", &self.url(), "--table", table]).args(self.opening());
        let outcome = Outcome::of(&command.envs(self.bucket.by(&way)).output().unwrap());
        (outcome, way.bytes_down("GET"))
    }

    /// The same of `restore --table`, which brings it into a schema of its own.
    fn restore(&self, table: &str) -> (Outcome, u64) {
        let way = Faulty::passing(self.bucket.server.port());
        let args = [&self.url(), "--table", table, "--into-schema", "back"];
        let mut command = restore::command(self.place, &self.database.name, &args);
        command.args(self.opening()).envs(self.bucket.by(&way));
        let outcome = self.place.outcome(&mut command);
        let rows = format!("SELECT count(*), min(text), max(id) FROM back.{table}");
        let expected = rows.replace("back.", "public.");
        assert_eq!(self.database.sql(&rows), self.database.sql(&expected), "{outcome}");
        self.database.sql("DROP SCHEMA back CASCADE");
        (outcome, way.bytes_down("GET"))
    }

    fn opening(&self) -> &'static [&'static str] {
        if self.name.ends_with(".age") { &["--identity", "key.txt"] } else { &[] }
    }
}

/// A table was had for little of a large backup.
#[track_caller]
fn assert_little(large: &Large, (outcome, read): &(Outcome, u64)) {
    assert_eq!(outcome.code, 0, "{outcome}");
    let there = large.bytes();
    assert!(there > LARGE && *read < LITTLE, "{}: {read} of {there}: {outcome}", large.name);
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn one_small_table_of_a_large_sealed_backup_costs_a_few_megabytes() {
        let (place, database) = (Place::without_docker(), bulky("small_reads", BULK));
        let (bucket, recipient) = (Bucket::of(seaweed()), key(&place, "key.txt"));
        for (format, name) in [("plain", "a.sql.gz.age"), ("directory", "a.dir.age")] {
            let large = Large { place: &place, database: &database, bucket: &bucket, name };
            let mut create = place.create(&database);
            create.args([&large.url(), "--format", format, "--encrypt-to", &recipient]);
            succeeded(&Outcome::of(&create.envs(bucket.server.environment()).output().unwrap()));
            // One that lies before the large one, and one behind it.
            for table in ["almost", "counted"] {
                let extracted = large.extract(table);
                assert_little(&large, &extracted);
                assert_eq!(extracted.0.stdout.lines().count(), 500, "{}", extracted.0);
                assert_little(&large, &large.restore(table));
            }
        }
    }

    #[test]
    fn of_an_archive_in_the_custom_format_a_table_costs_little_where_the_archive_knows_its_place() {
        let (place, database) = (Place::without_docker(), bulky("small_reads_of_archives", BULK));
        let (bucket, recipient) = (Bucket::of(seaweed()), key(&place, "key.txt"));
        let create = |args: &[&str]| {
            let mut create = place.create(&database);
            create.args(["--format", "custom"]).args(args).envs(bucket.server.environment());
            succeeded(&Outcome::of(&create.output().unwrap()));
        };
        let large = |name| Large { place: &place, database: &database, bucket: &bucket, name };
        // Made on a disk, where pg_dump writes into the table of contents where each table begins.
        create(&["placed.dump"]);
        succeeded(&bucket.run(&place, &["copy", ".", &bucket.url(), "placed.dump"]));
        let placed = large("placed.dump");
        for table in ["almost", "counted"] {
            assert_little(&placed, &placed.extract(table));
        }
        // Streamed, where it cannot: what lies before a table is read, and what lies behind it is not.
        create(&[&format!("{}/streamed.dump", bucket.url())]);
        create(&[&format!("{}/streamed.dump", bucket.url()), "--encrypt-to", &recipient]);
        for name in ["streamed.dump", "streamed.dump.age"] {
            let streamed = large(name);
            assert_little(&streamed, &streamed.extract("almost"));
            let (behind, read) = streamed.extract("counted");
            assert_eq!((behind.code, behind.stdout.lines().count()), (0, 500), "{behind}");
            assert!(read > LARGE, "{name}: {read}");
        }
        // `restore --table` has pg_restore read the definitions, which is handed more than it takes.
        for name in ["placed.dump", "streamed.dump", "streamed.dump.age"] {
            for table in ["almost", "counted"] {
                let (restored, read) = large(name).restore(table);
                assert_eq!(restored.code, 0, "{restored}");
                let is_behind = name != "placed.dump" && table == "counted";
                assert!(!is_behind || read > LARGE, "{name}: {read}");
            }
        }
    }
}
