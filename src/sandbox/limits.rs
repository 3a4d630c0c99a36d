//! What a sandbox may take of its machine at the most. Pure.

/// A processor, in the unit of [`Limits::nano_cpus`].
const CPU: u64 = 1_000_000_000;

/// The limits; what is open is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory in bytes, that of a data directory in memory included.
    pub memory: Option<u64>,
    /// Processors, in billionths.
    pub nano_cpus: Option<u64>,
}

impl Limits {
    /// Memory that may be used of so many bytes.
    pub fn memory_of(self, free: u64) -> u64 {
        self.memory.map_or(free, |most| most.min(free))
    }

    /// Processors that may be used of so many, in billionths; `None` where that is all of them.
    pub fn nano_cpus_of(self, cores: usize) -> Option<u64> {
        let all = (cores as u64).saturating_mul(CPU);
        self.nano_cpus.filter(|most| *most < all)
    }

    /// The same as a number of processors; a part of one counts as one.
    pub fn cores_of(self, cores: usize) -> usize {
        let most = self.nano_cpus_of(cores).map(|most| most.div_ceil(CPU));
        most.and_then(|most| usize::try_from(most).ok()).map_or(cores, |most| most.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn limits(memory: u64, nano_cpus: u64) -> Limits {
        Limits { memory: Some(memory), nano_cpus: Some(nano_cpus) }
    }

    #[test]
    fn without_limits_all_of_the_machine_may_be_used() {
        let open = Limits::default();
        assert_eq!((open.memory_of(GIB), open.nano_cpus_of(2), open.cores_of(2)), (GIB, None, 2));
    }

    #[test]
    fn a_limit_takes_the_place_of_what_the_machine_has() {
        let half = limits(GIB, CPU * 3 / 2);
        assert_eq!(half.memory_of(8 * GIB), GIB);
        assert_eq!((half.nano_cpus_of(8), half.cores_of(8)), (Some(CPU * 3 / 2), 2));
    }

    #[test]
    fn more_than_the_machine_has_is_no_limit() {
        let large = limits(64 * GIB, 64 * CPU);
        assert_eq!(large.memory_of(8 * GIB), 8 * GIB);
        assert_eq!((large.nano_cpus_of(2), large.cores_of(2)), (None, 2));
    }
}
