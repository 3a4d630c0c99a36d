//! An object, read from any place as a file is.

use std::io;
use std::sync::Arc;

use super::bucket::{Bucket, Object};
use super::error::{Kind, ObjectError};
use super::read_ahead::ReadAhead;
use crate::packing::random_read::{RandomRead, ReadAt};
use crate::store::place::ObjectUrl;

/// An object as it was when it was opened: what is read of another one of its name is an error.
#[derive(Debug)]
pub struct ObjectFile {
    bucket: Bucket,
    object: Object,
    ahead: Arc<ReadAhead>,
}

impl ObjectFile {
    /// Opens an object; `None` where there is none.
    ///
    /// # Errors
    /// What the place answers.
    pub fn open(url: &ObjectUrl) -> Result<Option<Self>, ObjectError> {
        let bucket = Bucket::of(url)?;
        let object = bucket.look_at(url)?;
        Ok(object.map(|object| Self::of(bucket, object)))
    }

    /// An object that was looked at.
    pub fn of(bucket: Bucket, object: Object) -> Self {
        let ahead = ReadAhead::new(bucket.clone(), object.clone());
        Self { bucket, object, ahead }
    }
}

impl ReadAt for ObjectFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        Ok(self.ahead.read(buffer, at)?)
    }
}

impl RandomRead for ObjectFile {
    fn len(&self) -> u64 {
        self.object.bytes
    }

    /// What cannot be asked is not said to have changed: whoever could not read says why.
    fn has_changed(&self) -> bool {
        match self.bucket.look_at(&self.object.url) {
            Ok(now) => now.is_none_or(|now| self.object.is_other(&now)),
            Err(error) => error.kind == Kind::Changed,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use object_store::memory::InMemory;

    use super::*;
    use crate::packing::random_read::RawReader;
    use crate::store::objects::bucket::Put;

    fn place() -> (Bucket, ObjectUrl) {
        let url = ObjectUrl::of("s3://bucket/x".as_ref()).unwrap().unwrap();
        (Bucket::over(Arc::new(InMemory::new())), url)
    }

    fn opened(bucket: &Bucket, url: &ObjectUrl) -> ObjectFile {
        let object = bucket.look_at(url).unwrap().unwrap();
        ObjectFile::of(bucket.clone(), object)
    }

    #[test]
    fn an_object_is_read_as_it_is_from_its_beginning_and_from_any_place() {
        let (bucket, url) = place();
        let bytes: Vec<u8> = (0..30_000_000_u32).map(|at| (at / 7 % 251) as u8).collect();
        bucket.put(&url, bytes.clone().into(), Put::New).unwrap();
        let file = Arc::new(opened(&bucket, &url));
        let mut read = Vec::new();
        io::copy(&mut RawReader::of(Arc::clone(&file) as _), &mut read).unwrap();
        assert!(read == bytes);
        let mut piece = [0; 100];
        for at in [29_999_950, 5, 17_000_000] {
            let got = file.read_at(&mut piece, at).unwrap();
            assert!(got > 0 && piece[..got] == bytes[at as usize..][..got]);
        }
        assert_eq!(file.read_at(&mut piece, 30_000_000).unwrap(), 0);
    }

    #[test]
    fn an_object_that_was_replaced_or_removed_has_changed_and_is_not_read_on() {
        let (bucket, url) = place();
        bucket.put(&url, Bytes::from_static(b"one"), Put::New).unwrap();
        let file = opened(&bucket, &url);
        assert!(!file.has_changed());
        bucket.put(&url, Bytes::from_static(b"two"), Put::Anew).unwrap();
        assert!(file.has_changed());
        let error = file.read_at(&mut [0; 3], 0).unwrap_err();
        assert!(error.to_string().contains("changed meanwhile"), "{error}");
        let file = opened(&bucket, &url);
        bucket.remove(&url).unwrap();
        assert!(file.has_changed());
    }

    #[test]
    fn what_is_to_be_new_replaces_nothing_but_is_taken_for_done_where_it_is_there() {
        let (bucket, url) = place();
        let put = |bytes: &'static [u8], how| bucket.put(&url, Bytes::from_static(bytes), how);
        put(b"one", Put::New).unwrap();
        put(b"one", Put::New).unwrap();
        assert_eq!(put(b"two", Put::New).unwrap_err().kind, Kind::Exists);
        assert_eq!(bucket.read_whole(&url, 3).unwrap().unwrap(), "one");
        assert_eq!(bucket.read_whole(&url, 2).unwrap_err().kind, Kind::Trouble);
    }
}
