//! Well-known services that run PostgreSQL for others, told by the roles that they make, and what they
//! refuse.

use std::collections::BTreeSet;
use std::fmt;

/// A service that keeps a superuser's rights to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Amazon RDS and Aurora.
    Rds,
    /// Google Cloud SQL.
    CloudSql,
    /// Azure Database for PostgreSQL.
    Azure,
    /// Supabase.
    Supabase,
    /// Neon.
    Neon,
    /// Heroku Postgres.
    Heroku,
}

/// The role by which each is known. Source: the services' own documentation of their roles.
const ROLES: [(&str, Service); 6] = [
    ("rds_superuser", Service::Rds),
    ("cloudsqlsuperuser", Service::CloudSql),
    ("azure_pg_admin", Service::Azure),
    ("supabase_admin", Service::Supabase),
    ("neon_superuser", Service::Neon),
    ("heroku_readonly", Service::Heroku),
];

/// The service whose roles these are.
pub(super) fn by_roles(roles: &BTreeSet<String>) -> Option<Service> {
    ROLES.iter().find(|(role, _)| roles.contains(*role)).map(|(_, service)| *service)
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rds => "Amazon RDS",
            Self::CloudSql => "Google Cloud SQL",
            Self::Azure => "Azure Database for PostgreSQL",
            Self::Supabase => "Supabase",
            Self::Neon => "Neon",
            Self::Heroku => "Heroku Postgres",
        })
    }
}

impl Service {
    /// What to do about something that it keeps to itself.
    pub fn cure(self) -> &'static str {
        match self {
            Self::Rds => {
                "restore as a member of rds_superuser; extensions must be on RDS's list for this version"
            }
            Self::CloudSql => {
                "restore as a member of cloudsqlsuperuser; extensions must be on Cloud SQL's list"
            }
            Self::Azure => {
                "allow the extension in the server parameter azure.extensions, and restore as a member \
                 of azure_pg_admin"
            }
            Self::Supabase => {
                "enable the extension in the dashboard, and restore as postgres over the direct \
                 connection, not the pooler"
            }
            Self::Neon => {
                "restore as a member of neon_superuser over the direct endpoint, not the pooler"
            }
            Self::Heroku => {
                "Heroku makes no databases: restore into an empty one (heroku addons:create \
                 heroku-postgresql), then promote it"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_its_role_and_a_server_of_ones_own_is_none() {
        let of = |roles: &[&str]| by_roles(&roles.iter().map(|role| (*role).to_owned()).collect());
        assert_eq!(of(&["postgres", "rds_superuser"]), Some(Service::Rds));
        assert_eq!(of(&["postgres", "ccc", "pg_monitor"]), None);
    }
}
