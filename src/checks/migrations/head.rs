//! How far the restored revision is from the application's newest.

use super::chain::Chain;
use crate::model::outcome::{CheckResult, HEAD, Section, Status, counted};

/// The application's revisions, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Newest {
    /// All of them.
    All(Chain),
    /// Those that none comes after.
    Heads(Vec<String>),
}

/// Holds the restored revisions to the application's, which are those of `place`.
pub fn judge(restored: &[String], newest: &Newest, place: &str, require_head: bool) -> CheckResult {
    let result = |status, title: String| CheckResult::new(HEAD, Section::Migrations, status, title);
    let away = if require_head { Status::Failed } else { Status::Warned };
    let (is, heads) = (restored.join(", "), newest.heads().join(", "));
    let head = if newest.heads().len() == 1 { "head" } else { "heads" };
    let at_head =
        || result(Status::Passed, format!("Migrations are at the {head} of {place}: {heads}"));
    match newest {
        Newest::All(chain) => match chain.behind(restored) {
            Ok(0) => at_head(),
            Ok(behind) => {
                let away_by = counted(behind as u64, "revision");
                result(
                    away,
                    format!("Migrations are {away_by} behind the {head} of {place}, {heads}: {is}"),
                )
            }
            Err(unknown) => {
                let all = counted(chain.count() as u64, "revision");
                let title = format!("Migration version {unknown} is none of the {all} of {place}");
                result(Status::Failed, title)
                    .detail("the database is of newer code, or of another application's: look at the code that this is compared with")
            }
        },
        Newest::Heads(known) => {
            let mut sorted = [restored.to_vec(), known.clone()];
            sorted.iter_mut().for_each(|of| of.sort());
            if sorted[0] == sorted[1] {
                return at_head();
            }
            result(away, format!("Migrations are not at the {head} of {place}, {heads}: {is}"))
                .detail("by how many revisions, and whether they are known, `alembic history` would tell")
        }
    }
}

/// The application's revisions could not be told, for this reason.
pub fn not_compared(why: &str) -> CheckResult {
    let title = format!("Migrations are not compared with the application's: {why}");
    CheckResult::new(HEAD, Section::Migrations, Status::NotRun, title)
        .detail("a command can list them: [checks.migrations] command = \"alembic heads\" in ccc-backup.toml")
}

impl Newest {
    fn heads(&self) -> &[String] {
        match self {
            Self::All(chain) => chain.heads(),
            Self::Heads(heads) => heads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::Revision;
    use super::*;

    fn chain(ids: &[&str]) -> Newest {
        let mut down = Vec::new();
        let of = |id: &&str| {
            let id = (*id).to_owned();
            let down = std::mem::replace(&mut down, vec![id.clone()]);
            Revision { id, down, ..Revision::default() }
        };
        Newest::All(Chain::of(ids.iter().map(of).collect()).unwrap())
    }

    fn judged(restored: &str, newest: &Newest, require_head: bool) -> (Status, String) {
        let check = judge(&[restored.to_owned()], newest, "alembic/versions", require_head);
        assert!(!check.is_about_the_backup());
        (check.status, check.title)
    }

    #[test]
    fn the_distance_from_the_head_is_said_and_fails_only_where_it_is_demanded() {
        let chain = chain(&["a", "b", "c"]);
        assert_eq!(
            judged("c", &chain, true),
            (Status::Passed, "Migrations are at the head of alembic/versions: c".to_owned())
        );
        let behind = "Migrations are 2 revisions behind the head of alembic/versions, c: a";
        assert_eq!(judged("a", &chain, false), (Status::Warned, behind.to_owned()));
        assert_eq!(judged("a", &chain, true), (Status::Failed, behind.to_owned()));
        let (status, title) = judged("z", &chain, false);
        assert_eq!(
            (status, title.as_str()),
            (Status::Failed, "Migration version z is none of the 3 revisions of alembic/versions")
        );
    }

    #[test]
    fn where_only_heads_are_known_it_is_told_whether_it_is_one() {
        let heads = Newest::Heads(vec!["c".to_owned()]);
        assert_eq!(judged("c", &heads, false).0, Status::Passed);
        assert_eq!(judged("a", &heads, false).0, Status::Warned);
        assert_eq!(judged("a", &heads, true).0, Status::Failed);
        assert_eq!(not_compared("no reason").status, Status::NotRun);
    }
}
