//! What a role may read by itself, beside what is granted to it in a database.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleRights {
    /// Every table: it is a superuser, or a member of `pg_read_all_data`.
    pub reads_all: bool,
    /// Rows that row-level security hides from others: it is a superuser, or has `BYPASSRLS`.
    pub passes_row_security: bool,
    /// What the roles may that it is a member of.
    pub inherits: bool,
}

impl Default for RoleRights {
    /// Those of `CREATE ROLE` without more.
    fn default() -> Self {
        Self { reads_all: false, passes_row_security: false, inherits: true }
    }
}
