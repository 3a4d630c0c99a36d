//! The file is the one that was written.

use crate::model::outcome::{CheckResult, Section, Status};

/// Hex digits shown of a checksum that is as it should be.
const SHOWN: usize = 12;

/// Compares the checksum of the file with the manifest's.
pub fn judge(found: &str, in_manifest: &str) -> CheckResult {
    let id = "file.checksum";
    if found.eq_ignore_ascii_case(in_manifest) {
        let short = found.get(..SHOWN).unwrap_or(found);
        let title = format!("Checksum matches the manifest (sha256 {short}…)");
        return CheckResult::new(id, Section::File, Status::Passed, title);
    }
    let title = "Checksum does not match the manifest: this is not the file that was written";
    CheckResult::new(id, Section::File, Status::Failed, title)
        .detail(format!("expected sha256 {in_manifest}"))
        .detail(format!("found    sha256 {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_checksum_fails_and_the_same_passes() {
        assert_eq!(judge("00ff", "00FF").status, Status::Passed);
        assert_eq!(judge("00ff", "00fe").status, Status::Failed);
    }
}
