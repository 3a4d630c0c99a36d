//! Rows of an extension's own tables that another version of it does not take.

use super::obstacles::obstacle;
use super::target::Target;
use crate::checks::extensions::{self, Member};
use crate::model::outcome::Obstacle;
use crate::pg::quote_ident;
use crate::restore::Failure;

/// `undefined_column`: what a COPY is refused for whose columns the table has not.
const NO_SUCH_COLUMN: &str = "42703";

/// The refusals that are left when those are taken out which come of another version of an extension than the
/// source's, and what that means. The tables of an extension are the server's, not the dump's: where one has not the
/// columns of its rows, those and the rows of its other tables prove nothing.
pub(in crate::commands) async fn weigh(
    target: Target<'_>,
    errors: &[Failure],
) -> (Vec<Failure>, Option<Obstacle>) {
    let all = || (errors.to_vec(), None);
    let is_of_columns =
        |failure: &&Failure| failure.error.code == NO_SUCH_COLUMN && is_copy(failure);
    if !errors.iter().any(|failure| is_of_columns(&failure)) {
        return all();
    }
    let asked = async {
        let session = target.connect_info().connect().await.ok()?;
        extensions::members(&session).await.ok()
    };
    let Some(members) = asked.await else { return all() };
    let member_of = |failure: &Failure| members.iter().find(|member| is_rows_of(failure, member));
    let found = errors
        .iter()
        .filter(is_of_columns)
        .find_map(|failure| Some((failure, member_of(failure)?)));
    let Some((first, member)) = found else { return all() };
    let (name, _) = member.extension();
    let rest = errors
        .iter()
        .filter(|failure| member_of(failure).is_none_or(|member| member.extension().0 != name))
        .cloned()
        .collect();
    let cause = format!(
        "the extension {name} is of another version than the source's: {}",
        first.error.message
    );
    let hint = "use an image that has the source's version of it (--image IMAGE)";
    (rest, Some(obstacle(&cause, hint)))
}

fn is_copy(failure: &Failure) -> bool {
    failure.statement.starts_with("COPY ")
}

/// Whether it is a COPY into this table.
fn is_rows_of(failure: &Failure, member: &Member) -> bool {
    let (schema, table) = member.table();
    let bare = format!("COPY {schema}.{table} ");
    let quoted = format!("COPY {}.{} ", quote_ident(schema), quote_ident(table));
    failure.statement.starts_with(&bare) || failure.statement.starts_with(&quoted)
}
