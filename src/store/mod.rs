//! Backups at rest: their names, how they are published, what is kept.
