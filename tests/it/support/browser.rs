//! A real browser without a window: Chromium, driven by its own protocol (Chrome DevTools Protocol) over a pipe.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How many answers and events are passed over while one is waited for; a page has a few dozen.
const PATIENCE: usize = 100_000;

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    next: u64,
    session: Option<String>,
    /// What was asked of anybody since the page was opened.
    requests: Vec<String>,
    _dir: TempDir,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The width of the screen, in its own pixels.
    pub width: u32,
    /// `light` or `dark`.
    pub scheme: &'static str,
    /// `screen` or `print`.
    pub media: &'static str,
}

impl Browser {
    /// Starts one.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (to, from) = (dir.path().join("to"), dir.path().join("from"));
        for pipe in [&to, &from] {
            rustix::fs::mkfifoat(rustix::fs::CWD, pipe, rustix::fs::Mode::RWXU).unwrap();
        }
        let flags = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                     --disable-background-networking --disable-extensions --remote-debugging-pipe";
        let line =
            format!("exec chromium {flags} --user-data-dir=\"$1\" about:blank 3<\"$2\" 4>\"$3\"");
        let mut command = Command::new("sh");
        command.args(["-c", &line, "sh"]).arg(dir.path().join("profile")).args([&to, &from]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let installed = Command::new("chromium").arg("--version").output();
        assert!(
            installed.is_ok_and(|it| it.status.success()),
            "chromium: infra/setup.sh installs it"
        );
        let child = command.spawn().unwrap();
        let to = File::options().write(true).open(to).unwrap();
        let from = BufReader::new(File::open(from).unwrap());
        let (next, session, requests) = (0, None, Vec::new());
        let mut browser = Self { child, to, from, next, session, requests, _dir: dir };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &target);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Network", "Runtime"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Opens a file, looked at so, and waits until it is there.
    pub fn open(&mut self, file: &Path, look: Look) {
        let Look { width, scheme, media } = look;
        let screen = json!({
            "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600
        });
        self.call("Emulation.setDeviceMetricsOverride", &screen);
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "media": media, "features": scheme }));
        self.requests.clear();
        let url = format!("file://{}", file.display());
        self.call("Page.navigate", &json!({ "url": url }));
        self.wait("Page.loadEventFired");
    }

    /// What an expression of JavaScript comes to in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{answer}");
        answer["result"]["value"].clone()
    }

    /// All that the page asked for since it was opened, itself first.
    pub fn requests(&self) -> &[String] {
        &self.requests
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let mut call = json!({ "id": self.next, "method": method, "params": params });
        if let Some(session) = &self.session {
            call["sessionId"] = session.clone().into();
        }
        let mut bytes = serde_json::to_vec(&call).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        for _ in 0..PATIENCE {
            let told = self.read();
            if told["id"] == self.next {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].clone();
            }
        }
        panic!("no answer to {method}");
    }

    fn wait(&mut self, event: &str) {
        for _ in 0..PATIENCE {
            if self.read()["method"] == event {
                return;
            }
        }
        panic!("no {event}");
    }

    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser has ended");
        let told: Value = serde_json::from_slice(&bytes).unwrap();
        if told["method"] == "Network.requestWillBeSent" {
            let url = told["params"]["request"]["url"].as_str().unwrap();
            self.requests.push(url.to_owned());
        }
        told
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
