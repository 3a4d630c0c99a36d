//! Memory and processors that the throwaway server may take, as flags and configuration say it.

use parse_size::Config;

use super::SettingsError;

/// A server with less does not get through a restore.
const LEAST_MEMORY: u64 = 256 * MIB;
/// The engine's own least share of a processor.
const LEAST_CPUS: f64 = 0.01;
/// More than any machine has, and far from where a number of billionths ends.
const MOST_CPUS: f64 = 65_536.0;
const MIB: u64 = 1 << 20;
const BILLION: u32 = 1_000_000_000;

/// Reads a size such as `4GB` or `512MB`, in bytes; units are powers of 1024, as PostgreSQL's and
/// Docker's are.
///
/// # Errors
/// When it is no such size, or so small that no server could work with it.
pub fn memory(text: &str) -> Result<u64, SettingsError> {
    let wrong = |why: &str, hint: &str| SettingsError {
        message: format!("the memory {text} {why}"),
        hint: hint.to_owned(),
    };
    let text = text.trim();
    let bytes = Config::new().with_binary().parse_size(text).ok();
    // A number without a unit would be bytes, which nobody means. The engine counts in numbers with
    // a sign.
    let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
    match bytes.filter(|bytes| has_unit && i64::try_from(*bytes).is_ok()) {
        None => {
            Err(wrong("is no size", "write a number and a unit, such as --memory 4GB or 512MB"))
        }
        Some(bytes) if bytes < LEAST_MEMORY => Err(wrong(
            "is too little for a PostgreSQL server",
            "give it 256MB at the least; twice the dump's size restores well",
        )),
        Some(bytes) => Ok(bytes),
    }
}

/// A number of processors in billionths.
///
/// # Errors
/// When it is no number, or none that an engine takes.
pub fn nano_cpus(cpus: f64) -> Result<u64, SettingsError> {
    if !(LEAST_CPUS..=MOST_CPUS).contains(&cpus) {
        return Err(SettingsError {
            message: format!("{cpus} is no number of processors"),
            hint: "write a number from 0.01 on, such as --cpus 1.5".to_owned(),
        });
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "10^7 to 10^14")]
    let billionths = (cpus * f64::from(BILLION)).round() as u64;
    Ok(billionths)
}

/// As many connections as there are cores, and no more than the server may use of them.
pub fn jobs(cores: usize, nano_cpus: Option<u64>) -> usize {
    let most = nano_cpus.and_then(|most| usize::try_from(most.div_ceil(BILLION.into())).ok());
    most.map_or(cores, |most| most.clamp(1, cores))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_connections_are_made_than_the_server_has_processors() {
        let with = |nano_cpus| jobs(8, nano_cpus);
        assert_eq!((with(None), with(Some(10_000_000)), with(Some(1_500_000_000))), (8, 1, 2));
        assert_eq!(with(Some(64_000_000_000)), 8);
    }

    #[test]
    fn a_size_has_a_unit_which_is_a_power_of_1024() {
        for (text, bytes) in [
            ("4GB", 4 << 30),
            ("4g", 4 << 30),
            ("512 MiB", 512 << 20),
            ("256M", 256 << 20),
            ("1TB", 1 << 40),
            ("1.5GB", 3 << 29),
        ] {
            assert_eq!(memory(text).unwrap(), bytes, "{text}");
        }
        for wrong in ["", "4", "GB", "-4GB", "4XB", "9999999999TB", "99999999TB", "4G B"] {
            let error = memory(wrong).unwrap_err();
            assert!(error.to_string().ends_with("is no size"), "{error}");
            assert!(error.hint.contains("4GB"), "{}", error.hint);
        }
    }

    #[test]
    fn too_little_memory_is_refused_with_the_least_there_must_be() {
        let error = memory("255MB").unwrap_err();
        assert_eq!(error.to_string(), "the memory 255MB is too little for a PostgreSQL server");
        assert!(error.hint.contains("256MB"), "{}", error.hint);
    }

    #[test]
    fn processors_are_counted_in_billionths() {
        assert_eq!(nano_cpus(1.5).unwrap(), 1_500_000_000);
        assert_eq!(nano_cpus(0.01).unwrap(), 10_000_000);
        for wrong in [0.0, -1.0, 0.001, f64::NAN, f64::INFINITY, 1e9] {
            assert!(nano_cpus(wrong).is_err(), "{wrong}");
        }
    }
}
