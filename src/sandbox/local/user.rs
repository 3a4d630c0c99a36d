//! Whom a local server runs as: PostgreSQL refuses to run as root, and a dump is code.

use std::path::Path;

use crate::process::User;

/// Taken where we are root: it owns nothing. `postgres`, on most machines, owns a live cluster, and what
/// got out of PostgreSQL's walls would own it, too.
const NAME: &str = "nobody";
const USERS: &str = "/etc/passwd";

/// The user to run as, with its name; `Ok(None)` where we are no root, and run it as ourselves.
///
/// # Errors
/// When there is no [`NAME`]; it says so.
pub fn unprivileged() -> Result<Option<(User, String)>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    of_root(Path::new(USERS)).map(Some)
}

fn of_root(users: &Path) -> Result<(User, String), String> {
    let text = std::fs::read_to_string(users).map_err(|error| error.to_string())?;
    numbers(&text, NAME)
        .map(|user| (user, NAME.to_owned()))
        .ok_or_else(|| format!("PostgreSQL does not run as root, and {USERS} has no user {NAME}"))
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
    fn root_runs_it_as_nobody_and_never_as_who_may_own_a_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let users = dir.path().join("passwd");
        let chosen = |text: String| {
            std::fs::write(&users, text).unwrap();
            of_root(&users).map(|(user, name)| (user.uid, user.gid, name))
        };
        let postgres = "postgres:x:105:112::/var/lib/postgresql:/bin/bash\n";
        let found = chosen(format!("{postgres}{TEXT}"));
        assert_eq!(found, Ok((65534, 65534, "nobody".to_owned())));
        assert!(chosen(format!("root:x:0:0::/root:/bin/sh\n{postgres}")).is_err());
    }

    #[test]
    fn a_second_root_is_not_taken() {
        assert_eq!(numbers("nobody:x:0:0::/:/bin/sh", "nobody"), None);
        assert_eq!(numbers("nobody", "nobody"), None);
    }
}
