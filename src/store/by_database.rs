//! Which backups are of the same database.

use std::collections::{BTreeMap, BTreeSet};

/// Parts what lies in one place by its databases; `database` says which, where it is known. What nobody knows the database
/// of counts with the only one that there is, and beside several by itself.
pub fn by_database<T>(
    all: Vec<T>,
    database: impl Fn(&T) -> Option<&str>,
) -> BTreeMap<Option<String>, Vec<T>> {
    let known: BTreeSet<&str> = all.iter().filter_map(&database).collect();
    let only = known.first().filter(|_| known.len() == 1).map(|only| (*only).to_owned());
    let mut parts: BTreeMap<Option<String>, Vec<T>> = BTreeMap::new();
    for one in all {
        let of = database(&one).map(str::to_owned).or_else(|| only.clone());
        parts.entry(of).or_default().push(one);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_counts_with_the_only_database_and_beside_several_by_itself() {
        let parts = |all: &[Option<&'static str>]| {
            let parts = by_database(all.to_vec(), |one| *one);
            parts.into_iter().map(|(of, all)| (of, all.len())).collect::<Vec<_>>()
        };
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(parts(&[Some("a"), None, Some("a"), None]), [(named("a"), 4)]);
        assert_eq!(parts(&[None, None]), [(None, 2)]);
        let several = [(None, 1), (named("a"), 1), (named("b"), 2)];
        assert_eq!(parts(&[Some("b"), Some("a"), None, Some("b")]), several);
        assert_eq!(parts(&[]), []);
    }
}
