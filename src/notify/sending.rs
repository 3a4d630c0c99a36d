//! A request that is sent until somebody takes it: again after what may pass, and not beyond its time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Request, RequestBuilder, Response, StatusCode, Url};
use tokio::time::Instant;

use super::untold::Untold;
use crate::http::Trouble;

/// How often it is tried at the most.
const TRIES: u32 = 4;
/// How long one try may take.
const TRY: Duration = Duration::from_secs(10);
/// How long to wait after the first try; twice as long after each further one.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends it; what is left of `limit` is left to each try.
///
/// # Errors
/// Why the last try failed.
pub(super) async fn send(
    client: &Client,
    request: RequestBuilder,
    limit: Duration,
) -> Result<(), Untold> {
    let request = request.build().map_err(Trouble::of)?;
    let deadline = Instant::now() + limit;
    let (mut pause, mut attempt) = (PAUSE, 1);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let failed = match once(client, &request, left.min(TRY)).await {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        tracing::debug!(attempt, why = %failed.untold, "not told");
        let wait = failed.asked_to_wait.map_or(pause, |asked| asked.max(pause));
        let left = deadline.saturating_duration_since(Instant::now());
        if !failed.may_pass || attempt == TRIES || wait >= left {
            return Err(match (failed.untold, failed.asked_to_wait) {
                (Untold::Refused(status), Some(asked)) if asked >= left => {
                    Untold::Busy(status, asked)
                }
                (untold, _) => untold,
            });
        }
        tokio::time::sleep(wait).await;
        (pause, attempt) = (pause * 2, attempt + 1);
    }
}

/// A try that failed.
struct Failed {
    untold: Untold,
    /// Whether another one makes sense.
    may_pass: bool,
    /// How long to wait first, as the other side wants it.
    asked_to_wait: Option<Duration>,
}

async fn once(client: &Client, request: &Request, limit: Duration) -> Result<(), Failed> {
    // A body of bytes can be had again.
    let Some(mut request) = request.try_clone() else { return Ok(()) };
    let asked = request.url().clone();
    *request.timeout_mut() = Some(limit);
    match client.execute(request).await.map_err(Trouble::of) {
        Ok(answer) => judge(&answer, &asked),
        Err(trouble) => {
            let may_pass = !matches!(trouble, Trouble::Certificate(_));
            Err(Failed { untold: trouble.into(), may_pass, asked_to_wait: None })
        }
    }
}

fn judge(answer: &Response, asked: &Url) -> Result<(), Failed> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() {
        let untold = Untold::Elsewhere(led_to(answer.headers(), asked));
        return Err(Failed { untold, may_pass: false, asked_to_wait: None });
    }
    let may_pass = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    let asked_to_wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let asked_to_wait = asked_to_wait.and_then(|value| wait_of(value, Utc::now()));
    Err(Failed { untold: Untold::Refused(status), may_pass, asked_to_wait })
}

/// The host that a redirect leads to.
fn led_to(headers: &HeaderMap, asked: &Url) -> Option<String> {
    let location = headers.get(LOCATION)?.to_str().ok()?;
    asked.join(location).ok()?.host_str().map(str::to_owned)
}

/// How long `Retry-After` wants to have waited: a number of seconds, or a date.
fn wait_of(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = DateTime::parse_from_rfc2822(value.trim()).ok()?;
    Some((then.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_wait_is_a_number_of_seconds_or_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-01-14T02:00:00Z").unwrap().to_utc();
        let seconds = |value| wait_of(value, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds("Wed, 14 Jan 2026 02:00:30 GMT"), Some(30));
        assert_eq!(seconds("Wed, 14 Jan 2026 01:00:00 GMT"), Some(0), "it has passed");
        for none in ["", "-1", "soon", "1.5"] {
            assert_eq!(seconds(none), None, "{none}");
        }
    }

    #[test]
    fn of_where_a_redirect_leads_the_host_alone_is_known() {
        let asked = Url::parse("https://h/x").unwrap();
        let led = |location: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, location.parse().unwrap());
            led_to(&headers, &asked)
        };
        assert_eq!(led("https://other.example/s3cret").as_deref(), Some("other.example"));
        assert_eq!(led("/login").as_deref(), Some("h"));
        assert_eq!(led_to(&HeaderMap::new(), &asked), None);
    }
}
