//! Which statements of a backup a server will refuse to a role that is no superuser, and what helps.

use std::collections::{BTreeMap, BTreeSet};

use crate::destination::{Facts, Label, LabelRefusal, Rights};
use crate::dump::privileged::{Matter, Need, Privileged};
use crate::pg::quote_ident;

/// Statements that are shown of each kind of trouble; there may be one for every function.
const SHOWN: usize = 20;
const WITHOUT_LABELS: &str = "or a backup without: create -- --no-security-labels";

/// The labels that are set.
pub(super) fn labels(statements: &[Privileged]) -> BTreeSet<Label> {
    statements.iter().filter_map(|of| label(&of.need)).collect()
}

fn label(need: &Need) -> Option<Label> {
    match need {
        Need::Label { provider, text } => {
            Some(Label { provider: provider.clone(), text: text.clone() })
        }
        _ => None,
    }
}

/// What will be refused, one line each, with the cure. Without `rights`, the role is a superuser.
pub(super) fn lines(
    statements: &[Privileged],
    facts: &Facts,
    rights: Option<&Rights>,
    labels: &BTreeMap<Label, LabelRefusal>,
) -> Vec<String> {
    let cure_of = |of: &Privileged| match label(&of.need) {
        Some(label) => labels.get(&label).map(|why| cure_of_label(&label, *why, facts)),
        None => rights
            .filter(|rights| is_refused(&of.need, facts, rights))
            .map(|_| cure(&of.need, facts)),
    };
    let told =
        |of: &Privileged| cure_of(of).map(|cure| format!("line {}, {}: {cure}", of.line, of.text));
    let mut lines: Vec<String> = statements.iter().filter_map(told).collect();
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!("and {more} more statements"));
    }
    let user = quote_ident(&facts.user);
    let closed = rights.into_iter().flat_map(|rights| &rights.closed).map(|place| {
        format!("{} may make nothing in {place}: GRANT CREATE ON it TO {user}", facts.user)
    });
    lines.extend(closed);
    lines
}

/// Whether the role of these rights is refused what needs this.
fn is_refused(need: &Need, facts: &Facts, rights: &Rights) -> bool {
    let is_member = |role: &str| rights.has_rights_of.contains(role);
    match need {
        Need::Superuser(_) => true,
        Need::SessionAuthorization(role) => *role != facts.user,
        Need::Subscription => facts.major < 16 || !is_member("pg_create_subscription"),
        // What is of a role that there is not is passed over.
        Need::RightsOf(role) => facts.roles.contains(role) && !is_member(role),
        Need::Becoming(role) => !rights.becomes.contains(role),
        Need::Setting(name) => rights.settings_refused.contains(name),
        Need::Tablespace(name) => rights.tablespaces_refused.contains(name),
        Need::OwnSchema(name) => rights.schemas_of_others.contains(name),
        Need::Language(name) => rights.languages_refused.contains(name),
        // Its module says so.
        Need::Label { .. } => false,
    }
}

/// What helps where a label is refused.
fn cure_of_label(label: &Label, why: LabelRefusal, facts: &Facts) -> String {
    match (why, &label.provider) {
        (LabelRefusal::NoProvider, Some(name)) => format!(
            "the label provider {name} is not loaded there: add it to shared_preload_libraries of that \
             server, and restart it; {WITHOUT_LABELS}"
        ),
        (LabelRefusal::NoProvider, None) => format!(
            "no label provider is loaded there, or several: add it to shared_preload_libraries of that \
             server, and restart it; {WITHOUT_LABELS}"
        ),
        (LabelRefusal::Rights, _) => format!("{}; {WITHOUT_LABELS}", superuser(facts)),
    }
}

fn superuser(facts: &Facts) -> String {
    match facts.service {
        Some(service) => format!("needs a superuser, or what {service} has in its place"),
        None => "needs a superuser: --username".to_owned(),
    }
}

/// What helps.
fn cure(need: &Need, facts: &Facts) -> String {
    let user = quote_ident(&facts.user);
    let superuser = superuser(facts);
    let without = |option: &str| format!("{superuser}; or a backup without: create -- {option}");
    let granted = |what: &str| format!("have it granted: GRANT {what} TO {user}");
    match need {
        Need::Superuser(Matter::Publication) => without("--no-publications"),
        Need::Superuser(Matter::Catalog | Matter::System) => {
            format!("{superuser}; pg_dump does not write it")
        }
        Need::Superuser(Matter::EventTrigger) => {
            format!("{superuser}; or drop it in the source before the backup, and make it by hand")
        }
        Need::Superuser(_) | Need::Label { .. } => superuser,
        Need::Subscription if facts.major >= 16 => {
            format!(
                "{}; or a backup without: create -- --no-subscriptions",
                granted("pg_create_subscription")
            )
        }
        Need::Subscription => without("--no-subscriptions"),
        Need::RightsOf(role) | Need::Becoming(role) => granted(&quote_ident(role)),
        Need::SessionAuthorization(_) => {
            format!("{superuser}; or a backup without --use-set-session-authorization")
        }
        Need::Setting(name) if facts.major >= 15 => granted(&format!("SET ON PARAMETER {name}")),
        Need::Setting(_) => superuser,
        Need::Tablespace(name) => format!(
            "{}; or a backup without: create -- --no-tablespaces",
            granted(&format!("CREATE ON TABLESPACE {}", quote_ident(name)))
        ),
        Need::OwnSchema(name) => {
            format!(
                "needs the owner of the schema: ALTER SCHEMA {} OWNER TO {user}",
                quote_ident(name)
            )
        }
        Need::Language(name) if name == "c" || name == "internal" => superuser,
        Need::Language(name) => {
            format!("{superuser}; functions in {name} can do anything that the server can")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(major: u32) -> Facts {
        Facts {
            version: major.to_string(),
            major,
            is_standby: false,
            is_read_only: false,
            user: "app".to_owned(),
            is_superuser: false,
            may_create: true,
            roles: BTreeSet::from(["app", "other"].map(str::to_owned)),
            service: None,
        }
    }

    fn of(need: Need) -> Privileged {
        Privileged { need, line: 7, text: "X".to_owned() }
    }

    #[test]
    fn what_is_refused_is_told_with_what_helps_and_other_statements_are_not() {
        let rights = Rights {
            has_rights_of: BTreeSet::from(["app", "pg_create_subscription"].map(str::to_owned)),
            settings_refused: BTreeSet::from(["session_replication_role".to_owned()]),
            ..Rights::default()
        };
        let told = |need, major| lines(&[of(need)], &facts(major), Some(&rights), &BTreeMap::new());
        let setting = |name: &str| Need::Setting(name.to_owned());
        assert_eq!(
            told(setting("session_replication_role"), 15),
            [
                "line 7, X: have it granted: GRANT SET ON PARAMETER session_replication_role TO \"app\""
            ]
        );
        assert_eq!(told(Need::Subscription, 15).len(), 1);
        for need in [
            Need::Subscription,
            setting("work_mem"),
            Need::RightsOf("app".to_owned()),
            Need::RightsOf("not_there".to_owned()),
            Need::Language("plpgsql".to_owned()),
        ] {
            assert_eq!(told(need.clone(), 16), Vec::<String>::new(), "{need:?}");
        }
        let many: Vec<Privileged> =
            (0..SHOWN + 3).map(|_| of(Need::Superuser(Matter::System))).collect();
        let told = lines(&many, &facts(15), Some(&rights), &BTreeMap::new());
        assert_eq!(told.last().map(String::as_str), Some("and 3 more statements"));
    }
}
