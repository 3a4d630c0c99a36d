//! A URL that may hold a secret: of it, the host alone is ever shown.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Reads a URL; `None` where it is none of HTTP.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text.trim()).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(Self(url))
    }

    /// The host, with its port where that is none of the usual ones.
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The URL itself, for the one call that needs it.
    pub(super) fn expose(&self) -> &Url {
        &self.0
    }

    /// Whether whoever is on the way can read what is sent: by HTTP, to another machine.
    pub fn is_in_the_open(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let is_loopback = host == "localhost" || address.is_ok_and(|it| it.is_loopback());
        self.0.scheme() == "http" && !is_loopback
    }

    /// The first page of the same server: nothing of the URL that may be secret.
    pub(super) fn root(&self) -> Self {
        let mut url = self.0.clone();
        url.set_path("/");
        url.set_query(None);
        url.set_fragment(None);
        // Only a URL without a host cannot have them taken away.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Self(url)
    }

    /// The same, with one part more at the end of its path.
    pub(super) fn below(&self, part: &str) -> Self {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(part);
        }
        Self(url)
    }

    /// The same with one parameter more, unless it has a value for it already.
    pub(super) fn asking(mut self, name: &str, value: &str) -> Self {
        if !self.0.query_pairs().any(|(there, _)| there == name) {
            self.0.query_pairs_mut().append_pair(name, value);
        }
        self
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a URL of {self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn the_host_alone_is_shown() {
        for (text, shown) in [
            (
                "https://hooks.example.com/services/T0/B0/s3cret?key=s3cret#s3cret",
                "hooks.example.com",
            ),
            ("https://user:s3cret@hooks.example.com/x", "hooks.example.com"),
            ("http://127.0.0.1:8000/ping/s3cret", "127.0.0.1:8000"),
            (" https://hooks.example.com:443/s3cret\n", "hooks.example.com"),
        ] {
            let address = address(text);
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("s3cret"));
        }
    }

    #[test]
    fn what_is_no_url_of_http_is_none() {
        for text in
            ["", "hooks.example.com/x", "ftp://h/x", "https://", "file:///etc/passwd", "env:X"]
        {
            assert!(Address::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn of_the_first_page_nothing_is_secret() {
        let root = address("https://u:s3cret@h:81/s3cret?s3cret#s3cret").root();
        assert_eq!(root.expose().as_str(), "https://h:81/");
    }

    #[test]
    fn http_to_another_machine_is_in_the_open() {
        for (text, open) in [
            ("http://h/x", true),
            ("https://h/x", false),
            ("http://localhost:8000/x", false),
            ("http://127.0.0.1/x", false),
            ("http://[::1]/x", false),
            ("http://10.0.0.1/x", true),
        ] {
            assert_eq!(address(text).is_in_the_open(), open, "{text}");
        }
    }

    #[test]
    fn a_part_goes_to_the_end_of_the_path_and_parameters_stay() {
        for (text, below) in [
            ("https://h/uuid", "https://h/uuid/start"),
            ("https://h/uuid/", "https://h/uuid/start"),
            ("https://h/ping/key/slug?create=1", "https://h/ping/key/slug/start?create=1"),
            ("https://h", "https://h/start"),
        ] {
            assert_eq!(address(text).below("start").expose().as_str(), below);
        }
        let asking = |text: &str| address(text).asking("rid", "7").expose().to_string();
        assert_eq!(asking("https://h/x"), "https://h/x?rid=7");
        assert_eq!(asking("https://h/x?create=1"), "https://h/x?create=1&rid=7");
        assert_eq!(asking("https://h/x?rid=own"), "https://h/x?rid=own");
    }
}
