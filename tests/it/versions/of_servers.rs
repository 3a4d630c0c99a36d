//! Backups of whole servers in the formats that pg_dumpall had in previews of PostgreSQL 18 and 19, and lost before each was
//! released (19rc1 has none): a directory with roles and tablespaces (`toc.glo`), the names of the databases (`map.dat`), and an
//! archive of each.

use crate::support::{Place, unchanged_database};

/// Lays out one with one database, in the custom format.
fn of_a_server(place: &Place, name: &str) {
    let archive = unchanged_database().dump(&["--format=custom"]);
    let map = "#\n# map.dat\n# dboid dbname\n#\n16384 app\n";
    place.file(&format!("{name}/map.dat"), map.as_bytes());
    place.file(&format!("{name}/databases/16384.dmp"), &archive);
    // No program that was released writes what is in it. It is not looked into, so any archive stands for it.
    place.file(&format!("{name}/toc.glo"), &archive);
}

#[test]
fn a_backup_of_a_whole_server_that_is_no_script_is_not_verified_and_is_called_what_it_is() {
    let place = Place::on_a_lent_server();
    let said =
        "is a backup of a whole server, as pg_dumpall of previews of PostgreSQL 18 and 19 made it";
    for name in ["server", "server.dir"] {
        of_a_server(&place, name);
        let verified = |file: &str| place.outcome(place.verify().arg(file));
        verified(name).not_verified(said).hints("in its directory databases");
        // By itself it is an archive, and would pass for a database.
        verified(&format!("{name}/toc.glo")).not_verified(said);
        // As 18 had it, with its roles and tablespaces in SQL.
        std::fs::rename(
            place.dir().join(name).join("toc.glo"),
            place.dir().join(name).join("global.dat"),
        )
        .unwrap();
        verified(name).not_verified(said);
    }
}

#[test]
fn one_database_of_a_backup_of_a_whole_server_passes_by_its_own_name() {
    let place = Place::on_a_lent_server();
    of_a_server(&place, "server");
    let outcome = place.outcome(place.verify().arg("server/databases/16384.dmp"));
    outcome.passed().says("✓ Contents match the backup (25 tables)");
}
