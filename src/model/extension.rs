//! Extensions of PostgreSQL: the packages that have them, and what they want of a server that starts.

/// Extensions that come in one package.
struct Package {
    /// What the package is called after `postgresql-MAJOR-`.
    name: &'static str,
    extensions: &'static [&'static str],
}

const fn package(name: &'static str, extensions: &'static [&'static str]) -> Package {
    Package { name, extensions }
}

/// Source: the package lists of Debian and of apt.postgresql.org, and the extensions that they have.
const PACKAGES: &[Package] = &[
    package("age", &["age"]),
    package("asn1oid", &["asn1oid"]),
    package("cron", &["pg_cron"]),
    package("debversion", &["debversion"]),
    package("extra-window-functions", &["extra_window_functions"]),
    package("first-last-agg", &["first_last_agg"]),
    package("hll", &["hll"]),
    package("http", &["http"]),
    package("hypopg", &["hypopg"]),
    package("icu-ext", &["icu_ext"]),
    package("ip4r", &["ip4r"]),
    package("jsquery", &["jsquery"]),
    package("mysql-fdw", &["mysql_fdw"]),
    package("numeral", &["numeral"]),
    package("ogr-fdw", &["ogr_fdw"]),
    package("orafce", &["orafce"]),
    package("partman", &["pg_partman"]),
    package("periods", &["periods"]),
    package("pg-hint-plan", &["pg_hint_plan"]),
    package("pg-qualstats", &["pg_qualstats"]),
    package("pg-stat-kcache", &["pg_stat_kcache"]),
    package("pg-track-settings", &["pg_track_settings"]),
    package("pg-wait-sampling", &["pg_wait_sampling"]),
    package("pgaudit", &["pgaudit"]),
    package("pgfaceting", &["pgfaceting"]),
    package("pgfincore", &["pgfincore"]),
    package("pglogical", &["pglogical"]),
    package("pglogical-ticker", &["pglogical_ticker"]),
    package("pgmemcache", &["pgmemcache"]),
    package("pgmp", &["pgmp"]),
    package("pgpcre", &["pgpcre"]),
    package("pgq3", &["pgq"]),
    package("pgrouting", &["pgrouting"]),
    package("pgsphere", &["pg_sphere"]),
    package("pgtap", &["pgtap"]),
    package("pgvector", &["vector"]),
    package("pldebugger", &["pldbgapi"]),
    package("pllua", &["pllua", "plluau", "hstore_pllua", "hstore_plluau"]),
    package("plpgsql-check", &["plpgsql_check"]),
    package("plproxy", &["plproxy"]),
    package("plr", &["plr"]),
    package("plsh", &["plsh"]),
    package("pointcloud", &["pointcloud", "pointcloud_postgis"]),
    package(
        "postgis-3",
        &[
            "address_standardizer",
            "address_standardizer_data_us",
            "postgis",
            "postgis_raster",
            "postgis_sfcgal",
            "postgis_tiger_geocoder",
            "postgis_topology",
        ],
    ),
    package("powa", &["powa"]),
    package("prefix", &["prefix"]),
    package("preprepare", &["pre_prepare"]),
    package("q3c", &["q3c"]),
    package("rational", &["pg_rational"]),
    package("rdkit", &["rdkit"]),
    package("repack", &["pg_repack"]),
    package("roaringbitmap", &["roaringbitmap"]),
    package("rum", &["rum"]),
    package("semver", &["semver"]),
    package("set-user", &["set_user"]),
    package("similarity", &["pg_similarity"]),
    package("squeeze", &["pg_squeeze"]),
    package("tablelog", &["table_log"]),
    package("tdigest", &["tdigest"]),
    package("tds-fdw", &["tds_fdw"]),
    package("timescaledb", &["timescaledb"]),
    package("toastinfo", &["toastinfo"]),
    package("unit", &["unit"]),
    package("wal2json", &["wal2json"]),
];

/// Languages have their names the other way round.
const LANGUAGES: &[(&str, &[&str])] = &[
    ("plpython3", &["plpython3u", "hstore_plpython3u", "jsonb_plpython3u", "ltree_plpython3u"]),
    (
        "plperl",
        &[
            "plperl",
            "plperlu",
            "bool_plperl",
            "bool_plperlu",
            "hstore_plperl",
            "hstore_plperlu",
            "jsonb_plperl",
            "jsonb_plperlu",
        ],
    ),
    ("pltcl", &["pltcl", "pltclu"]),
];

/// The package of Debian and of apt.postgresql.org that has an extension, a library or a language.
#[must_use]
pub fn package_with(name: &str, major: u32) -> Option<String> {
    if let Some(package) = PACKAGES.iter().find(|package| package.extensions.contains(&name)) {
        return Some(format!("postgresql-{major}-{}", package.name));
    }
    let (language, _) = LANGUAGES.iter().find(|(_, extensions)| extensions.contains(&name))?;
    Some(format!("postgresql-{language}-{major}"))
}

/// The library of an extension that has to be loaded when the server starts, or that brings something only then.
/// Source: the documentation of each.
#[must_use]
pub fn library_loaded_at_start(extension: &str) -> Option<&'static str> {
    const LIBRARIES: &[&str] = &[
        "citus",
        "pg_cron",
        "pg_qualstats",
        "pg_squeeze",
        "pg_stat_kcache",
        "pg_stat_statements",
        "pg_wait_sampling",
        "pgaudit",
        "pglogical",
        "set_user",
        "timescaledb",
    ];
    LIBRARIES.iter().find(|name| **name == extension).copied()
}

/// Settings by which an extension does nothing by itself to a restored database, which is to stay as it is in the
/// backup. A server that does not know them passes over them. Source: the documentation of pg_cron 1.4 to 1.6, and of
/// TimescaleDB 2.
#[must_use]
pub fn settings_at_rest(extension: &str) -> &'static [(&'static str, &'static str)] {
    match extension {
        "pg_cron" => &[("cron.launch_active_jobs", "off"), ("cron.log_run", "off")],
        "timescaledb" => {
            &[("timescaledb.max_background_workers", "0"), ("timescaledb.telemetry_level", "off")]
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_by_the_major_version() {
        assert_eq!(package_with("vector", 17).unwrap(), "postgresql-17-pgvector");
        assert_eq!(package_with("postgis_topology", 15).unwrap(), "postgresql-15-postgis-3");
        assert_eq!(package_with("plpython3u", 16).unwrap(), "postgresql-plpython3-16");
        assert_eq!(package_with("azure", 15), None);
    }

    #[test]
    fn each_extension_is_in_one_package() {
        let all = PACKAGES.iter().map(|package| package.extensions);
        let mut names: Vec<_> =
            all.chain(LANGUAGES.iter().map(|(_, names)| *names)).flatten().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
