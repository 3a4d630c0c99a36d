//! What `create` makes: its format and compression, by its options and by the name of the output.

use std::path::Path;

use super::{SettingsError, cores};
use crate::model::format::Format;
use crate::model::packing::Packing;
use crate::model::suffix::{Suffix, Writer};
use crate::packing::codec::Codec;

/// The format: as `--format` says, else as the name of the output does, else SQL. The two must not
/// contradict each other.
pub(super) fn format_for(
    asked: Option<&str>,
    output: Option<&Path>,
) -> Result<Format, SettingsError> {
    let asked = asked.and_then(Format::named);
    let named = output.and_then(suffix_of).filter(|suffix| suffix.writer != Writer::Others);
    let named = named.map(|suffix| suffix.format);
    match (asked, named) {
        (Some(asked), Some(named)) if asked != named => Err(SettingsError {
            message: format!(
                "{} would not be what its name says with --format {asked}",
                output.unwrap_or(Path::new("")).display()
            ),
            hint: format!("leave out one of them, or use --format {named}"),
        }),
        (asked, named) => Ok(asked.or(named).unwrap_or_default()),
    }
}

/// How many connections to the source read rows at a time.
pub(super) fn jobs_for(format: Format, asked: Option<u16>) -> Result<usize, SettingsError> {
    const MOST: usize = 4;
    match (format, asked) {
        (Format::Custom | Format::Tar, Some(_)) => Err(SettingsError {
            message: format!("--jobs: pg_dump dumps the format {format} one table at a time"),
            hint: "leave --jobs out, or take --format plain or directory".to_owned(),
        }),
        (_, Some(asked)) => Ok(asked.into()),
        (Format::Directory, None) => Ok(cores().min(MOST)),
        (_, None) => Ok(1),
    }
}

/// How the output is packed: as `--compress` says, else as the name of the output does, else by
/// gzip. The two must not contradict each other. The name of an archive says nothing of it.
pub(super) fn codec(
    format: Format,
    asked: Option<&str>,
    output: Option<&Path>,
) -> Result<Codec, SettingsError> {
    let asked = asked.map(method).transpose()?;
    match (format, asked) {
        (Format::Plain, _) => {}
        (Format::Tar, None | Some(Codec::None)) => return Ok(Codec::None),
        (Format::Tar, Some(_)) => {
            return Err(SettingsError {
                message: "archives of the format tar are not compressed".to_owned(),
                hint: "leave --compress out, or take --format custom".to_owned(),
            });
        }
        (Format::Custom | Format::Directory, asked) => return Ok(asked.unwrap_or_default()),
    }
    let named = output.and_then(suffix_of).filter(|suffix| suffix.packing != Packing::None);
    let named = named.map(|suffix| Codec::of(suffix.packing).ok_or(suffix.text));
    let name = || output.unwrap_or(Path::new("")).display();
    match (asked, named) {
        (asked, None) => Ok(asked.unwrap_or_default()),
        (None, Some(Ok(codec))) => Ok(codec),
        (Some(codec), Some(Ok(named))) if codec.packing() == named.packing() => Ok(codec),
        (Some(codec), Some(Ok(named))) => Err(SettingsError {
            message: format!(
                "{} would not be what its name says with --compress {}",
                name(),
                codec.packing()
            ),
            hint: format!("leave out one of them, or use --compress {}", named.packing()),
        }),
        (_, Some(Err(suffix))) => Err(SettingsError {
            message: format!("{}: create does not write {suffix}", name()),
            hint: "end the name in .sql.gz or .sql.zst, or in .sql with --compress none".to_owned(),
        }),
    }
}

fn suffix_of(output: &Path) -> Option<Suffix> {
    output.file_name().and_then(Suffix::of)
}

/// Reads `gzip`, `gzip:9`, `zstd`, `zstd:19` or `none`.
fn method(text: &str) -> Result<Codec, SettingsError> {
    let wrong = || SettingsError {
        message: format!("--compress {text} is not a method"),
        hint: "use gzip, gzip:1 to gzip:9, zstd, zstd:1 to zstd:19, or none".to_owned(),
    };
    let (method, level) = match text.split_once(':') {
        None => (text, None),
        Some((method, level)) => (method, Some(level.parse().map_err(|_| wrong())?)),
    };
    match (method, level) {
        ("none", None) => Ok(Codec::None),
        ("gzip", None) => Ok(Codec::default()),
        ("zstd", None) => Codec::of(Packing::Zstd).ok_or_else(wrong),
        ("gzip", Some(level @ 1..=9)) => Ok(Codec::Gzip { level }),
        ("zstd", Some(level @ 1..=19)) => Ok(Codec::Zstd { level }),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::create::tests::created;
    use super::*;

    #[test]
    fn compression_is_a_method_and_a_level() {
        for (text, expected) in [
            ("gzip", Codec::Gzip { level: 6 }),
            ("gzip:9", Codec::Gzip { level: 9 }),
            ("zstd", Codec::Zstd { level: 3 }),
            ("zstd:19", Codec::Zstd { level: 19 }),
            ("none", Codec::None),
        ] {
            assert_eq!(method(text).unwrap(), expected, "{text}");
        }
        for wrong in
            ["gzip:0", "gzip:10", "gzip:", "gzip:+1x", "zstd:0", "zstd:20", "lz4", "none:1", ""]
        {
            let error = method(wrong).unwrap_err();
            assert!(error.hint.contains("zstd:1 to zstd:19"), "{wrong}");
        }
    }

    #[test]
    fn the_format_is_asked_for_or_named_and_the_two_do_not_contradict_each_other() {
        let format = |flags: &[&str]| created(flags, &[]).map(|settings| settings.format);
        for (flags, expected) in [
            (&[][..], Format::Plain),
            (&["x"], Format::Plain),
            (&["x", "--format=tar"], Format::Tar),
            (&["x.dump"], Format::Custom),
            (&["x.dir"], Format::Directory),
            (&["x.tar", "--format=tar"], Format::Tar),
            (&["x.sql.gz", "--format=plain"], Format::Plain),
        ] {
            assert_eq!(format(flags).unwrap(), expected, "{flags:?}");
        }
        for wrong in ["x.sql", "x.sql.gz", "x.zst", "x.tar"] {
            let error = format(&[wrong, "--format=custom"]).unwrap_err();
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }

    #[test]
    fn an_archive_is_compressed_as_asked_and_a_tar_archive_is_not() {
        let codec = |flags: &[&str]| created(flags, &[]).map(|settings| settings.codec);
        assert_eq!(codec(&["--format=custom"]).unwrap(), Codec::default());
        assert_eq!(codec(&["x.dump", "--compress=zstd"]).unwrap(), Codec::Zstd { level: 3 });
        assert_eq!(codec(&["--format=tar"]).unwrap(), Codec::None);
        assert_eq!(codec(&["--format=tar", "--compress=none"]).unwrap(), Codec::None);
        assert!(codec(&["--format=tar", "--compress=gzip"]).is_err());
        assert!(codec(&["--format=tar", "--jobs=2"]).is_err());
    }

    #[test]
    fn the_name_of_the_output_says_how_it_is_packed_where_no_flag_does() {
        let codec_for = |name: &str| created(&[name], &[]).unwrap().codec;
        assert_eq!(codec_for("x.sql.zst"), Codec::Zstd { level: 3 });
        assert_eq!(codec_for("x.sql.gz"), Codec::default());
        assert_eq!(codec_for("x.sql"), Codec::default());
        assert_eq!(created(&[], &[]).unwrap().codec, Codec::default());
        let level = created(&["x.sql.zst", "--compress=zstd:9"], &[]).unwrap().codec;
        assert_eq!(level, Codec::Zstd { level: 9 });
        assert_eq!(created(&["x.sql", "--compress=none"], &[]).unwrap().codec, Codec::None);
    }

    #[test]
    fn a_name_and_a_flag_that_contradict_each_other_are_refused() {
        for (name, flag, instead) in [
            ("x.sql.gz", "--compress=zstd", "--compress gzip"),
            ("x.sql.zst", "--compress=gzip:6", "--compress zstd"),
            ("x.sql.gz", "--compress=none", "--compress gzip"),
        ] {
            let error = created(&[name, flag], &[]).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            assert!(error.hint.contains(instead), "{}", error.hint);
        }
        let error = created(&["x.sql.xz"], &[]).unwrap_err();
        assert_eq!(error.to_string(), "x.sql.xz: create does not write .xz");
    }
}
