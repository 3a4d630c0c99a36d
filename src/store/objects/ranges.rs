//! Answers to a request for a range that have one, and the status of a whole object: 200 in place of 206, as rclone's
//! server gives it. What the answer holds is said by its `Content-Range`, which is read as ever.

use std::pin::Pin;

use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::{ClientOptions, Result};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, HeaderMap, RANGE};

use super::clock::Clock;

/// Makes clients to which such an answer is one of a part.
#[derive(Debug)]
pub(super) struct Ranges(ReqwestConnector, Clock);

impl Ranges {
    /// Takes note of what the answers say of their clock.
    pub(super) fn noting(clock: Clock) -> Self {
        Self(ReqwestConnector::default(), clock)
    }
}

impl HttpConnector for Ranges {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient> {
        Ok(HttpClient::new(Parts(self.0.connect(options)?, self.1.clone())))
    }
}

#[derive(Debug)]
struct Parts(HttpClient, Clock);

/// What [`HttpService::call`] gives, whose trait is written for a macro.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Parts {
    fn call<'a, 'b>(&'a self, request: HttpRequest) -> Answer<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let asked = request.headers().contains_key(RANGE);
        Box::pin(async move {
            let mut answer = self.0.execute(request).await?;
            self.1.note(answer.headers());
            let status = status_of(asked, answer.status(), answer.headers());
            *answer.status_mut() = status;
            Ok(answer)
        })
    }
}

/// The status that an answer should have.
fn status_of(range_asked: bool, status: StatusCode, headers: &HeaderMap) -> StatusCode {
    let is_part = range_asked && headers.contains_key(CONTENT_RANGE);
    if is_part && status == StatusCode::OK { StatusCode::PARTIAL_CONTENT } else { status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_says_of_itself_that_it_is_a_part_is_one() {
        let mut part = HeaderMap::new();
        part.insert(CONTENT_RANGE, "bytes 0-9/100".parse().unwrap());
        let (ok, partial) = (StatusCode::OK, StatusCode::PARTIAL_CONTENT);
        assert_eq!(status_of(true, ok, &part), partial);
        assert_eq!(status_of(true, partial, &part), partial);
        // A whole object in the place of a part is refused by who has asked.
        assert_eq!(status_of(true, ok, &HeaderMap::new()), ok);
        assert_eq!(status_of(false, ok, &part), ok);
        assert_eq!(status_of(true, StatusCode::NOT_FOUND, &part), StatusCode::NOT_FOUND);
    }
}
