//! What a version of PostgreSQL's says.

/// The major version in any version, such as 15 in `15.18 (Debian 15.18-0+deb12u1)`.
pub fn major_of(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_begins_with_its_major_version() {
        assert_eq!(major_of("15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_of("devel"), None);
    }
}
