//! Whatever happens to the machine, the network, the engine, the disk or the backup: the tool does
//! not lie, loses no backup and leaves nothing behind. `docs/reliability.md` lists every fault with
//! the test that shows what becomes of it.

mod changes;
mod clock;
mod disk;
mod engine;
mod environment;
mod kills;
mod network;
mod server;
mod signals;
mod slow;
mod source;
mod tools;
mod ways;

use crate::support::Place;
use crate::support::docker::docker_text;
use crate::support::dumps::with_sql_first;

/// What a dump waits for by itself before anything of it is restored: [`release`].
const WAIT: &str = "DO $$ BEGIN
    WHILE (pg_catalog.pg_stat_file('/tmp/go', true)).size IS NULL LOOP
        PERFORM pg_catalog.pg_sleep(0.02);
    END LOOP;
END $$;";

/// A good dump whose restore waits, before it has restored anything, for [`release`].
fn held_dump() -> Vec<u8> {
    with_sql_first(WAIT)
}

/// Lets the restore of a [`held_dump`] go on.
fn release(place: &Place) {
    docker_text(&["exec", &place.container, "touch", "/tmp/go"]);
}
