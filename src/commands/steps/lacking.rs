//! What is said where the sandbox lacks something that the backup needs.

use super::obstacles::obstacle;
use crate::model::outcome::Obstacle;
use crate::restore::Restored;
use crate::restore::known::{Server, Whose};
use crate::restore::lacking::Lack;

/// Lacks that are named in one sentence.
const MOST_NAMED: usize = 5;

/// What stands in the way where the server lacks something: what it is, the first statement that was
/// refused for it, and what helps.
pub(in crate::commands) fn obstacle_of(restored: &Restored, server: Server) -> Option<Obstacle> {
    let first = restored.lacking.first()?;
    let refused = first.failure.to_string();
    let refused = refused.lines().next().unwrap_or_default();
    if first.lack == Lack::Superuser {
        let cause = format!("the backup does what only a superuser may: {refused}");
        return Some(obstacle(&cause, &first.lack.hint(server)));
    }
    let (mut lacks, mut hints): (Vec<String>, Vec<String>) = Default::default();
    for lacking in &restored.lacking {
        let (lack, hint) = (lacking.lack.to_string(), lacking.lack.hint(server));
        if !lacks.contains(&lack) && lacks.len() < MOST_NAMED {
            lacks.push(lack);
            hints.push(hint);
        }
    }
    hints.dedup();
    let whose = match server.whose {
        Whose::Image | Whose::Machine => "the sandbox",
        Whose::Others => "the server",
    };
    let cause = format!("{whose} lacks {}: {refused}", lacks.join(", and "));
    Some(obstacle(&cause, &hints.join("; ")))
}
