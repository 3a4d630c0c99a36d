//! What keeps the migrations: a word, or a table with more about it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// `migrations = "alembic"`, or `[checks.migrations]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrations {
    /// What keeps them; without it, that is found out.
    pub kind: Option<MigrationKind>,
    /// The table that holds them, `table` or `schema.table`, where it has another name than usual.
    pub table: Option<String>,
    /// The directory of Alembic, with `versions` in it, or that of the versions.
    pub directory: Option<PathBuf>,
    /// A command that says the revisions there are, such as `alembic heads`.
    pub command: Option<String>,
    /// Where that is run: the directory of the configuration.
    pub home: PathBuf,
    /// Whether a database fails that is behind the newest revision.
    pub require_head: bool,
}

/// What keeps migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MigrationKind {
    /// Alembic.
    Alembic,
    /// Django.
    Django,
    /// Rails, Active Record.
    Rails,
    /// Flyway.
    Flyway,
    /// Prisma Migrate.
    Prisma,
    /// Sqitch.
    Sqitch,
    /// Nothing: no check.
    None,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
    kind: Option<MigrationKind>,
    table: Option<String>,
    directory: Option<PathBuf>,
    command: Option<String>,
    require_head: bool,
}

impl Migrations {
    /// With paths that lead from the directory of the configuration.
    pub fn below(self, home: &Path) -> Self {
        let directory = self.directory.map(|directory| home.join(directory));
        Self { directory, home: home.to_owned(), ..self }
    }
}

impl<'de> Deserialize<'de> for Migrations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = Migrations;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(
            "what keeps the migrations, such as \"alembic\", or the table [checks.migrations]",
        )
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Migrations, E> {
        let kind = MigrationKind::deserialize(StrDeserializer::new(word))?;
        Ok(Migrations { kind: Some(kind), ..Migrations::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Migrations, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(map))?;
        let Table { kind, table, directory, command, require_head } = table;
        let home = PathBuf::new();
        Ok(Migrations { kind, table, directory, command, home, require_head })
    }
}
