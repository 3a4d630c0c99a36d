//! What `create` made: of each database a backup, or why there is none.

use chrono::{DateTime, Utc};

/// Why something was not done that was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What the process would exit with if this were all.
    pub exit_code: u8,
    /// One sentence that names the cause.
    pub cause: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeBackup {
    /// Its size in bytes.
    pub bytes: u64,
    /// Bytes of the dump in it.
    pub dump_bytes: u64,
    /// SHA-256 in hex of its file, of a directory that of its list of files.
    pub sha256: String,
    /// Tables in it.
    pub tables: u64,
    /// Rows in them.
    pub rows: u64,
    /// Whether the server's roles and tablespaces stand beside it.
    pub globals: bool,
    /// What was not done with it, such as a copy.
    pub trouble: Option<Trouble>,
}

/// How the turn of a database ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateEnd {
    /// There is a backup.
    Made(MadeBackup),
    /// There is none.
    NotMade(Trouble),
    /// It was not come to.
    NotReached {
        /// Why.
        why: String,
    },
}

/// A database that was to be backed up, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseBackup {
    /// The database.
    pub database: String,
    /// `host:port` of its server.
    pub host: String,
    /// The backup as it is named; absent where it was not known yet what it would be called.
    pub backup: Option<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What came of it.
    pub end: CreateEnd,
}

/// Everything that `create` did: the one value that its reporters read.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateReport {
    /// Version of ccc-backup.
    pub tool_version: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Whether it was to be several databases.
    pub several: bool,
    /// The databases, in their order.
    pub databases: Vec<DatabaseBackup>,
    /// What was wanted beside all of them, and could not be had.
    pub troubles: Vec<Trouble>,
}

impl DatabaseBackup {
    /// What went wrong with it.
    pub fn trouble(&self) -> Option<&Trouble> {
        match &self.end {
            CreateEnd::Made(made) => made.trouble.as_ref(),
            CreateEnd::NotMade(trouble) => Some(trouble),
            CreateEnd::NotReached { .. } => None,
        }
    }

    /// Whether there is a backup of it.
    pub fn is_made(&self) -> bool {
        matches!(self.end, CreateEnd::Made(_))
    }

    fn exit_code(&self) -> u8 {
        let unreached = matches!(self.end, CreateEnd::NotReached { .. });
        self.trouble().map_or(if unreached { 2 } else { 0 }, |trouble| trouble.exit_code)
    }
}

impl CreateReport {
    /// What the process exits with: 1 where something could not be made, else 2 where something was not come to, else 0.
    pub fn exit_code(&self) -> u8 {
        let troubles = self.troubles.iter().map(|trouble| trouble.exit_code);
        let codes: Vec<u8> =
            self.databases.iter().map(DatabaseBackup::exit_code).chain(troubles).collect();
        if codes.contains(&1) { 1 } else { codes.into_iter().max().unwrap_or_default() }
    }

    /// How many backups were made.
    pub fn made(&self) -> usize {
        self.databases.iter().filter(|database| database.is_made()).count()
    }

    /// Why not all went well, one sentence each, in the order of the databases.
    pub fn causes(&self) -> Vec<String> {
        let of_database = self.databases.iter().filter_map(|one| match &one.end {
            CreateEnd::NotReached { why } => Some(format!("{}: not come to: {why}", one.database)),
            _ => one.trouble().map(|trouble| format!("{}: {}", one.database, trouble.cause)),
        });
        of_database.chain(self.troubles.iter().map(|trouble| trouble.cause.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(exit_code: u8) -> Trouble {
        Trouble { exit_code, cause: format!("cause {exit_code}"), hint: None }
    }

    fn made(trouble: Option<Trouble>) -> CreateEnd {
        CreateEnd::Made(MadeBackup {
            bytes: 1,
            dump_bytes: 2,
            sha256: String::new(),
            tables: 3,
            rows: 4,
            globals: true,
            trouble,
        })
    }

    fn report(ends: Vec<CreateEnd>, troubles: Vec<Trouble>) -> CreateReport {
        let database = |(number, end)| DatabaseBackup {
            database: format!("d{number}"),
            host: "h:1".to_owned(),
            backup: None,
            seconds: 0.0,
            end,
        };
        CreateReport {
            tool_version: "1".to_owned(),
            started_at: DateTime::UNIX_EPOCH,
            seconds: 1.0,
            several: true,
            databases: ends.into_iter().enumerate().map(database).collect(),
            troubles,
        }
    }

    #[test]
    fn what_could_not_be_made_counts_before_what_was_not_come_to() {
        let unreached = || CreateEnd::NotReached { why: "interrupted".to_owned() };
        let failed = |code| CreateEnd::NotMade(trouble(code));
        for (ends, troubles, code) in [
            (vec![made(None), made(None)], vec![], 0),
            (vec![made(None), failed(1), unreached()], vec![], 1),
            (vec![made(None), failed(2), unreached()], vec![], 2),
            (vec![made(None), unreached()], vec![], 2),
            (vec![made(Some(trouble(1)))], vec![], 1),
            (vec![made(None)], vec![trouble(1)], 1),
            (vec![failed(2), failed(1)], vec![], 1),
        ] {
            assert_eq!(report(ends, troubles).exit_code(), code);
        }
        let report = report(vec![made(None), failed(1), unreached()], vec![trouble(2)]);
        let causes = ["d1: cause 1", "d2: not come to: interrupted", "cause 2"];
        assert_eq!((report.made(), report.causes()), (1, causes.map(str::to_owned).to_vec()));
    }
}
