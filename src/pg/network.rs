//! Notices that a server's network is gone while something that was sent waits for its acknowledgement.
//!
//! Keepalive asks in silence only. What is on its way is sent again by the system, fifteen times within a
//! quarter of an hour. `TCP_USER_TIMEOUT` ends that sooner, but ends a connection to a healthy server, too,
//! that acknowledges everything and takes in nothing, as it does while it is busy with one row of a COPY. So
//! the system's own list of connections is looked at (proc(5), `/proc/net/tcp`); where there is none, the
//! system's quarter of an hour counts.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Again after so much.
const LOOK: Duration = Duration::from_secs(5);
/// So many repetitions without an acknowledgement. The pauses double from about 0.2 s on: half a minute. Where the other side
/// took in nothing for long before, they are longer by then.
const REPETITIONS: u32 = 7;
/// The timer of a connection that waits for an acknowledgement.
const RETRANSMIT: u32 = 1;
/// The timer of a connection whose other side has taken in nothing, and is asked whether it will.
const PROBE: u32 = 4;

/// A line of the system's list of connections.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    remote: (IpAddr, u16),
    /// How often what was sent, or the question whether more may be sent, was repeated in vain.
    repetitions: u32,
    /// The socket's number.
    inode: u64,
}

/// Ends when this process has a connection to that port, and to that address if it is known, on which
/// nothing that was sent is acknowledged any more.
pub(super) async fn is_gone(address: Option<IpAddr>, port: u16) {
    loop {
        tokio::time::sleep(LOOK).await;
        let looked = tokio::task::spawn_blocking(move || looks_gone(address, port)).await;
        if looked.unwrap_or(false) {
            return;
        }
    }
}

fn looks_gone(address: Option<IpAddr>, port: u16) -> bool {
    let lists = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(std::fs::read_to_string);
    let in_vain: HashSet<u64> = lists
        .iter()
        .flatten()
        .flat_map(|list| list.lines().filter_map(entry))
        .filter(|entry| entry.repetitions >= REPETITIONS)
        .filter(|entry| entry.remote.1 == port && address.is_none_or(|a| a == entry.remote.0))
        .map(|entry| entry.inode)
        .collect();
    !in_vain.is_empty() && own_sockets().any(|inode| in_vain.contains(&inode))
}

/// The numbers of this process's sockets.
fn own_sockets() -> impl Iterator<Item = u64> {
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    open.filter_map(|file| {
        let target = std::fs::read_link(file.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    })
}

/// Of a line that is a connection's.
fn entry(line: &str) -> Option<Entry> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let hexadecimal = |text: &str| u32::from_str_radix(text, 16).ok();
    let [_, _, remote, _, _, timer, repetitions, _, probes, inode, ..] = fields[..] else {
        return None;
    };
    let (address, port) = remote.split_once(':')?;
    Some(Entry {
        remote: (ip(address)?, u16::from_str_radix(port, 16).ok()?),
        repetitions: match hexadecimal(timer.split_once(':')?.0)? {
            RETRANSMIT => hexadecimal(repetitions)?,
            PROBE => probes.parse().ok()?,
            _ => 0,
        },
        inode: inode.parse().ok()?,
    })
}

/// An address as the list has it: words of 32 bits in the machine's own order.
fn ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = text.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const HEADER: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                          uid  timeout inode";

    fn line(remote: &str, timer: &str, repetitions: &str, probes: &str) -> String {
        format!(
            "   3: 0100007F:9C40 {remote} 01 00000080:00000000 {timer}:00000A2B {repetitions}  1000 {probes:>8} \
             4711 2 0000000000000000 20 4 30 10 -1"
        )
    }

    #[test]
    fn what_is_sent_again_in_vain_is_counted() {
        let entry = entry(&line("020011AC:1538", "01", "0000000A", "0")).unwrap();
        let remote = (IpAddr::from([172, 17, 0, 2]), 5432);
        assert_eq!(entry, Entry { remote, repetitions: 10, inode: 4711 });
    }

    #[test]
    fn questions_whether_more_may_be_sent_are_counted() {
        let remote = "B80D0120000000000000000001000000:1538";
        let entry = entry(&line(remote, "04", "00000000", "9")).unwrap();
        let remote = ("2001:db8::1".parse().unwrap(), 5432);
        assert_eq!(entry, Entry { remote, repetitions: 9, inode: 4711 });
    }

    #[test]
    fn a_connection_without_anything_on_its_way_has_none() {
        // 02 is the timer of keepalive, whose questions are counted by the system.
        for timer in ["00", "02"] {
            let entry = entry(&line("020011AC:1538", timer, "00000000", "8")).unwrap();
            assert_eq!(entry.repetitions, 0, "{timer}");
        }
    }

    #[test]
    fn other_lines_are_none() {
        for line in [HEADER, "", "   3: 0100007F:9C40", &line("020011:1538", "01", "0A", "0")] {
            assert_eq!(entry(line), None, "{line}");
        }
    }
}
