//! Alembic's revisions and what each comes after: how far a database is from the newest.

use std::collections::{BTreeMap, BTreeSet};

/// A revision as its file says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revision {
    /// Its id.
    pub id: String,
    /// Those that it comes after; several where branches are merged.
    pub down: Vec<String>,
    /// Those of other branches that it needs, by id or by the label of a branch.
    pub needs: Vec<String>,
    /// The labels of the branch that begins with it.
    pub labels: Vec<String>,
}

/// All revisions of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// What each comes after and needs.
    before: BTreeMap<String, Vec<String>>,
    /// Those that none comes after.
    heads: Vec<String>,
}

impl Chain {
    /// The chain of these revisions.
    ///
    /// # Errors
    /// Why they are none, in words.
    pub fn of(revisions: Vec<Revision>) -> Result<Self, String> {
        let labels: BTreeMap<String, String> = revisions
            .iter()
            .flat_map(|of| of.labels.iter().map(|label| (label.clone(), of.id.clone())))
            .collect();
        let ids: BTreeSet<String> = revisions.iter().map(|of| of.id.clone()).collect();
        let (mut before, mut followed) = (BTreeMap::new(), BTreeSet::new());
        for Revision { id, down, needs, .. } in revisions {
            let mut all = Vec::new();
            for of in &down {
                if !ids.contains(of) {
                    return Err(format!("{id} comes after {of}, which no file is of"));
                }
                followed.insert(of.clone());
                all.push(of.clone());
            }
            for of in &needs {
                let known = ids.get(of).or_else(|| labels.get(of));
                let known = known.ok_or_else(|| format!("{id} needs {of}, which no file is of"))?;
                all.push(known.clone());
            }
            if before.insert(id.clone(), all).is_some() {
                return Err(format!("two files are of the revision {id}"));
            }
        }
        let heads = ids.difference(&followed).cloned().collect();
        let chain = Self { before, heads };
        if chain.is_circular() {
            return Err("its revisions come after each other in a circle".to_owned());
        }
        Ok(chain)
    }

    /// How many revisions there are.
    pub fn count(&self) -> usize {
        self.before.len()
    }

    /// Those that none comes after.
    pub fn heads(&self) -> &[String] {
        &self.heads
    }

    /// How many revisions a database lacks that has come to these.
    ///
    /// # Errors
    /// The first of them that is none of the chain's.
    pub fn behind(&self, reached: &[String]) -> Result<usize, String> {
        let (mut done, mut open) = (BTreeSet::new(), Vec::new());
        for id in reached {
            let (id, _) = self.before.get_key_value(id).ok_or_else(|| id.clone())?;
            open.push(id);
        }
        while let Some(id) = open.pop() {
            if done.insert(id) {
                open.extend(&self.before[id]);
            }
        }
        Ok(self.before.len() - done.len())
    }

    /// Whether some revision comes after itself.
    fn is_circular(&self) -> bool {
        let mut left: BTreeMap<&String, usize> =
            self.before.iter().map(|(id, before)| (id, before.len())).collect();
        let mut after: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        for (id, before) in &self.before {
            before.iter().for_each(|of| after.entry(of).or_default().push(id));
        }
        let mut free: Vec<&String> =
            left.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
        let mut sorted = 0;
        while let Some(id) = free.pop() {
            sorted += 1;
            for next in after.get(id).into_iter().flatten() {
                if let Some(count) = left.get_mut(next) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(next);
                    }
                }
            }
        }
        sorted < self.before.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(id: &str, down: &[&str], needs: &[&str], labels: &[&str]) -> Revision {
        let owned = |of: &[&str]| of.iter().map(|text| (*text).to_owned()).collect();
        Revision {
            id: id.to_owned(),
            down: owned(down),
            needs: owned(needs),
            labels: owned(labels),
        }
    }

    fn behind(chain: &Chain, reached: &[&str]) -> Result<usize, String> {
        let reached: Vec<String> = reached.iter().map(|id| (*id).to_owned()).collect();
        chain.behind(&reached)
    }

    #[test]
    fn a_database_is_behind_by_the_revisions_that_it_has_not_come_to() {
        let chain = Chain::of(vec![
            revision("a", &[], &[], &[]),
            revision("b", &["a"], &[], &[]),
            revision("c", &["b"], &[], &[]),
        ])
        .unwrap();
        assert_eq!((chain.heads(), chain.count()), (&["c".to_owned()][..], 3));
        assert_eq!([behind(&chain, &["c"]), behind(&chain, &["a"])], [Ok(0), Ok(2)]);
        assert_eq!(behind(&chain, &["x"]), Err("x".to_owned()));
        assert_eq!(behind(&chain, &[]), Ok(3));
    }

    #[test]
    fn branches_merges_and_what_is_needed_of_other_branches_count() {
        let chain = Chain::of(vec![
            revision("base", &[], &[], &[]),
            revision("left", &["base"], &[], &[]),
            revision("right", &["base"], &[], &[]),
            revision("merged", &["left", "right"], &[], &[]),
            revision("side", &[], &[], &["audit"]),
            revision("needing", &["merged"], &["audit"], &[]),
            revision("later", &["side"], &[], &[]),
        ])
        .unwrap();
        assert_eq!(chain.heads(), ["later", "needing"]);
        assert_eq!(behind(&chain, &["needing"]), Ok(1));
        assert_eq!(behind(&chain, &["needing", "later"]), Ok(0));
        assert_eq!(behind(&chain, &["left"]), Ok(5));
        assert_eq!(behind(&chain, &["left", "right"]), Ok(4));
    }

    #[test]
    fn revisions_that_are_no_chain_are_told_why() {
        for (revisions, why) in [
            (vec![revision("a", &["x"], &[], &[])], "a comes after x, which no file is of"),
            (vec![revision("a", &[], &["x"], &[])], "a needs x, which no file is of"),
            (vec![revision("a", &[], &[], &[]); 2], "two files are of the revision a"),
            (
                vec![revision("a", &["a"], &[], &[])],
                "its revisions come after each other in a circle",
            ),
            (
                vec![
                    revision("h", &[], &[], &[]),
                    revision("a", &["b"], &[], &[]),
                    revision("b", &["a"], &[], &[]),
                ],
                "its revisions come after each other in a circle",
            ),
        ] {
            assert_eq!(Chain::of(revisions).unwrap_err(), why);
        }
    }

    #[test]
    fn a_long_chain_is_walked() {
        let ids: Vec<String> = (0..5_000).map(|number| format!("{number:05}")).collect();
        let of = |at: usize| {
            revision(
                &ids[at],
                &at.checked_sub(1).map_or(vec![], |at| vec![ids[at].as_str()]),
                &[],
                &[],
            )
        };
        let chain = Chain::of((0..ids.len()).map(of).collect()).unwrap();
        assert_eq!(behind(&chain, &["00010"]), Ok(4_989));
    }
}
