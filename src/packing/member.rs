//! The gzip members that this tool writes (RFC 1952). Each says in its header how long it is, so
//! that the file is its own index: a reader goes from member to member without decompressing any,
//! and hands them to several threads. To every other reader it is a header field like any other.
//!
//! ```text
//! 1f 8b 08 04 | time 4 | 00 ff | 0c 00 | C B 08 00 | size 4 | check 4 | deflate … | crc 4 | length 4
//! ```
//!
//! The size is the member's in bytes, from its first to its last; the check is the CRC-32 of the
//! four bytes of the size. Without it a flipped bit could make one member of two, and the second,
//! were it equal to the first, would be passed over unnoticed. All numbers are little-endian.

/// Bytes before the compressed data.
pub const HEADER: usize = 24;
/// Bytes after it: CRC-32 and length of the contents.
pub const FOOTER: usize = 8;
/// Contents of a member that is held in memory whole; what claims more is read as a stream.
pub const MOST_CONTENT: usize = 2 << 20;
/// Bytes of such a member; data that does not compress grows a little.
const MOST_SIZE: usize = MOST_CONTENT + MOST_CONTENT / 16;

/// deflate, and an extra field of one subfield; the time, the level and the system are not said.
const START: [u8; 4] = [0x1f, 0x8b, 8, 4];
const EXTRA: [u8; 6] = [12, 0, b'C', b'B', 8, 0];

/// The header of a member of `size` bytes.
pub fn header(size: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let size = size.to_le_bytes();
    header[..4].copy_from_slice(&START);
    header[9] = 0xff;
    header[10..16].copy_from_slice(&EXTRA);
    header[16..20].copy_from_slice(&size);
    header[20..].copy_from_slice(&libdeflater::crc32(&size).to_le_bytes());
    header
}

/// The size of a member in bytes, by its header; `None` for a member that does not say it, or one
/// that is too large to be held in memory.
pub fn size(header: &[u8]) -> Option<usize> {
    let ours = header.len() == HEADER && header.starts_with(&START) && header[10..16] == EXTRA;
    let size = header.get(16..20).filter(|_| ours)?;
    let intact = number(&header[20..])? == libdeflater::crc32(size);
    let size = usize::try_from(number(size)?).ok()?;
    (intact && (HEADER + FOOTER..=MOST_SIZE).contains(&size)).then_some(size)
}

/// CRC-32 and length of the contents, by a member's last bytes.
pub fn footer(member: &[u8]) -> Option<(u32, usize)> {
    let (rest, length) = member.split_last_chunk::<4>()?;
    let (_, crc) = rest.split_last_chunk::<4>()?;
    Some((u32::from_le_bytes(*crc), usize::try_from(u32::from_le_bytes(*length)).ok()?))
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_the_size() {
        for known in [32, 1000, 1 << 20, MOST_SIZE] {
            assert_eq!(size(&header(u32::try_from(known).unwrap())), Some(known));
        }
    }

    #[test]
    fn a_size_that_is_too_small_or_too_large_is_none() {
        for wrong in [0, 31, u32::try_from(MOST_SIZE + 1).unwrap(), u32::MAX] {
            assert_eq!(size(&header(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_flipped_bit_never_changes_the_size() {
        let whole = header(1000);
        for bit in 0..HEADER * 8 {
            let mut flipped = whole;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(size(&flipped).is_none_or(|size| size == 1000), "bit {bit}");
        }
        assert_eq!(size(&whole[..HEADER - 1]), None);
        assert_eq!(size(b""), None);
    }
}
