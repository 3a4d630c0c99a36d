//! A webhook: the document is posted to a URL.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::address::Address;
use super::message::Message;
use super::sending::send;
use super::untold::Untold;
use crate::http::{Roots, client};
use crate::model::secret::Secret;

/// See the module.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where it is.
    pub address: Address,
    /// What is said beside the document; may hold secrets.
    pub headers: Headers,
    /// Who may have signed its certificate; whom the system trusts where nobody is named.
    pub roots: Option<Roots>,
}

/// Headers of a request. Values are not shown.
#[derive(Debug, Clone, Default)]
pub struct Headers(HeaderMap);

impl Headers {
    /// Adds one; says whether it can be sent.
    #[must_use]
    pub fn add(&mut self, name: &str, value: &Secret) -> bool {
        let (Ok(name), Ok(mut value)) =
            (name.parse::<HeaderName>(), value.expose().trim().parse::<HeaderValue>())
        else {
            return false;
        };
        value.set_sensitive(true);
        self.0.insert(name, value);
        true
    }
}

impl Webhook {
    /// Sends word of a run.
    ///
    /// # Errors
    /// Why it did not arrive.
    pub async fn tell(&self, message: &Message, limit: Duration) -> Result<(), Untold> {
        let client = client(self.roots.as_ref())?;
        let request = client.post(self.address.expose().clone());
        let request = request.header(CONTENT_TYPE, "application/json");
        let request = request.headers(self.headers.0.clone()).body(message.document.clone());
        send(&client, request, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_cannot_be_sent_is_refused_and_no_value_is_shown() {
        let mut headers = Headers::default();
        assert!(headers.add("Authorization", &Secret::new("Bearer s3cret\n")));
        assert!(!headers.add("Two Words", &Secret::new("x")));
        assert!(!headers.add("X", &Secret::new("two\nlines")));
        assert!(!format!("{headers:?}").contains("s3cret"));
        assert_eq!(headers.0.len(), 1);
    }
}
