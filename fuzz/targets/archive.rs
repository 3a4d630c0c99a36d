//! Archives of pg_dump: the head is the same however it is read, and looking at a whole archive comes to
//! an end, soon and in little memory.

#![no_main]

use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

use ccc_backup::archive::{Fields, Head};
use ccc_backup::commands::open;
use ccc_backup::model::format::Format;
use ccc_backup::sealing::Unsealing;
use libfuzzer_sys::fuzz_target;
use tokio_util::sync::CancellationToken;

/// Gives one byte at a time.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

fn head(stream: impl Read) -> Result<Head, String> {
    Head::read(&mut Fields::new(stream)).map_err(|error| error.to_string())
}

fuzz_target!(|input: &[u8]| {
    assert_eq!(head(input), head(Slow(input)));
    let mut file = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    file.write_all(input).unwrap();
    file.rewind().unwrap();
    let Ok(Ok(archive)) = open::sniff(&open::open(file.path()).unwrap(), &Unsealing::default())
    else {
        return;
    };
    if archive.format() == Format::Plain {
        return;
    }
    let examined = archive.examine(&CancellationToken::new(), Arc::new(|_| {}));
    if let Ok(examined) = examined
        && let Ok(head) = examined.head
    {
        assert_eq!(archive.head(), Some(head));
    }
});
