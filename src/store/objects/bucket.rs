//! A bucket: what can be asked of it and done in it, each call to its end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{ready, try_join};
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3;
use object_store::path::Path as Key;
use object_store::{
    Attributes, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
};

use super::beginning::{self, Stores};
#[cfg(test)]
use super::clock::Clock;
use super::error::{Kind, ObjectError};
use super::runtime;
use crate::store::place::ObjectUrl;

/// A name that comes after all that are ours.
const AFTER_ALL: &str = "~";

/// Buckets that were opened: each has its connections, which are used again.
static OPEN: Mutex<Option<HashMap<(&'static str, String), Bucket>>> = Mutex::new(None);

/// See the module.
#[derive(Debug, Clone)]
pub struct Bucket {
    stores: Arc<Stores>,
}

/// An object as a place tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Where it is.
    pub url: ObjectUrl,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was written.
    pub modified: DateTime<Utc>,
    /// What tells it from another one of its name.
    pub e_tag: Option<String>,
}

impl Object {
    /// Whether it is another one than it was. A list tells of parts of a second and an answer does not.
    pub(super) fn is_other(&self, now: &Self) -> bool {
        let tagged = self.e_tag.is_some() && now.e_tag.is_some();
        let (before, after) = (self.modified.timestamp(), now.modified.timestamp());
        self.bytes != now.bytes || if tagged { self.e_tag != now.e_tag } else { before != after }
    }
}

/// How an object is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Only where there is none.
    New,
    /// In the place of what is there.
    Anew,
}

impl Bucket {
    /// The bucket of a URL.
    ///
    /// # Errors
    /// When the environment's settings make no sense.
    pub fn of(url: &ObjectUrl) -> Result<Self, ObjectError> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = open.get_or_insert_default();
        let name = (url.scheme.name(), url.bucket.clone());
        if let Some(bucket) = known.get(&name) {
            return Ok(bucket.clone());
        }
        let handle = runtime::handle().map_err(|error| ObjectError::system(url, &error))?;
        // The client notes which runtime it is made in.
        let _entered = handle.enter();
        let bucket = Self { stores: Arc::new(beginning::stores(url)?) };
        known.insert(name, bucket.clone());
        Ok(bucket)
    }

    /// One over a store that a test made.
    #[cfg(test)]
    pub(in crate::store) fn over(store: Arc<dyn ObjectStore>) -> Self {
        let (reading, attributes) = (Arc::clone(&store), Attributes::default());
        let clock = Clock::default();
        Self { stores: Arc::new(Stores { reading, writing: store, s3: None, attributes, clock }) }
    }

    pub(super) fn writing(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.stores.writing)
    }

    pub(super) fn s3(&self) -> Option<Arc<AmazonS3>> {
        self.stores.s3.clone()
    }

    /// How far the place's clock was before ours by its last answer; `None` where it did not say.
    pub fn ahead(&self) -> Option<TimeDelta> {
        self.stores.clock.ahead()
    }

    /// What is known of an object; `None` where there is none.
    ///
    /// # Errors
    /// What the place answers.
    pub fn look_at(&self, url: &ObjectUrl) -> Result<Option<Object>, ObjectError> {
        let (store, key) = (Arc::clone(&self.stores.reading), key(url)?);
        let answer = wait(url, async move { store.head(&key).await })?;
        match answer {
            Ok(meta) => Ok(Some(object(url, &meta))),
            Err(error) => match ObjectError::of(url, &error) {
                error if error.kind == Kind::Missing => Ok(None),
                error => Err(self.in_words(url).unwrap_or(error)),
            },
        }
    }

    /// Why an object is refused: an answer that only tells of it has no words, one that gives a byte of it has.
    fn in_words(&self, url: &ObjectUrl) -> Option<ObjectError> {
        let (store, key) = (Arc::clone(&self.stores.reading), key(url).ok()?);
        let answer = wait(url, async move { store.get_range(&key, 0..1).await }).ok()?;
        answer.err().map(|error| ObjectError::of(url, &error))
    }

    /// Bytes of an object, from byte `at` on, if it is still that one.
    ///
    /// # Errors
    /// What the place answers; [`Kind::Changed`] and [`Kind::Missing`] where it is not.
    pub fn read(&self, object: &Object, at: u64, bytes: u64) -> Result<Bytes, ObjectError> {
        let url = &object.url;
        wait(url, self.reading(object, at, bytes)?)?
    }

    /// The same, to be waited for elsewhere.
    pub(super) fn reading(
        &self,
        object: &Object,
        at: u64,
        bytes: u64,
    ) -> Result<impl Future<Output = Result<Bytes, ObjectError>> + Send + 'static, ObjectError>
    {
        let (store, key, url) =
            (Arc::clone(&self.stores.reading), key(&object.url)?, object.url.clone());
        let end = at.saturating_add(bytes).min(object.bytes);
        let options = GetOptions {
            range: Some(GetRange::Bounded(at..end)),
            if_match: object.e_tag.clone(),
            ..GetOptions::default()
        };
        let was = object.clone();
        Ok(async move {
            let failed = |error| ObjectError::of(&url, &error);
            let answer = store.get_opts(&key, options).await.map_err(failed)?;
            let is_other = was.is_other(&self::object(&url, &answer.meta));
            let read = answer.bytes().await.map_err(failed)?;
            if is_other {
                return Err(ObjectError::changed(&url));
            }
            if read.len() as u64 != end - at {
                let cause = "the answer is cut";
                return Err(ObjectError::trouble(
                    &url,
                    cause,
                    "run it again, and check the network",
                ));
            }
            Ok(read)
        })
    }

    /// All of a small object; `None` where there is none.
    ///
    /// # Errors
    /// What the place answers; [`Kind::Trouble`] where it has more than `most` bytes.
    pub fn read_whole(&self, url: &ObjectUrl, most: u64) -> Result<Option<Bytes>, ObjectError> {
        let (store, of) = (Arc::clone(&self.stores.reading), url.clone());
        wait(url, async move { read_small(&*store, &of, most).await })?
    }

    /// All of several small objects, many at a time, in their order; `None` for each that there is none of.
    ///
    /// # Errors
    /// What the place answers.
    pub fn read_all(
        &self,
        urls: &[ObjectUrl],
        most: u64,
    ) -> Result<Vec<Option<Bytes>>, ObjectError> {
        const AT_A_TIME: usize = 16;
        let Some(first) = urls.first() else { return Ok(Vec::new()) };
        let (store, of) = (Arc::clone(&self.stores.reading), urls.to_vec());
        wait(first, async move {
            let read = futures_util::stream::iter(of).map(|url| {
                let store = Arc::clone(&store);
                async move { read_small(&*store, &url, most).await }
            });
            read.buffered(AT_A_TIME).try_collect().await
        })?
    }

    /// Puts a small object.
    ///
    /// # Errors
    /// What the place answers; [`Kind::Exists`] where it is to be new and is not.
    pub fn put(&self, url: &ObjectUrl, bytes: Bytes, how: Put) -> Result<(), ObjectError> {
        self.put_with(url, bytes, how, Attributes::default())
    }

    /// What is asked for with the bytes of a backup.
    pub(super) fn attributes(&self) -> Attributes {
        self.stores.attributes.clone()
    }

    pub(super) fn put_with(
        &self,
        url: &ObjectUrl,
        bytes: Bytes,
        how: Put,
        attributes: Attributes,
    ) -> Result<(), ObjectError> {
        let (store, key) = (self.writing(), key(url)?);
        let mode = match how {
            Put::New => PutMode::Create,
            Put::Anew => PutMode::Overwrite,
        };
        let (sent, options) =
            (bytes.clone(), PutOptions { mode, attributes, ..PutOptions::default() });
        let answer = wait(url, async move { store.put_opts(&key, sent.into(), options).await })?;
        match answer.map_err(|error| ObjectError::of(url, &error)) {
            Ok(_) => Ok(()),
            // Sent twice, because the first answer was lost: then it is ours that is there.
            Err(error) if error.kind == Kind::Exists && self.holds(url, &bytes) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn holds(&self, url: &ObjectUrl, bytes: &Bytes) -> bool {
        let there = self.read_whole(url, bytes.len() as u64);
        there.is_ok_and(|there| there.as_ref() == Some(bytes))
    }

    /// Removes an object; that it is gone already is no error.
    ///
    /// # Errors
    /// What the place answers; [`Kind::Locked`] where object lock keeps it.
    pub fn remove(&self, url: &ObjectUrl) -> Result<(), ObjectError> {
        let (store, key) = (self.writing(), key(url)?);
        let answer = wait(url, async move { store.delete(&key).await })?;
        match answer {
            Ok(()) => Ok(()),
            Err(error) => match ObjectError::of(url, &error) {
                error if error.kind == Kind::Missing => Ok(()),
                error => Err(error),
            },
        }
    }

    /// Removes several objects, many at a time; that one is gone already is no error.
    ///
    /// # Errors
    /// What the place answers of the first that it does not remove.
    pub fn remove_all(&self, urls: &[ObjectUrl]) -> Result<(), ObjectError> {
        let Some(first) = urls.first() else { return Ok(()) };
        let keys = urls.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        let (store, keys) = (self.writing(), futures_util::stream::iter(keys).map(Ok).boxed());
        let answers =
            wait(first, async move { store.delete_stream(keys).collect::<Vec<_>>().await })?;
        let errors = answers.iter().filter_map(|answer| answer.as_ref().err());
        let mut errors = errors.map(|error| ObjectError::of(first, error));
        errors.find(|error| error.kind != Kind::Missing).map_or(Ok(()), Err)
    }

    /// All objects below a place, in the order of their keys.
    ///
    /// # Errors
    /// What the place answers.
    pub fn list(&self, below: &ObjectUrl) -> Result<Vec<Object>, ObjectError> {
        let (store, of) = (Arc::clone(&self.stores.reading), below.clone());
        let prefix = if below.key.is_empty() { None } else { Some(key(below)?) };
        let listed = wait(below, async move {
            let found = store.list(prefix.as_ref());
            found.map(|meta| meta.map(|meta| object_at(&of, &meta))).try_collect::<Vec<_>>().await
        })?;
        listed.map_err(|error| ObjectError::of(below, &error))
    }

    /// All objects below a place but those of one folder in it, in the order of their keys. Those before it and those
    /// after it are asked for at the same time.
    ///
    /// # Errors
    /// What the place answers.
    pub fn list_beside(&self, below: &ObjectUrl, folder: &str) -> Result<Vec<Object>, ObjectError> {
        let (store, of) = (Arc::clone(&self.stores.reading), below.clone());
        let prefix = if below.key.is_empty() { None } else { Some(key(below)?) };
        // What is in the folder has another beginning than what comes after this.
        let (first, last) = (below.join(folder), below.join(folder).join(AFTER_ALL));
        let after = key(&last)?;
        let listed = wait(below, async move {
            let object = |meta| object_at(&of, &meta);
            let start = format!("{}/", first.key);
            let before = store.list(prefix.as_ref()).map_ok(object);
            let before = before.try_take_while(|object| ready(Ok(object.url.key < start)));
            let rest = store.list_with_offset(prefix.as_ref(), &after).map_ok(object);
            // Some servers begin at the beginning all the same.
            let rest = rest.try_filter(|object| ready(object.url.key > last.key));
            let (mut before, rest) =
                try_join(before.try_collect::<Vec<_>>(), rest.try_collect::<Vec<_>>()).await?;
            before.extend(rest);
            Ok(before)
        })?;
        listed.map_err(|error: object_store::Error| ObjectError::of(below, &error))
    }

    /// What lies right in a place: its objects, and the names that further keys have a slash after.
    ///
    /// # Errors
    /// What the place answers.
    pub fn list_here(
        &self,
        below: &ObjectUrl,
    ) -> Result<(Vec<Object>, Vec<ObjectUrl>), ObjectError> {
        let store = Arc::clone(&self.stores.reading);
        let prefix = if below.key.is_empty() { None } else { Some(key(below)?) };
        let listed = wait(below, async move { store.list_with_delimiter(prefix.as_ref()).await })?;
        let listed = listed.map_err(|error| ObjectError::of(below, &error))?;
        let objects = listed.objects.iter().map(|meta| object_at(below, meta)).collect();
        let deeper = listed.common_prefixes.iter();
        let deeper = deeper.map(|prefix| ObjectUrl { key: prefix.to_string(), ..below.clone() });
        Ok((objects, deeper.collect()))
    }
}

async fn read_small(
    store: &dyn ObjectStore,
    url: &ObjectUrl,
    most: u64,
) -> Result<Option<Bytes>, ObjectError> {
    let reading = async {
        let answer = store.get(&key(url)?).await.map_err(|error| ObjectError::of(url, &error))?;
        if answer.meta.size > most {
            return Err(ObjectError::trouble(url, "it is too large", "look at what it is"));
        }
        answer.bytes().await.map_err(|error| ObjectError::of(url, &error))
    };
    match reading.await {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind == Kind::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn wait<T: Send + 'static>(
    url: &ObjectUrl,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, ObjectError> {
    runtime::wait(work).map_err(|error| ObjectError::system(url, &error))
}

pub(super) fn key(url: &ObjectUrl) -> Result<Key, ObjectError> {
    Key::parse(&url.key).map_err(|error| ObjectError::trouble(url, error, "choose another name"))
}

fn object_at(below: &ObjectUrl, meta: &ObjectMeta) -> Object {
    object(&ObjectUrl { key: meta.location.to_string(), ..below.clone() }, meta)
}

fn object(url: &ObjectUrl, meta: &ObjectMeta) -> Object {
    Object {
        url: url.clone(),
        bytes: meta.size,
        modified: meta.last_modified,
        e_tag: meta.e_tag.as_deref().map(quoted),
    }
}

/// A tag as it is written in a header: some lists leave its quotes out.
fn quoted(tag: &str) -> String {
    if tag.ends_with('"') { tag.to_owned() } else { format!("\"{tag}\"") }
}
