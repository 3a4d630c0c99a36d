//! The parameters that some version of PostgreSQL has or had: a server that does not know one of them
//! is of another version. Any other name is nobody's.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Names in small letters, one a line. Source: `postgres --describe-config` of the servers at hand, and
/// the release notes of 8.0 to 19.
const NAMES: &str = include_str!("settings.txt");

static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| NAMES.lines().collect());

/// Whether some version of PostgreSQL, or an extension (`timescaledb.restoring`), has this parameter.
pub fn is_known(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains('.') || KNOWN.contains(name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_all_versions_are_known_and_made_up_ones_are_not() {
        for name in [
            "default_with_oids",
            "checkpoint_segments",
            "transaction_timeout",
            "DateStyle",
            "io_method",
            "timescaledb.restoring",
        ] {
            assert!(is_known(name), "{name}");
        }
        for name in ["custom_typo_of_search_path", "serach_path", "", "timeout"] {
            assert!(!is_known(name), "{name}");
        }
    }
}
