//! A database on a server that others use, to be restored into.

use crate::destination::mark::{Mark, State};
use crate::destination::{Destination, DestinationError, Found, Had, Request, Standing, names};
use crate::model::locale::Locale;
use crate::pg::quote_ident;

/// How the database of the name comes to be the restored one.
#[derive(Debug)]
pub(in crate::commands) enum Way {
    /// It is restored beside, and takes the name in the end; from the one that has it, where there is one.
    Beside {
        /// The name until then.
        working: String,
        /// The database that has the name.
        gives_way: Option<Found>,
    },
    /// It is there and empty, and is restored into.
    Into {
        /// What it has all the same.
        had: Box<Had>,
        /// Its comment.
        comment: Option<String>,
        /// Its owner and ours are one, so that it bears a mark meanwhile.
        is_ours: bool,
    },
}

/// A database to be restored into, and the server that it is on.
#[derive(Debug)]
pub(in crate::commands) struct Destined {
    /// The server.
    pub destination: Destination,
    /// How.
    pub way: Way,
    /// What the database bears until it is done.
    pub mark: Mark,
}

impl Destined {
    /// Reaches the server, and finds out how the database can be restored there. `mark` says of what, and
    /// since when.
    pub async fn reach(request: &Request, mark: Mark) -> Result<Self, DestinationError> {
        names::check(&request.name)?;
        let destination = Destination::reach(request).await?;
        destination.clear_leftovers().await?;
        let working = || names::beside(&request.name, names::RESTORING, mark.since);
        let facts = destination.facts();
        let way = match destination.standing().await? {
            Standing::Missing if !facts.may_create => {
                let cause = format!(
                    "there is no database {}, and the role {} may not create one",
                    request.name, facts.user
                );
                let user = quote_ident(&facts.user);
                let hint = format!(
                    "have an administrator make an empty one, or ALTER ROLE {user} CREATEDB"
                );
                return Err(DestinationError::new(cause, hint));
            }
            Standing::Missing => Way::Beside { working: working(), gives_way: None },
            Standing::Empty(found) => {
                let earlier = found.half_filled().and_then(|mark| mark.had);
                let had = match earlier {
                    Some(had) => had,
                    None => Box::new(destination.note(&request.name).await?),
                };
                Way::Into { had, comment: found.own_comment(), is_ours: found.is_ours }
            }
            Standing::Filled(found, _) if request.swap => {
                if !facts.may_create || !found.is_ours {
                    let cause = format!(
                        "the role {} may not create databases and rename {}, which --swap does",
                        facts.user, request.name
                    );
                    let hint = "restore as the database's owner with the right to create databases, or \
                                under a name of its own: --as NAME";
                    return Err(DestinationError::new(cause, hint));
                }
                destination.check_holders(&request.name).await?;
                Way::Beside { working: working(), gives_way: Some(found) }
            }
            Standing::Filled(found, _) if found.half_filled().is_some() => {
                return Err(half_filled(&found));
            }
            Standing::Filled(_, objects) => {
                let s = if objects == 1 { "" } else { "s" };
                let cause = format!(
                    "the database {} is not empty: {objects} object{s} in it",
                    request.name
                );
                let hint = "restore beside and switch when it is proven: --swap; or under a name of \
                            its own: --as NAME; or single tables: --table NAME";
                return Err(DestinationError::new(cause, hint));
            }
        };
        Ok(Self { destination, way, mark })
    }

    /// The database that is restored into.
    pub fn database(&self) -> &str {
        match &self.way {
            Way::Beside { working, .. } => working,
            Way::Into { .. } => self.destination.name(),
        }
    }

    /// Makes it, where it is not there. Another one beside it, for a comparison, bears the same mark.
    pub async fn create_database(
        &self,
        name: &str,
        locale: &Locale,
    ) -> Result<Option<String>, DestinationError> {
        match self.filling().filter(|_| name == self.destination.name()) {
            Some(mark) => self.destination.mark(name, &mark).await.map(|()| None),
            None if name == self.destination.name() => Ok(None),
            None => self.destination.create(name, locale, &self.mark).await,
        }
    }

    /// What a database bears that was there and is ours, while it is restored into.
    fn filling(&self) -> Option<Mark> {
        let Way::Into { had, comment, is_ours: true } = &self.way else { return None };
        let (comment, had) = (comment.clone(), Some(had.clone()));
        Some(Mark { state: State::Filling, comment, had, ..self.mark.clone() })
    }

    /// Removes it, or what was put into it.
    pub async fn drop_database(&self, name: &str) -> Result<(), DestinationError> {
        match &self.way {
            Way::Into { had, .. } if name == self.destination.name() => {
                self.destination.empty(name, had).await
            }
            _ => self.destination.drop(name).await,
        }
    }

    /// Removes what was made of it.
    pub async fn clear_away(&self) -> Result<(), DestinationError> {
        self.drop_database(self.database()).await?;
        self.unmark().await
    }

    /// Takes the mark off a database that was there.
    pub async fn unmark(&self) -> Result<(), DestinationError> {
        match self.filling() {
            Some(mark) => self.destination.unmark(self.destination.name(), &mark).await,
            None => Ok(()),
        }
    }

    /// Notes on the database that it is proven, so that a run that ends here loses nothing.
    pub async fn note_proven(&self) -> Result<(), DestinationError> {
        match &self.way {
            Way::Beside { working, .. } => {
                let mark = Mark { state: State::Proven, ..self.mark.clone() };
                self.destination.mark(working, &mark).await
            }
            Way::Into { .. } => {
                // Who may not comment on it leaves no mark to be taken off.
                self.destination.settle().await;
                self.unmark().await
            }
        }
    }
}

/// What an earlier run left in a database that was empty. It is not removed by itself: who has the database may
/// use it since.
fn half_filled(found: &Found) -> DestinationError {
    let cause = match found.half_filled() {
        Some(mark) => format!(
            "the database {} holds what a restore of {} left that was cut short, begun at {} UTC",
            found.name,
            mark.backup,
            mark.since.format("%Y-%m-%d %H:%M:%S")
        ),
        None => format!("the database {} is not empty", found.name),
    };
    let hint =
        "have that removed: restore --undo; or restore beside and switch when it is proven: --swap";
    DestinationError::new(cause, hint)
}
