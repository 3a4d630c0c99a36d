//! What belongs to a database and not to its contents: owner, settings, privileges, connection limit,
//! labels. A database that takes another's name takes these, too.

use super::{Destination, DestinationError};
use crate::pg::{quote_ident, quote_literal};

const OWNER_AND_LIMIT: &str = "\
SELECT pg_catalog.pg_get_userbyid(datdba)::text, datconnlimit, datacl IS NULL
FROM pg_catalog.pg_database WHERE datname = $1";

/// Settings, one a row: of whom (NULL for everybody), the name, the value.
const SETTINGS: &str = "\
SELECT r.rolname::text, pg_catalog.split_part(c.config, '=', 1),
       pg_catalog.substr(c.config, pg_catalog.strpos(c.config, '=') + 1)
FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c(config, place)
WHERE d.datname = $1 ORDER BY r.rolname, c.place";

/// Privileges, one a row: to whom (NULL for PUBLIC), which, whether they may be granted on.
const PRIVILEGES: &str = "\
SELECT r.rolname::text, a.privilege_type, a.is_grantable
FROM pg_catalog.pg_database d
CROSS JOIN LATERAL pg_catalog.aclexplode(d.datacl) a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE d.datname = $1 AND (a.grantee = 0 OR r.rolname IS NOT NULL) AND a.grantee <> d.datdba
ORDER BY 1, 2";

const LABELS: &str = "\
SELECT l.provider, l.label FROM pg_catalog.pg_shseclabel l
JOIN pg_catalog.pg_database d ON d.oid = l.objoid
WHERE l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND d.datname = $1 ORDER BY 1";

/// Settings whose values are lists of names, kept as they are written. Source: `GUC_LIST_QUOTE` in
/// PostgreSQL's `variable_is_guc_list_quote`.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

impl Destination {
    /// Gives a database what belongs to another one. Gives back what the server refused, one sentence each.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn give_properties(
        &self,
        of: &str,
        to: &str,
    ) -> Result<Vec<String>, DestinationError> {
        let asked = self.properties(of, &quote_ident(to)).await;
        let statements = asked.map_err(|error| {
            DestinationError::server(format!("say what belongs to {of}"), &error)
        })?;
        Ok(self.try_each(&statements).await)
    }

    /// Runs statements on databases and roles. Gives back what the server refused, one sentence each.
    pub async fn try_each(&self, statements: &[String]) -> Vec<String> {
        let mut refused = Vec::new();
        for statement in statements {
            if let Err(error) = self.session.batch_execute(statement).await {
                let statement = statement.trim_end_matches([';', '\n']);
                refused.push(format!("{statement}: {}", crate::pg::describe(&error)));
            }
        }
        refused
    }

    /// The statements that give them to `to`. The owner comes last, for it may take our rights away.
    async fn properties(&self, of: &str, to: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        let mut statements = Vec::new();
        for row in self.session.query(SETTINGS, &[&of]).await? {
            let (role, name, value): (Option<String>, String, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let whom = match role {
                Some(role) => format!("ROLE {} IN DATABASE {to}", quote_ident(&role)),
                None => format!("DATABASE {to}"),
            };
            statements.push(format!(
                "ALTER {whom} SET {} TO {}",
                quote_name(&name),
                written(&name, &value)
            ));
        }
        let row = self.session.query_one(OWNER_AND_LIMIT, &[&of]).await?;
        let (owner, limit, as_made): (String, i32, bool) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if limit >= 0 {
            statements.push(format!("ALTER DATABASE {to} CONNECTION LIMIT {limit}"));
        }
        for row in self.session.query(LABELS, &[&of]).await? {
            let (provider, label): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let (provider, label) = (quote_ident(&provider), quote_literal(&label));
            statements.push(format!("SECURITY LABEL FOR {provider} ON DATABASE {to} IS {label}"));
        }
        if !as_made {
            statements.push(format!("REVOKE ALL ON DATABASE {to} FROM PUBLIC"));
            for row in self.session.query(PRIVILEGES, &[&of]).await? {
                let (role, privilege, grantable): (Option<String>, String, bool) =
                    (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                let role = role.map_or_else(|| "PUBLIC".to_owned(), |role| quote_ident(&role));
                let on = if grantable { " WITH GRANT OPTION" } else { "" };
                statements.push(format!("GRANT {privilege} ON DATABASE {to} TO {role}{on}"));
            }
        }
        if owner != self.facts.user {
            statements.push(format!("ALTER DATABASE {to} OWNER TO {}", quote_ident(&owner)));
        }
        Ok(statements)
    }
}

/// A setting's name: one of an extension has two parts.
fn quote_name(name: &str) -> String {
    name.split('.').map(quote_ident).collect::<Vec<_>>().join(".")
}

/// A setting's value, as `SET` takes it.
fn written(name: &str, value: &str) -> String {
    match LISTS.contains(&name) && !value.is_empty() {
        true => value.to_owned(),
        false => quote_literal(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_written_as_they_are_kept_and_other_values_as_text() {
        assert_eq!(written("search_path", "\"$user\", public"), "\"$user\", public");
        assert_eq!(written("search_path", ""), "''");
        assert_eq!(written("work_mem", "64MB"), "'64MB'");
        assert_eq!(quote_name("app.tenant"), "\"app\".\"tenant\"");
    }
}
