//! What pg_dumpall writes of roles, for those that a server lacks.

use std::collections::BTreeSet;

use super::item::{Item, Statement};
use super::items::Items;
use super::token::Tokens;

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
