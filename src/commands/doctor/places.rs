//! Where backups lie, and where something is put for a while: whether it can be listed and written, and has room.

use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use chrono::Utc;
use futures_util::future::join_all;
use rustix::fs::{Access, access};

use super::{aside, clock, senseless};
use crate::commands::list;
use crate::events::Events;
use crate::model::checkup::{Area, Finding, State};
use crate::model::outcome::{counted, spoken};
use crate::packing::room;
use crate::settings::DoctorSettings;
use crate::store::StoreError;
use crate::store::listing::Listed;
use crate::store::new_file::NewFile;
use crate::store::objects::Bucket;
use crate::store::place::{ObjectUrl, Place};

const AREA: Area = Area::Places;

pub(super) async fn examine(settings: &DoctorSettings) -> Vec<Finding> {
    let mut looking = Vec::new();
    let mut senseless_ones = Vec::new();
    match &settings.backup_dir {
        Ok(dir) => looking.push(place("backups".to_owned(), dir.clone())),
        Err(error) => senseless_ones.push(senseless(AREA, "backups", "--backup-dir", error)),
    }
    match &settings.copies {
        Ok(copies) => {
            let copies = copies.iter().enumerate();
            looking
                .extend(copies.map(|(at, copy)| place(format!("copy_{}", at + 1), copy.clone())));
        }
        Err(error) => senseless_ones.push(senseless(AREA, "copies", "[[copies]]", error)),
    }
    let spool = settings.spool.clone();
    let temporary =
        aside((AREA, "temporary", spool.display().to_string()), move || vec![temporary(&spool)]);
    let (found, temporary) = tokio::join!(join_all(looking), temporary);
    found.into_iter().flatten().chain(senseless_ones).chain(temporary).collect()
}

async fn place(id: String, path: PathBuf) -> Vec<Finding> {
    let what = path.display().to_string();
    let named = id.clone();
    aside((AREA, &named, what), move || look(&id, &path)).await
}

fn look(id: &str, path: &Path) -> Vec<Finding> {
    let what = path.display().to_string();
    let of = |state, said: String| Finding::new(AREA, id, what.clone(), state, said);
    let refused = |state, error: &StoreError| {
        of(state, error.to_string()).mended(error.hint().unwrap_or_default())
    };
    let listed = list::listed(path, &Events::silent()).map(|(listed, _)| listed);
    let (listed, there) = match listed {
        Ok(listed) => (Some(inventory(&listed)), Some(listed)),
        // Whoever may only put makes backups all the same.
        Err(error) if error.is_denied() => (None, None),
        Err(StoreError::DirectoryMissing(dir)) => return vec![to_be_made(&dir, of)],
        Err(error) => return vec![refused(State::Broken, &error)],
    };
    let name = format!(".ccc-backup-doctor-{}", std::process::id());
    let tried = NewFile::create(&path.join(name), false).and_then(NewFile::try_out);
    let written = match tried {
        Ok(true) => "can be written to",
        Ok(false) => "whether it can be written to is told only by writing",
        Err(error) => return vec![refused(State::Broken, &error)],
    };
    let inventory = listed.unwrap_or_else(|| "may not be listed".to_owned());
    let state = if there.is_some() { State::Works } else { State::Remark };
    let mut findings = vec![of(state, format!("{inventory}; {written}"))];
    findings.extend(match Place::of(path) {
        Ok(Place::Directory(dir)) => Some(disk(id, &dir, there.as_deref().unwrap_or_default())),
        Ok(Place::Objects(url)) => of_clock(id, &url),
        Err(_) => None,
    });
    findings
}

/// A directory that the first backup makes, where it may.
fn to_be_made(dir: &Path, of: impl Fn(State, String) -> Finding) -> Finding {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let above = absolute.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
    match access(above, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => of(State::NotSetUp, "it is not there yet: the first backup makes it".to_owned()),
        Err(error) => {
            let error = std::io::Error::from(error);
            let said =
                format!("it is not there, and cannot be made in {}: {error}", above.display());
            of(State::Broken, said).mended(
                "make it, for the user that makes the backups: install -d -m 700 -o USER DIR",
            )
        }
    }
}

fn inventory(listed: &[Listed]) -> String {
    let Some(newest) = listed.first() else { return "no backups".to_owned() };
    let age = (Utc::now() - newest.time).to_std().map(|age| format!("{} ago", spoken(age)));
    let age = age.unwrap_or_else(|_| "from the future".to_owned());
    format!("{}, the newest {age}", counted(listed.len() as u64, "backup"))
}

/// Whether there is room for another backup.
fn disk(id: &str, dir: &Path, listed: &[Listed]) -> Finding {
    let of = |state, said| Finding::new(AREA, format!("{id}.disk"), "disk", state, said);
    let free = match room::free(dir) {
        Ok(free) => free,
        Err(error) => return of(State::Unknown, format!("the room is not known: {error}")),
    };
    let newest = listed.first().map_or(0, |newest| newest.bytes);
    let hint = "make room, or remove old backups: ccc-backup cleanup --older-than 30d --dry-run";
    let said = format!("{} free", ByteSize(free));
    match newest {
        0 => of(State::Works, said),
        _ if free < newest => {
            let said = format!("{said}: less than the newest backup has ({})", ByteSize(newest));
            of(State::Broken, said).mended(hint)
        }
        _ if free < newest.saturating_mul(3) => {
            let said = format!("{said}: room for {} of the newest backup's size", free / newest);
            of(State::Remark, said).mended(hint)
        }
        _ => of(State::Works, said),
    }
}

/// What the place's clock says.
fn of_clock(id: &str, url: &ObjectUrl) -> Option<Finding> {
    let ahead = Bucket::of(url).ok()?.ahead()?;
    Some(clock::judge(AREA, &format!("{id}.clock"), "the place's", ahead, true))
}

/// Where something is put for a while: what comes over a network, and local servers.
fn temporary(dir: &Path) -> Finding {
    let what = dir.display().to_string();
    let of = |state, said| Finding::new(AREA, "temporary", what.clone(), state, said);
    let hint = "name a directory that this user may write to: TMPDIR, or --spool DIR";
    match tempfile::tempfile_in(dir).and_then(|_| room::free(dir)) {
        Ok(free) => of(State::Works, format!("temporary files; {} free", ByteSize(free))),
        Err(error) => of(State::Broken, format!("temporary files: {error}")).mended(hint),
    }
}
