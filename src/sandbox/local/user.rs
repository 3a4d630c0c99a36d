//! Whom a local server runs as: PostgreSQL refuses to run as root, and a dump is code.

use std::path::Path;

use crate::process::User;

/// Taken in this order, where we are root.
const NAMES: [&str; 2] = ["postgres", "nobody"];
const USERS: &str = "/etc/passwd";

/// The user to run as, with its name; `Ok(None)` where we are no root, and run it as ourselves.
///
/// # Errors
/// When there is none of [`NAMES`]; it says so.
pub fn unprivileged() -> Result<Option<(User, String)>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    of_root(Path::new(USERS)).map(Some)
}

fn of_root(users: &Path) -> Result<(User, String), String> {
    let text = std::fs::read_to_string(users).map_err(|error| error.to_string())?;
    NAMES
        .iter()
        .find_map(|name| Some((numbers(&text, name)?, (*name).to_owned())))
        .ok_or_else(|| format!("PostgreSQL does not run as root, and {USERS} has no user postgres"))
}

/// A user's line of `/etc/passwd` (passwd(5)).
fn numbers(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        // Another name of root is no way out.
        (uid != 0).then_some(User { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "root:x:0:0:root:/root:/bin/sh\n\
        nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";

    #[test]
    fn postgres_is_taken_before_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let users = dir.path().join("passwd");
        let chosen = |text: String| {
            std::fs::write(&users, text).unwrap();
            of_root(&users).map(|(user, name)| (user.uid, user.gid, name))
        };
        let with = format!("{TEXT}postgres:x:105:112::/var/lib/postgresql:/bin/bash\n");
        assert_eq!(chosen(with), Ok((105, 112, "postgres".to_owned())));
        assert_eq!(chosen(TEXT.to_owned()), Ok((65534, 65534, "nobody".to_owned())));
        assert!(chosen("root:x:0:0::/root:/bin/sh\n".to_owned()).is_err());
    }

    #[test]
    fn a_second_root_is_not_taken() {
        assert_eq!(numbers("postgres:x:0:0::/:/bin/sh", "postgres"), None);
        assert_eq!(numbers("postgres", "postgres"), None);
    }
}
