//! Who is a member of which role, as pg_dumpall writes it into the globals beside a backup.

use super::item::{Item, Statement};
use super::items::Items;
use super::token::Tokens;

/// Roles and their members in the SQL of pg_dumpall. PostgreSQL's own roles (`pg_…`) are left out: some
/// of them reach past the server.
#[must_use]
pub fn of(sql: &[u8]) -> Vec<(String, String)> {
    let mut items = Items::new(std::io::Cursor::new(sql.to_vec()));
    let mut all = Vec::new();
    while let Ok(Some(item)) = items.pull() {
        if let Item::Statement(statement) = item {
            all.extend(membership(&statement));
        }
    }
    all
}

/// `GRANT role TO member …`
fn membership(statement: &Statement) -> Option<(String, String)> {
    let mut tokens = Tokens::of(&statement.text);
    let name = |tokens: &mut Tokens| {
        let name = String::from_utf8(tokens.take_name()?).ok()?;
        (!name.starts_with("pg_")).then_some(name)
    };
    if !tokens.take_word("grant") {
        return None;
    }
    let role = name(&mut tokens)?;
    let member = if tokens.take_word("to") { name(&mut tokens)? } else { return None };
    Some((role, member))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memberships_are_read_and_rights_on_the_server_are_not() {
        let sql = "--\n-- PostgreSQL database cluster dump\n--\nCREATE ROLE a;\n\
                   ALTER ROLE a WITH SUPERUSER LOGIN PASSWORD 'x';\n\
                   GRANT readers TO \"My App\" WITH INHERIT TRUE GRANTED BY postgres;\n\
                   GRANT pg_execute_server_program TO a;\n\
                   GRANT ALL ON TABLESPACE fast TO a;\nGRANT b TO a;\n";
        let pair = |role: &str, member: &str| (role.to_owned(), member.to_owned());
        assert_eq!(of(sql.as_bytes()), [pair("readers", "My App"), pair("b", "a")]);
        assert!(of(b"").is_empty() && of(b"\0\xff").is_empty());
    }
}
