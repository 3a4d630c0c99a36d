//! Reads a dump, or a part of one, and hands out the rows that are wanted.

use std::io::Read;
use std::ops::ControlFlow;

use super::{Failure, Take, Watch, failing};
use crate::dump::items::{Items, ItemsError};
use crate::dump::picking::{Picker, TableName};
use crate::packing::metered::Meter;

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// All tables with rows, wanted or not.
    pub tables: Vec<TableName>,
    /// Where it ended too early.
    pub error: Option<ItemsError>,
}

/// Reads to the end, or until `take` has enough.
///
/// # Errors
/// When it was asked to stop.
pub(super) fn pick(
    stream: impl Read,
    wants: &dyn Fn(&TableName) -> bool,
    meter: &Meter,
    watch: &Watch,
    take: Take<'_>,
) -> Result<(Found, ControlFlow<()>), Failure> {
    let mut items = Items::new(stream);
    let (mut picker, mut pieces) = (Picker::new(wants), Vec::new());
    let mut error = None;
    let mut flow = ControlFlow::Continue(());
    let mut ended = false;
    while !ended && flow.is_continue() {
        if watch.cancel.is_cancelled() {
            return Err(failing::interrupted());
        }
        match items.pull() {
            Ok(Some(item)) => picker.take(item, items.encoding(), &mut pieces),
            Ok(None) => {
                picker.end(&mut pieces);
                ended = true;
            }
            Err(stopped) => {
                error = Some(stopped);
                ended = true;
            }
        }
        (watch.progress)(meter.bytes());
        flow = pieces.drain(..).try_for_each(&mut *take);
    }
    Ok((Found { tables: picker.seen().to_vec(), error }, flow))
}
