//! The file is the one that was written.

use crate::model::files::FileFacts;
use crate::model::outcome::{CheckResult, Section, Status};

/// Hex digits shown of a checksum that is as it should be.
const SHOWN: usize = 12;

/// The bytes of a backup.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a> {
    /// The one checksum of the backup, in hex.
    pub sha256: &'a str,
    /// The files of a directory, where those are known.
    pub files: &'a [FileFacts],
}

/// Compares the checksum of the backup with the manifest's. Of a directory it says which files differ.
pub fn judge(found: Bytes<'_>, in_manifest: Bytes<'_>) -> CheckResult {
    let id = "file.checksum";
    if found.sha256.eq_ignore_ascii_case(in_manifest.sha256) {
        let short = found.sha256.get(..SHOWN).unwrap_or(found.sha256);
        let title = format!("Checksum matches the manifest (sha256 {short}…)");
        return CheckResult::new(id, Section::File, Status::Passed, title);
    }
    let mut differing = match in_manifest.files {
        [] => Vec::new(),
        recorded => differing(found.files, recorded),
    };
    let said = match differing.first() {
        None => "this is not the file that was written".to_owned(),
        Some(first) if differing.len() == 1 => first.clone(),
        Some(first) => format!("{} files differ, the first: {first}", differing.len()),
    };
    let title = format!("Checksum does not match the manifest: {said}");
    let mut result = CheckResult::new(id, Section::File, Status::Failed, title)
        .detail(format!("expected sha256 {}", in_manifest.sha256))
        .detail(format!("found    sha256 {}", found.sha256));
    if differing.len() > 1 {
        result.details.append(&mut differing);
    }
    result
}

/// What is wrong with each file that is not as it was written.
fn differing(found: &[FileFacts], recorded: &[FileFacts]) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in recorded {
        let name = &file.name;
        match found.iter().find(|of| of.name == *name) {
            None => wrong.push(format!("{name} is missing")),
            Some(of) if of != file => wrong.push(format!("{name} is not what was written")),
            Some(_) => {}
        }
    }
    let is_new = |file: &&FileFacts| recorded.iter().all(|of| of.name != file.name);
    wrong.extend(found.iter().filter(is_new).map(|file| format!("{} was not written", file.name)));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(sha256: &str) -> Bytes<'_> {
        Bytes { sha256, files: &[] }
    }

    #[test]
    fn another_checksum_fails_and_the_same_passes() {
        assert_eq!(judge(whole("00ff"), whole("00FF")).status, Status::Passed);
        assert_eq!(judge(whole("00ff"), whole("00fe")).status, Status::Failed);
    }

    #[test]
    fn the_files_of_a_directory_that_differ_are_named() {
        let file = |name: &str, sha256: &str| FileFacts {
            name: name.into(),
            bytes: 1,
            sha256: sha256.into(),
        };
        let written = [file("1.dat", "a"), file("2.dat", "b"), file("toc.dat", "c")];
        let title = |found: &[FileFacts]| {
            let found = Bytes { sha256: "0", files: found };
            let judged = judge(found, Bytes { sha256: "1", files: &written });
            (judged.title.split_once(": ").unwrap().1.to_owned(), judged.details.len())
        };
        let changed = [file("1.dat", "x"), file("2.dat", "b"), file("toc.dat", "c")];
        assert_eq!(title(&changed), ("1.dat is not what was written".to_owned(), 2));
        let other = [file("2.dat", "b"), file("3.dat", "b"), file("toc.dat", "c")];
        assert_eq!(title(&other), ("2 files differ, the first: 1.dat is missing".to_owned(), 4));
        let bare = judge(Bytes { sha256: "0", files: &changed }, whole("1"));
        assert!(bare.title.ends_with("not the file that was written"), "{}", bare.title);
    }
}
