//! What keeps migrations in a database, told by its table, as its own documentation describes that.

use std::fmt;

/// What keeps migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Alembic: a row for each head.
    Alembic,
    /// Django: a row for each migration of each application.
    Django,
    /// Rails, Active Record: a row for each version.
    Rails,
    /// Flyway: a row for each run of a migration.
    Flyway,
    /// Prisma Migrate: a row for each attempt.
    Prisma,
    /// Sqitch: a row for each change that is deployed.
    Sqitch,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Alembic, Self::Django, Self::Rails, Self::Flyway, Self::Prisma, Self::Sqitch];

    /// The table that it keeps them in, unless it is told otherwise.
    pub fn table(self) -> &'static str {
        match self {
            Self::Alembic => "alembic_version",
            Self::Django => "django_migrations",
            Self::Rails => "schema_migrations",
            Self::Flyway => "flyway_schema_history",
            Self::Prisma => "_prisma_migrations",
            Self::Sqitch => "changes",
        }
    }

    /// Columns of it, by which it is told from other tables of that name.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Alembic => &["version_num"],
            Self::Django => &["id", "app", "name", "applied"],
            Self::Rails => &["version"],
            Self::Flyway => &["installed_rank", "version", "description", "script", "success"],
            Self::Prisma => &["migration_name", "started_at", "finished_at", "rolled_back_at"],
            Self::Sqitch => &["change_id", "change", "project", "committed_at", "planned_at"],
        }
    }

    /// A table beside it, where others have one of the same name and columns.
    pub fn beside(self) -> Option<&'static str> {
        // golang-migrate, dbmate and Ecto have schema_migrations, too.
        (self == Self::Rails).then_some("ar_internal_metadata")
    }

    /// Asks its table for the number of migrations, the newest, and the newest that did not end well.
    pub fn query(self, table: &str) -> String {
        let (newest, order, unfinished) = match self {
            Self::Alembic => ("version_num", "version_num DESC", "false"),
            Self::Django => ("app || '.' || name", "id DESC", "false"),
            Self::Rails => ("version", "version DESC", "false"),
            Self::Flyway => (
                "coalesce(version || ' ', '') || description",
                "installed_rank DESC",
                "NOT success",
            ),
            Self::Prisma => (
                "migration_name",
                "started_at DESC, migration_name DESC",
                "finished_at IS NULL AND rolled_back_at IS NULL",
            ),
            Self::Sqitch => ("project || ':' || change", "committed_at DESC", "false"),
        };
        let kept = if self == Self::Prisma { "WHERE rolled_back_at IS NULL" } else { "" };
        format!(
            "SELECT (SELECT count(*) FROM {table} {kept}), \
                    (SELECT ({newest})::text FROM {table} {kept} ORDER BY {order} LIMIT 1), \
                    (SELECT ({newest})::text FROM {table} WHERE {unfinished} ORDER BY {order} LIMIT 1)"
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alembic => "Alembic",
            Self::Django => "Django",
            Self::Rails => "Rails",
            Self::Flyway => "Flyway",
            Self::Prisma => "Prisma",
            Self::Sqitch => "Sqitch",
        })
    }
}
