//! A disk that is slow, or does not answer: a directory of a place behind bindfs, which lets so many
//! bytes a second through.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Place;

/// See the module. Gone when dropped; its files stay in the directory behind it.
pub struct SlowDisk {
    bindfs: Child,
    path: PathBuf,
}

impl SlowDisk {
    /// Mounts the directory `behind` of a place, which is made where need be, at its `slow`. Of
    /// `read`, the bytes that are asked for count, past the end of a file too.
    pub fn mount(place: &Place, read: u32, write: u32) -> Self {
        let (behind, path) = (place.dir().join("behind"), place.dir().join("slow"));
        std::fs::create_dir_all(&behind).unwrap();
        std::fs::create_dir_all(&path).unwrap();
        let other = device(&path);
        let rates = [format!("--read-rate={read}"), format!("--write-rate={write}")];
        let mut bindfs = Command::new("bindfs");
        // Past the page cache, which would be as fast as ever.
        bindfs.args(["-f", "-o", "direct_io"]).args(rates).arg(behind).arg(&path);
        let bindfs = bindfs.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let bindfs = bindfs.unwrap_or_else(|error| {
            panic!("bindfs: {error}: infra/setup.sh installs it");
        });
        let disk = Self { bindfs, path };
        let begun = Instant::now();
        while device(&disk.path) == other {
            assert!(begun.elapsed() < Duration::from_secs(60), "bindfs could not mount");
            std::thread::sleep(Duration::from_millis(10));
        }
        disk
    }
}

impl SlowDisk {
    /// Lets it answer nothing any more, until it is dropped.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it fail: whatever is asked of it is an error.
    pub fn fail(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.bindfs), signal).unwrap();
    }
}

fn device(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().dev()
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        // It unmounts by itself then.
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
        if self.bindfs.wait().unwrap().signal() == Some(Signal::KILL.as_raw()) {
            let umount = Command::new("umount").arg("--lazy").arg(&self.path).status();
            let fusermount = || Command::new("fusermount").arg("-uz").arg(&self.path).status();
            assert!(umount.is_ok_and(|status| status.success()) || fusermount().is_ok());
        }
    }
}
