//! The signature of the backup that was opened: noted before anything of the backup is run, for a dump is code.

use super::context::Surroundings;
use super::findings::Notes;
use crate::archive::Storage;
use crate::commands::signature::{self, Said, Signed};
use crate::model::outcome::{Defect, Obstacle};
use crate::signing::AllowedSigners;
use crate::store::globals::globals_path;
use crate::store::manifest::Outline;
use crate::store::naming::manifest_path;
use crate::store::place::is_url;
use crate::store::small;

/// Notes the signature. Gives whether the backup may be looked into.
pub(in crate::commands) fn note(
    around: Surroundings<'_>,
    storage: &Storage,
    manifest: Option<(&Outline, &[u8])>,
    notes: &mut Notes<'_>,
) -> Result<bool, Obstacle> {
    let (backup, allowed) = (storage.path(), around.proof.allowed_signers.as_ref());
    let path = manifest_path(backup);
    let signed = manifest.map(|(manifest, bytes)| Signed { path: &path, bytes, manifest, backup });
    let said = match signature::judge(backup, signed, allowed)? {
        Ok(said) => said,
        Err(_) if storage.has_changed() => return Err(super::obstacles::changed()),
        Err(defect) => {
            notes.defect(defect);
            return Ok(false);
        }
    };
    match said {
        Said::Nothing => {}
        Said::Check(check) => notes.check(check),
        Said::Warning(text) => notes.warn(text),
    }
    let globals = match manifest {
        Some((manifest, _)) => globals_defect(storage, manifest, allowed)?,
        None => None,
    };
    let is_good = globals.is_none();
    globals.into_iter().for_each(|defect| notes.defect(defect));
    Ok(is_good)
}

/// What is wrong with the globals beside a backup that has to be signed: they are as the manifest names them.
fn globals_defect(
    storage: &Storage,
    manifest: &Outline,
    allowed: Option<&AllowedSigners>,
) -> Result<Option<Defect>, Obstacle> {
    // Those that the manifest does not name are another backup's, and are not taken.
    if allowed.and(manifest.globals.as_ref()).is_none() {
        return Ok(None);
    }
    let path = globals_path(storage.path());
    // None that are there cannot be wrong, and of a disk, none that cannot be read are taken.
    let sql = match small::read_globals(&path) {
        Ok(sql) => sql,
        Err(error) if is_url(&path) => {
            return Err(Obstacle { cause: error.to_string(), hint: error.hint() });
        }
        Err(_) => None,
    };
    Ok(sql.and_then(|sql| signature::globals_defect(&path, &sql, manifest)))
}
