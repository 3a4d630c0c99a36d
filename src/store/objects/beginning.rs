//! How a client of a bucket begins: its settings and credentials are the environment's.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig,
};

use super::clock::Clock;
use super::error::ObjectError;
use super::ranges::Ranges;
use crate::store::place::{ObjectUrl, Scheme};

/// How long the other side may take to answer the first call.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a block may take that is read: at the most, 8 MiB.
const READ: Duration = Duration::from_secs(60);
/// How long a part may take that is written: at the most, 32 MiB.
const WRITE: Duration = Duration::from_secs(300);
/// For how long a request is begun again after an error that may pass.
const RETRY: Duration = Duration::from_secs(120);
/// The class in which backups are stored. What is small and often read beside them has the bucket's own.
const STORAGE_CLASS: &str = "CCC_BACKUP_STORAGE_CLASS";
/// Where nobody names a region: the name that stands for none.
const REGION: &str = "us-east-1";

/// Two clients of one bucket, which differ in how long a request may take.
#[derive(Debug)]
pub(super) struct Stores {
    pub(super) reading: Arc<dyn ObjectStore>,
    pub(super) writing: Arc<dyn ObjectStore>,
    /// Where it is S3.
    pub(super) s3: Option<Arc<AmazonS3>>,
    /// What is asked for with the bytes of a backup: its storage class.
    pub(super) attributes: Attributes,
    /// What the place's clock says, where it is S3.
    pub(super) clock: Clock,
}

/// The clients of the bucket of a URL.
pub(super) fn stores(url: &ObjectUrl) -> Result<Stores, ObjectError> {
    let clock = Clock::default();
    let make = match url.scheme {
        Scheme::S3 => {
            let (reading, writing) = (s3(url, READ, &clock)?, s3(url, WRITE, &clock)?);
            let s3 = Some(Arc::clone(&reading));
            return Ok(Stores { reading, writing, s3, attributes: attributes(url), clock });
        }
        Scheme::Gs => gcs,
        Scheme::Az => azure,
    };
    let (reading, writing) = (make(url, READ)?, make(url, WRITE)?);
    Ok(Stores { reading, writing, s3: None, attributes: attributes(url), clock })
}

/// What the environment asks for with the bytes of a backup.
fn attributes(url: &ObjectUrl) -> Attributes {
    let environment: Vec<_> = std::env::vars().collect();
    let asked = variables(STORAGE_CLASS, &url.bucket, &environment).into_iter();
    let class = asked.filter(|(name, _)| name == STORAGE_CLASS);
    class.map(|(_, class)| (Attribute::StorageClass, class)).collect()
}

fn unset(url: &ObjectUrl, error: &object_store::Error) -> ObjectError {
    let hint = match url.scheme {
        Scheme::S3 => "check the variables of the environment that begin with AWS_",
        Scheme::Gs => {
            "check GOOGLE_APPLICATION_CREDENTIALS, and the other variables that begin with GOOGLE_"
        }
        Scheme::Az => {
            "check AZURE_STORAGE_ACCOUNT_NAME, and the other variables that begin with AZURE_"
        }
    };
    ObjectError { hint, ..ObjectError::of(url, error) }
}

fn s3(url: &ObjectUrl, limit: Duration, clock: &Clock) -> Result<Arc<AmazonS3>, ObjectError> {
    let mut builder = AmazonS3Builder::new();
    for (name, value) in variables("AWS_", &url.bucket, &std::env::vars().collect::<Vec<_>>()) {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            builder = builder.with_config(key, value);
        }
    }
    builder = builder.with_bucket_name(&url.bucket);
    let set = |builder: &AmazonS3Builder, key| {
        builder.get_config_value(&key).filter(|value| !value.is_empty())
    };
    let given = [AmazonS3ConfigKey::Region, AmazonS3ConfigKey::DefaultRegion];
    if !given.into_iter().any(|key| set(&builder, key).is_some()) {
        builder = builder.with_region(REGION);
    }
    if set(&builder, AmazonS3ConfigKey::Checksum).is_none() {
        // So that the server refuses what does not arrive as it was sent.
        builder = builder.with_checksum_algorithm(Checksum::SHA256);
    }
    let endpoint = set(&builder, AmazonS3ConfigKey::S3Endpoint)
        .or_else(|| set(&builder, AmazonS3ConfigKey::Endpoint));
    let asked = set(&builder, AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    let allowed = asked
        .is_some_and(|asked| matches!(&*asked.to_ascii_lowercase(), "true" | "1" | "yes" | "on"));
    let mut options = client(limit);
    if let Some(host) = endpoint.as_deref().and_then(|endpoint| endpoint.strip_prefix("http://")) {
        if !allowed && !is_loopback(host) {
            let cause = "AWS_ENDPOINT_URL is http: whoever is on the way can read what is sent";
            let hint = "use https, or say that it is meant: AWS_ALLOW_HTTP=true";
            return Err(ObjectError::trouble(url, cause, hint));
        }
        options = options.with_allow_http(true);
    }
    let builder = builder.with_http_connector(Ranges::noting(clock.clone()));
    let built = builder.with_client_options(options).with_retry(retry()).build();
    built.map(Arc::new).map_err(|error| unset(url, &error))
}

fn gcs(url: &ObjectUrl, limit: Duration) -> Result<Arc<dyn ObjectStore>, ObjectError> {
    let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(&url.bucket);
    let built = builder.with_client_options(client(limit)).with_retry(retry()).build();
    built.map(|store| Arc::new(store) as _).map_err(|error| unset(url, &error))
}

fn azure(url: &ObjectUrl, limit: Duration) -> Result<Arc<dyn ObjectStore>, ObjectError> {
    let builder = MicrosoftAzureBuilder::from_env().with_container_name(&url.bucket);
    let built = builder.with_client_options(client(limit)).with_retry(retry()).build();
    built.map(|store| Arc::new(store) as _).map_err(|error| unset(url, &error))
}

fn client(limit: Duration) -> ClientOptions {
    ClientOptions::new().with_connect_timeout(CONNECT).with_timeout(limit)
}

fn retry() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(200),
        max_backoff: Duration::from_secs(15),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: 8, retry_timeout: RETRY }
}

/// The variables of the environment that a bucket goes by: those that end in `_FOR_` and its name in capitals, where there
/// are any, so that two providers can have their own; else the general ones.
fn variables(
    beginning: &str,
    bucket: &str,
    environment: &[(String, String)],
) -> Vec<(String, String)> {
    let capital = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let end = format!("_FOR_{}", bucket.chars().map(capital).collect::<String>());
    let ours =
        environment.iter().filter(|(name, value)| name.starts_with(beginning) && !value.is_empty());
    let own: Vec<_> = ours
        .clone()
        .filter_map(|(name, value)| Some((name.strip_suffix(&end)?.to_owned(), value.clone())))
        .collect();
    if own.is_empty() { ours.cloned().collect() } else { own }
}

/// Whether what stands after `http://` leads to this machine.
fn is_loopback(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_with_variables_of_its_own_goes_by_these_alone() {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "one"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_ACCESS_KEY_ID_FOR_OFF_SITE_2", "two"),
            ("AWS_REGION_FOR_OFF_SITE_2", ""),
            ("PATH", "x"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let named = |bucket| {
            let found = variables("AWS_", bucket, &environment).into_iter();
            found.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(named("off-site.2"), ["AWS_ACCESS_KEY_ID=two"]);
        assert!(named("other").contains(&"AWS_SESSION_TOKEN=token".to_owned()));
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_open_without_a_word() {
        for here in ["127.0.0.1:8333", "localhost", "localhost:1/x", "[::1]:80", "127.8.0.1"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in
            ["127.0.0.1.example.org", "10.0.0.1:80", "localhost.example.org", "[fe80::1]"]
        {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
