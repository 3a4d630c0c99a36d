//! Whom a local server runs as: PostgreSQL refuses to run as root, and a dump is code.

use crate::process::User;

/// Taken where we are root: it owns nothing. `postgres`, on most machines, owns a live cluster, and what
/// got out of PostgreSQL's walls would own it, too.
const NAME: &str = "nobody";

/// The user to run as, with its name; `Ok(None)` where we are no root, and run it as ourselves.
///
/// # Errors
/// When there is no [`NAME`]; it says so.
pub fn unprivileged() -> Result<Option<(User, String)>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    of_root(|name| {
        let user = uzers::get_user_by_name(name)?;
        Some(User { uid: user.uid(), gid: user.primary_group_id() })
    })
    .map(Some)
}

fn of_root(user_named: impl Fn(&str) -> Option<User>) -> Result<(User, String), String> {
    user_named(NAME)
        // Another name of root is no way out.
        .filter(|user| user.uid != 0)
        .map(|user| (user, NAME.to_owned()))
        .ok_or_else(|| {
            format!("PostgreSQL does not run as root, and the system has no user {NAME}")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(users: &[(&str, u32)]) -> Result<(u32, String), String> {
        let numbered = |(_, uid): &(&str, u32)| User { uid: *uid, gid: *uid };
        of_root(|name| users.iter().find(|user| user.0 == name).map(numbered))
            .map(|(user, name)| (user.uid, name))
    }

    #[test]
    fn root_runs_it_as_nobody_and_never_as_who_may_own_a_cluster() {
        let users = [("root", 0), ("postgres", 105), ("nobody", 65534)];
        assert_eq!(chosen(&users), Ok((65534, "nobody".to_owned())));
        let error = chosen(&users[..2]).unwrap_err();
        assert!(error.ends_with("the system has no user nobody"), "{error}");
    }

    #[test]
    fn a_second_root_is_not_taken() {
        assert!(chosen(&[("nobody", 0)]).is_err());
    }
}
