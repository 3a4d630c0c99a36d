//! What pg_dumpall writes of roles, for those that a server lacks.

use std::collections::{BTreeMap, BTreeSet};

use super::item::{Item, Statement};
use super::items::Items;
use super::token::Tokens;
use crate::model::role_rights::RoleRights;

/// The statements of the SQL of pg_dumpall that make these roles, in its order: what they are, and whom they are
/// members of. Nothing that changes another role.
#[must_use]
pub fn statements(sql: &[u8], roles: &BTreeSet<String>) -> Vec<String> {
    let mut items = Items::new(std::io::Cursor::new(sql.to_vec()));
    let mut found = Vec::new();
    while let Ok(Some(item)) = items.pull() {
        if let Item::Statement(statement) = item
            && subject(&statement).is_some_and(|role| roles.contains(&role))
            && let Ok(text) = std::str::from_utf8(&statement.text)
        {
            found.push(text.to_owned());
        }
    }
    found
}

/// What the roles of the SQL of pg_dumpall may read by themselves.
#[must_use]
pub fn rights(sql: &[u8]) -> BTreeMap<String, RoleRights> {
    let mut items = Items::new(std::io::Cursor::new(sql.to_vec()));
    let mut all: BTreeMap<String, RoleRights> = BTreeMap::new();
    while let Ok(Some(item)) = items.pull() {
        let Item::Statement(statement) = item else { continue };
        let Some(role) = subject(&statement) else { continue };
        let rights = all.entry(role).or_default();
        let mut tokens = Tokens::of(&statement.text);
        if tokens.take_word("grant") {
            rights.reads_all |= tokens.take_name().is_some_and(|name| name == b"pg_read_all_data");
            continue;
        }
        for token in tokens {
            rights.reads_all |= token.is_word("superuser");
            rights.passes_row_security |= token.is_word("superuser") || token.is_word("bypassrls");
            rights.inherits &= !token.is_word("noinherit");
        }
    }
    all
}

/// The role that a statement makes, changes or makes a member.
fn subject(statement: &Statement) -> Option<String> {
    let mut tokens = Tokens::of(&statement.text);
    let name = |tokens: &mut Tokens| String::from_utf8(tokens.take_name()?).ok();
    if tokens.take_word("create") || tokens.take_word("alter") {
        return if tokens.take_word("role") { name(&mut tokens) } else { None };
    }
    if !tokens.take_word("grant") {
        return None;
    }
    name(&mut tokens)?;
    if tokens.take_word("to") { name(&mut tokens) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_role_may_read_by_itself_is_told() {
        let sql = "CREATE ROLE app;\nALTER ROLE app WITH NOSUPERUSER INHERIT NOCREATEROLE LOGIN NOBYPASSRLS PASSWORD 'superuser';\n\
                   CREATE ROLE boss;\nALTER ROLE boss WITH SUPERUSER INHERIT BYPASSRLS;\n\
                   CREATE ROLE eye;\nALTER ROLE eye WITH NOSUPERUSER NOINHERIT BYPASSRLS;\n\
                   CREATE ROLE reader;\nGRANT pg_read_all_data TO reader GRANTED BY postgres;\nGRANT app TO reader;\n";
        let rights = rights(sql.as_bytes());
        let own = RoleRights::default();
        assert_eq!(rights["app"], own);
        assert_eq!(
            rights["boss"],
            RoleRights { reads_all: true, passes_row_security: true, ..own }
        );
        let eye = RoleRights { passes_row_security: true, inherits: false, ..own };
        assert_eq!((rights["eye"], rights["reader"]), (eye, RoleRights { reads_all: true, ..own }));
        assert_eq!(super::rights(b"\0\xff").len(), 0);
    }

    #[test]
    fn only_what_makes_the_roles_that_are_wanted_is_taken() {
        let sql = "CREATE ROLE a;\nALTER ROLE a WITH LOGIN;\nCREATE ROLE \"B c\";\nALTER ROLE \"B c\" WITH NOLOGIN;\n\
                   ALTER ROLE b SET work_mem TO '1GB';\nGRANT a TO \"B c\" GRANTED BY postgres;\nGRANT \"B c\" TO a;\n\
                   GRANT CREATE ON TABLESPACE x TO \"B c\";\nCREATE TABLESPACE x LOCATION '/x';\n";
        let wanted = BTreeSet::from(["B c".to_owned()]);
        let found = statements(sql.as_bytes(), &wanted);
        let found: Vec<&str> = found.iter().map(|text| text.trim_end_matches(';')).collect();
        assert_eq!(
            found,
            [
                "CREATE ROLE \"B c\"",
                "ALTER ROLE \"B c\" WITH NOLOGIN",
                "GRANT a TO \"B c\" GRANTED BY postgres"
            ]
        );
        assert!(statements(sql.as_bytes(), &BTreeSet::new()).is_empty());
    }
}
