//! Owners and privileges of what an empty database has: its schema `public`, what its extensions brought, and
//! default privileges. A restore changes them, and one that failed puts them back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::pg::{Session, quote_ident};

/// Owner and privileges, one a row: what `GRANT … ON` calls it, its owner, then to whom (NULL for PUBLIC), which,
/// whether they may be granted on; and whether they are the ones that it has by itself.
const PRIVILEGES: &str = "\
WITH things (name, owner, acl, initial, own) AS (
    SELECT pg_catalog.format('SCHEMA %I', nspname), nspowner, nspacl,
           pg_catalog.acldefault('n', nspowner), true
    FROM pg_catalog.pg_namespace
    WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
    UNION ALL
    SELECT pg_catalog.format('ROUTINE %s', p.oid::pg_catalog.regprocedure), proowner, proacl,
           pg_catalog.acldefault('f', proowner), false
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
    UNION ALL
    SELECT pg_catalog.format('TABLE %s', c.oid::pg_catalog.regclass), relowner, relacl,
           pg_catalog.acldefault(CASE WHEN relkind = 'S' THEN 's' ELSE 'r' END::\"char\", relowner), false
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
)
SELECT name, CASE WHEN own THEN pg_catalog.pg_get_userbyid(owner)::text END, given.by_itself,
       r.rolname::text, a.privilege_type, coalesce(a.is_grantable, false)
FROM things
CROSS JOIN LATERAL (VALUES (true, initial), (false, acl)) given(by_itself, acl)
LEFT JOIN LATERAL pg_catalog.aclexplode(given.acl) a ON true
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE things.acl IS NOT NULL OR own
ORDER BY 1, 3, 4, 5";

/// The same of default privileges: what `ALTER DEFAULT PRIVILEGES` calls them before and after `GRANT`.
const DEFAULTS: &str = "\
SELECT pg_catalog.format('FOR ROLE %I%s', o.rolname,
           CASE WHEN n.oid IS NULL THEN '' ELSE pg_catalog.format(' IN SCHEMA %I', n.nspname) END),
       CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
            WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END,
       given.by_itself, r.rolname::text, a.privilege_type, coalesce(a.is_grantable, false)
FROM pg_catalog.pg_default_acl d
JOIN pg_catalog.pg_roles o ON o.oid = d.defaclrole
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
CROSS JOIN LATERAL (VALUES
    (true, CASE WHEN n.oid IS NULL THEN pg_catalog.acldefault(
        CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END::\"char\", d.defaclrole) END),
    (false, d.defaclacl)) given(by_itself, acl)
LEFT JOIN LATERAL pg_catalog.aclexplode(given.acl) a ON true
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
ORDER BY 1, 2, 3, 4, 5";

/// To whom (`None` for PUBLIC), which, and whether it may be granted on.
type Privilege = (Option<String>, String, bool);

/// What is known of one thing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Of {
    owner: Option<String>,
    has: BTreeSet<Privilege>,
    #[serde(skip)]
    by_itself: BTreeSet<Privilege>,
}

/// Owners and privileges of a database's things.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Privileges {
    things: BTreeMap<String, Of>,
    /// By what is before and after `GRANT`.
    defaults: Vec<((String, String), Of)>,
}

/// Asks for them.
pub(super) async fn of(session: &Session) -> Result<Privileges, tokio_postgres::Error> {
    let mut things: BTreeMap<String, Of> = BTreeMap::new();
    for row in session.query(PRIVILEGES, &[]).await? {
        let of = things.entry(row.try_get(0)?).or_default();
        of.owner = row.try_get(1)?;
        of.take(&row)?;
    }
    let mut defaults: BTreeMap<(String, String), Of> = BTreeMap::new();
    for row in session.query(DEFAULTS, &[]).await? {
        defaults.entry((row.try_get(0)?, row.try_get(1)?)).or_default().take(&row)?;
    }
    Ok(Privileges { things, defaults: defaults.into_iter().collect() })
}

impl Of {
    /// Takes the columns of a row from the third on.
    fn take(&mut self, row: &tokio_postgres::Row) -> Result<(), tokio_postgres::Error> {
        let Some(privilege) = row.try_get(4)? else { return Ok(()) };
        let privilege = (row.try_get(3)?, privilege, row.try_get(5)?);
        let into = if row.try_get(2)? { &mut self.by_itself } else { &mut self.has };
        into.insert(privilege);
        Ok(())
    }

    /// What it has: what everything has by itself, where nobody ever granted or revoked anything.
    fn effective(&self) -> &BTreeSet<Privilege> {
        if self.has.is_empty() { &self.by_itself } else { &self.has }
    }
}

/// The statements that put back what was changed since.
pub(super) async fn put_back(
    session: &Session,
    had: &Privileges,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let now = of(session).await?;
    let mut statements = Vec::new();
    for (name, now) in &now.things {
        let before = had.things.get(name);
        let wanted = wanted(before, now);
        let mut now = now.clone();
        if let Some(owner) = before.and_then(|of| of.owner.as_ref())
            && now.owner.as_ref() != Some(owner)
        {
            statements.push(format!("ALTER {name} OWNER TO {}", quote_ident(owner)));
            // What the other owner had is this one's then.
            now.has.insert((Some(owner.clone()), String::new(), false));
        }
        if now.has != wanted && !(now.has.is_empty() && wanted == now.by_itself) {
            statements.extend(changes(&now, &wanted, "", &format!("ON {name}")));
        }
    }
    // An extension that was made anew has them all by itself.
    for (name, before) in &had.things {
        if !now.things.contains_key(name) {
            let public = (None, String::new(), false);
            let now = Of { has: BTreeSet::from([public]), ..Of::default() };
            statements.extend(changes(&now, &before.has, "", &format!("ON {name}")));
        }
    }
    for (key, now) in &now.defaults {
        let before = had.defaults.iter().find(|(of, _)| of == key).map(|(_, of)| of);
        let wanted = wanted(before, now);
        if now.has != wanted {
            let begin = format!("ALTER DEFAULT PRIVILEGES {} ", key.0);
            statements.extend(changes(now, &wanted, &begin, &format!("ON {}", key.1)));
        }
    }
    for (key, before) in &had.defaults {
        if !now.defaults.iter().any(|(of, _)| of == key) {
            let begin = format!("ALTER DEFAULT PRIVILEGES {} ", key.0);
            let none = Of::default();
            statements.extend(changes(&none, &before.has, &begin, &format!("ON {}", key.1)));
        }
    }
    Ok(statements)
}

/// What there is to be again.
fn wanted(before: Option<&Of>, now: &Of) -> BTreeSet<Privilege> {
    match before {
        Some(before) if !before.has.is_empty() => before.has.clone(),
        _ => now.by_itself.clone(),
    }
}

/// Revokes all from everybody, and grants what is wanted.
fn changes(now: &Of, wanted: &BTreeSet<Privilege>, begin: &str, on: &str) -> Vec<String> {
    let whom = |role: &Option<String>| role.as_deref().map_or("PUBLIC".to_owned(), quote_ident);
    let grantees: BTreeSet<&Option<String>> =
        now.effective().iter().map(|(role, ..)| role).collect();
    let revoked =
        grantees.into_iter().map(|role| format!("{begin}REVOKE ALL {on} FROM {}", whom(role)));
    let granted = wanted.iter().map(|(role, privilege, grantable)| {
        // A role is its own grantor: it need not be told that it may grant.
        let option = if *grantable { " WITH GRANT OPTION" } else { "" };
        format!("{begin}GRANT {privilege} {on} TO {}{option}", whom(role))
    });
    revoked.chain(granted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_are_put_back_by_revoking_all_and_granting_what_there_was() {
        let privilege = |role: Option<&str>| (role.map(str::to_owned), "USAGE".to_owned(), false);
        let now = Of { has: BTreeSet::from([privilege(Some("app"))]), ..Of::default() };
        let wanted = BTreeSet::from([privilege(None)]);
        assert_eq!(
            changes(&now, &wanted, "", "ON SCHEMA public"),
            ["REVOKE ALL ON SCHEMA public FROM \"app\"", "GRANT USAGE ON SCHEMA public TO PUBLIC"]
        );
    }
}
