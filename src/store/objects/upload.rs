//! An object that is being written: in parts of one size, several on their way at a time. It is there when all of it
//! is, and only then.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::bucket::{Bucket, Put, key, wait};
use super::error::{Kind, ObjectError};
use super::runtime;
use super::under_way::UnderWay;
use crate::store::place::{ObjectUrl, Scheme};

/// The parts that storages take the fewest of have to do for what is expected.
const PARTS: u64 = 1000;
/// The most that any storage takes.
const MOST_PARTS: u64 = 10_000;
/// Bytes of a part at the least, and at the most: what is on its way is in memory.
const SMALLEST: u64 = 8 << 20;
const LARGEST: u64 = 32 << 20;
/// Bytes in memory, the part that is being filled included.
const IN_MEMORY: u64 = 96 << 20;
/// Parts on their way at the most.
const AT_A_TIME: u64 = 4;
/// How long it may take to take back what was sent.
const ABORT: Duration = Duration::from_secs(10);

type Sent = JoinHandle<object_store::Result<()>>;

/// See the module. Dropped before [`Upload::publish`], what was sent is taken back.
#[derive(Debug)]
pub struct Upload {
    bucket: Bucket,
    url: ObjectUrl,
    overwrite: bool,
    part_bytes: u64,
    part: Vec<u8>,
    parts: u64,
    multipart: Option<Box<dyn MultipartUpload>>,
    under_way: Option<UnderWay>,
    sending: VecDeque<Sent>,
    stop: CancellationToken,
}

impl Upload {
    /// Begins an object that is not there yet, unless it may be replaced.
    ///
    /// # Errors
    /// [`Kind::Exists`], and what the place answers.
    pub fn create(url: &ObjectUrl, overwrite: bool) -> Result<Self, ObjectError> {
        let bucket = Bucket::of(url)?;
        Self::begin(bucket, url, overwrite)
    }

    fn begin(bucket: Bucket, url: &ObjectUrl, overwrite: bool) -> Result<Self, ObjectError> {
        if !overwrite {
            match bucket.look_at(url) {
                Ok(None) => {}
                Ok(Some(_)) => return Err(ObjectError::exists(url)),
                // Who may only write cannot look; then its name, which has the time in it, has to do.
                Err(error) if error.kind == Kind::Denied => {
                    tracing::debug!(%error, "whether it is there cannot be asked");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            bucket,
            url: url.clone(),
            overwrite,
            part_bytes: SMALLEST,
            part: Vec::new(),
            parts: 0,
            multipart: None,
            under_way: None,
            sending: VecDeque::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Chooses the parts so that there are not too many for so many bytes, which is done before the first is written,
    /// for parts have one size. Nothing is sent any more when `stop` is set.
    pub fn expect(&mut self, bytes: u64, stop: &CancellationToken) {
        self.stop = stop.clone();
        if self.parts == 0 && self.part.is_empty() {
            self.part_bytes = part_bytes(bytes);
        }
    }

    /// The object to be.
    pub fn url(&self) -> &ObjectUrl {
        &self.url
    }

    /// Sends what is left, and has the object appear.
    ///
    /// # Errors
    /// [`Kind::Exists`] where its name was taken meanwhile, as far as the place can tell, and what it answers.
    pub fn publish(mut self) -> Result<(), ObjectError> {
        let last = mem::take(&mut self.part);
        if self.multipart.is_none() {
            let how = if self.overwrite { Put::Anew } else { Put::New };
            return self.bucket.put_with(&self.url, last.into(), how, self.bucket.attributes());
        }
        if !last.is_empty() {
            self.send(last.into())?;
        }
        while !self.sending.is_empty() {
            self.wait_for_one()?;
        }
        let Some(mut multipart) = self.multipart.take() else { return Ok(()) };
        let (completed, multipart) = wait(&self.url, async move {
            let completed = multipart.complete().await;
            (completed, multipart)
        })?;
        if let Err(error) = completed {
            self.multipart = Some(multipart);
            return Err(ObjectError::of(&self.url, &error));
        }
        Ok(())
    }

    /// Begins to write it, and takes that back: whether it may be written. There never is an object, not even for a moment.
    /// Says whether the place was asked: Azure has no way to take back a part.
    ///
    /// # Errors
    /// What the place answers.
    pub fn try_out(mut self) -> Result<bool, ObjectError> {
        match self.url.scheme {
            Scheme::Az => return Ok(false),
            Scheme::S3 | Scheme::Gs => {}
        }
        // Some servers ask for the right to write only when there is something to write.
        self.send(Bytes::from_static(b"x"))?;
        self.wait_for_one()?;
        let Some(mut multipart) = self.multipart.take() else { return Ok(false) };
        let aborted =
            wait(&self.url, async move { tokio::time::timeout(ABORT, multipart.abort()).await })?;
        match aborted {
            Ok(Ok(())) => Ok(true),
            Ok(Err(error)) => Err(ObjectError::of(&self.url, &error)),
            Err(_) => Err(ObjectError::trouble(&self.url, "it does not answer", "run it again")),
        }
    }

    /// Puts a part on its way; waits where there are too many.
    fn send(&mut self, part: Bytes) -> Result<(), ObjectError> {
        if self.parts == MOST_PARTS {
            let cause =
                format!("it is larger than {MOST_PARTS} parts of {} bytes", self.part_bytes);
            return Err(ObjectError::trouble(
                &self.url,
                cause,
                "pack it (--compress zstd), or leave out tables",
            ));
        }
        while self.sending.len() as u64 >= at_a_time(self.part_bytes) {
            self.wait_for_one()?;
        }
        let multipart = match &mut self.multipart {
            Some(multipart) => multipart,
            none => {
                let (store, key) = (self.bucket.writing(), key(&self.url)?);
                self.under_way = Some(UnderWay::begin());
                let options = PutMultipartOptions::from(self.bucket.attributes());
                let begun =
                    wait(&self.url, async move { store.put_multipart_opts(&key, options).await })?;
                none.insert(begun.map_err(|error| ObjectError::of(&self.url, &error))?)
            }
        };
        let handle = runtime::handle().map_err(|error| ObjectError::system(&self.url, &error))?;
        self.sending.push_back(handle.spawn(multipart.put_part(part.into())));
        self.parts += 1;
        Ok(())
    }

    fn wait_for_one(&mut self) -> Result<(), ObjectError> {
        let Some(sent) = self.sending.pop_front() else { return Ok(()) };
        let (stop, ended) = (self.stop.clone(), sent.abort_handle());
        let sent = wait(&self.url, async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => None,
                sent = sent => Some(sent),
            }
        })?;
        match sent {
            Some(Ok(sent)) => sent.map_err(|error| ObjectError::of(&self.url, &error)),
            Some(Err(died)) => Err(ObjectError::system(&self.url, &io::Error::other(died))),
            None => {
                ended.abort();
                Err(ObjectError::trouble(&self.url, "interrupted", "run it again"))
            }
        }
    }
}

impl Write for Upload {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.part.is_empty() {
            self.part.reserve(self.part_bytes.min(SMALLEST) as usize);
        }
        let room = self.part_bytes as usize - self.part.len();
        let taken = data.len().min(room);
        self.part.extend_from_slice(&data[..taken]);
        // The last part may be smaller, and is sent at the end.
        if taken == room {
            let part = mem::take(&mut self.part);
            self.send(part.into())?;
        }
        Ok(taken)
    }

    /// A part is sent when it is full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.sending.iter().for_each(JoinHandle::abort);
        let Some(mut multipart) = self.multipart.take() else { return };
        let aborting = async move { tokio::time::timeout(ABORT, multipart.abort()).await };
        match runtime::wait(aborting) {
            Ok(Ok(Ok(()))) => {}
            // A clean-up finds it a day later.
            _ => tracing::warn!(object = %self.url, "an upload was not taken back"),
        }
    }
}

/// Bytes of each part of an object that has so many.
fn part_bytes(expected: u64) -> u64 {
    expected.div_ceil(PARTS).next_multiple_of(1 << 20).clamp(SMALLEST, LARGEST)
}

/// Parts on their way.
fn at_a_time(part_bytes: u64) -> u64 {
    (IN_MEMORY / part_bytes - 1).clamp(1, AT_A_TIME)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    fn place() -> (Bucket, ObjectUrl) {
        let url = ObjectUrl::of("s3://bucket/x".as_ref()).unwrap().unwrap();
        (Bucket::over(Arc::new(InMemory::new())), url)
    }

    #[test]
    fn parts_grow_with_what_is_expected_and_what_is_in_memory_does_not() {
        const GIB: u64 = 1 << 30;
        for (expected, bytes) in [
            (0, SMALLEST),
            (GIB, SMALLEST),
            (16 * GIB, 17 << 20),
            (30 * GIB, 31 << 20),
            (1000 * GIB, LARGEST),
        ] {
            let part = part_bytes(expected);
            assert_eq!(part, bytes, "{expected}");
            assert!((at_a_time(part) + 1) * part <= IN_MEMORY, "{expected}");
            assert!(at_a_time(part) >= 2, "{expected}");
        }
    }

    #[test]
    fn an_object_appears_when_all_of_it_was_written() {
        for bytes in [0, 10, SMALLEST as usize, (SMALLEST * 6 + 5) as usize] {
            let (bucket, url) = place();
            let whole: Vec<u8> = (0..bytes).map(|at| (at % 253) as u8).collect();
            let mut upload = Upload::begin(bucket.clone(), &url, false).unwrap();
            whole.chunks(1_000_003).for_each(|piece| upload.write_all(piece).unwrap());
            assert_eq!(bucket.look_at(&url).unwrap(), None);
            upload.publish().unwrap();
            assert!(bucket.read_whole(&url, bytes as u64).unwrap().unwrap() == whole);
        }
    }

    #[test]
    fn what_is_not_published_is_not_there_and_what_is_there_is_not_replaced() {
        let (bucket, url) = place();
        let mut upload = Upload::begin(bucket.clone(), &url, false).unwrap();
        upload.write_all(&vec![1; SMALLEST as usize * 2]).unwrap();
        drop(upload);
        assert_eq!(bucket.look_at(&url).unwrap(), None);
        let mut upload = Upload::begin(bucket.clone(), &url, false).unwrap();
        upload.write_all(b"two").unwrap();
        bucket.put(&url, Bytes::from_static(b"one"), Put::New).unwrap();
        assert_eq!(upload.publish().unwrap_err().kind, Kind::Exists);
        assert_eq!(Upload::begin(bucket, &url, false).unwrap_err().kind, Kind::Exists);
    }
}
