//! Uploads that nobody ended: their parts lie in the bucket, cost, and are in no list of objects. Only S3 and its kin
//! tell of them; Azure forgets what was not committed after a week, and GCS by a rule of the bucket.

use std::time::Duration;

use chrono::{DateTime, Utc};
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::signer::{SignedUrlOptions, Signer};

use super::bucket::{Bucket, key, wait};
use super::error::{ObjectError, element};
use crate::store::place::ObjectUrl;

/// How long the signature of a request for a list holds.
const SIGNED: Duration = Duration::from_secs(300);
/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// An upload that is not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unended {
    /// The object that was to become of it.
    pub url: ObjectUrl,
    /// When it was begun.
    pub begun: DateTime<Utc>,
    id: String,
}

impl Bucket {
    /// The uploads below a place that are not ended; none where that cannot be asked.
    ///
    /// # Errors
    /// What the place answers.
    pub fn unended(&self, below: &ObjectUrl) -> Result<Vec<Unended>, ObjectError> {
        let Some(s3) = self.s3() else { return Ok(Vec::new()) };
        let of = below.clone();
        wait(below, async move {
            let (mut found, mut next) = (Vec::new(), None);
            loop {
                let page = page(&*s3, &of, next).await?;
                found.extend(uploads(&page, &of));
                next = marker(&page);
                if next.is_none() {
                    return Ok(found);
                }
            }
        })?
    }

    /// Gives an upload up: its parts are removed.
    ///
    /// # Errors
    /// What the place answers.
    pub fn give_up(&self, upload: &Unended) -> Result<(), ObjectError> {
        let Some(s3) = self.s3() else { return Ok(()) };
        let (key, id, url) = (key(&upload.url)?, upload.id.clone(), &upload.url);
        let given_up = wait(url, async move { s3.abort_multipart(&key, &id).await })?;
        given_up.map_err(|error| ObjectError::of(url, &error))
    }
}

/// Where a list goes on: a key and an id.
type Marker = (String, String);

async fn page(
    s3: &impl Signer,
    below: &ObjectUrl,
    next: Option<Marker>,
) -> Result<String, ObjectError> {
    const HINT: &str =
        "check the network, and the right to list uploads (s3:ListBucketMultipartUploads)";
    let mut query = vec![("uploads".to_owned(), String::new())];
    if !below.key.is_empty() {
        query.push(("prefix".to_owned(), format!("{}/", below.key)));
    }
    if let Some((key, id)) = next {
        query.push(("key-marker".to_owned(), key));
        query.push(("upload-id-marker".to_owned(), id));
    }
    let options = SignedUrlOptions::new().with_query(query);
    let url = s3.signed_url_opts(reqwest::Method::GET, &Key::default(), SIGNED, &options).await;
    let url = url.map_err(|error| ObjectError::of(below, &error))?;
    // The URL is signed, and so not shown.
    let failed = |error: reqwest::Error| ObjectError::trouble(below, error.without_url(), HINT);
    let client = reqwest::Client::builder().timeout(LIMIT).build().map_err(failed)?;
    let answer = client.get(url).send().await.map_err(failed)?;
    let status = answer.status();
    let text = answer.text().await.map_err(failed)?;
    if status.is_success() {
        return Ok(text);
    }
    let said = element(&text, "Code").unwrap_or_else(|| format!("the server answers {status}"));
    Err(ObjectError::trouble(below, format!("unended uploads cannot be listed: {said}"), HINT))
}

/// The uploads that a page names.
fn uploads(page: &str, below: &ObjectUrl) -> Vec<Unended> {
    let upload = |text: &str| {
        let begun = DateTime::parse_from_rfc3339(&element(text, "Initiated")?).ok()?;
        let key = unescaped(&element(text, "Key")?);
        Some(Unended {
            url: ObjectUrl { key, ..below.clone() },
            begun: begun.to_utc(),
            id: unescaped(&element(text, "UploadId")?),
        })
    };
    page.split("<Upload>").skip(1).filter_map(upload).collect()
}

fn marker(page: &str) -> Option<Marker> {
    let head = page.split("<Upload>").next().unwrap_or(page);
    let is_cut = element(page, "IsTruncated").is_some_and(|cut| cut == "true");
    let of = |name: &str| element(head, name).or_else(|| element(page, name));
    let id = of("NextUploadIdMarker").map(|id| unescaped(&id)).unwrap_or_default();
    let key = of("NextKeyMarker").map(|key| unescaped(&key))?;
    is_cut.then_some((key, id))
}

fn unescaped(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
    ];
    let text = entities.iter().fold(text.to_owned(), |text, (entity, is)| text.replace(entity, is));
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uploads_of_a_page_are_read_and_where_the_next_one_begins() {
        let below = ObjectUrl::of("s3://b/p".as_ref()).unwrap().unwrap();
        let page = "<ListMultipartUploadsResult><Bucket>b</Bucket><NextKeyMarker>p/x</NextKeyMarker>\
            <NextUploadIdMarker>2</NextUploadIdMarker><IsTruncated>true</IsTruncated>\
            <Upload><Key>p/a&amp;b.sql.gz</Key><UploadId>1</UploadId><Initiated>2026-01-14T14:30:22.000Z</Initiated>\
            </Upload><Upload><Key>p/x</Key><UploadId>2</UploadId><Initiated>2026-01-14T14:30:23Z</Initiated></Upload>\
            </ListMultipartUploadsResult>";
        let found = uploads(page, &below);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].url.to_string(), "s3://b/p/a&b.sql.gz");
        assert_eq!(found[0].begun.to_rfc3339(), "2026-01-14T14:30:22+00:00");
        assert_eq!(marker(page), Some(("p/x".to_owned(), "2".to_owned())));
        assert_eq!(marker(&page.replace("true", "false")), None);
    }
}
