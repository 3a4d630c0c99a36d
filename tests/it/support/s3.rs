//! Servers that speak S3, on ports of their own: SeaweedFS, which holds to all of it, and rclone's, which promises less (it
//! passes over `If-None-Match`). One of each for all tests, with a bucket of its own for a test. What lies there is asked by
//! rclone, which shares no code with us.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::source::free_port;
use super::{repository, text};

const PATIENCE: Duration = Duration::from_secs(60);
/// So many times another choice of ports is tried: somebody else may take one before the server does.
const TRIES: u32 = 3;

/// Runs a server until the standard input ends, which it does with the process of the tests, whatever ends that; then
/// removes its directory.
const UNTIL_THE_END: &str = r#"
trap '' HUP INT TERM
dir=$1 && shift
cd "$dir"
TMPDIR=$dir "$@" </dev/null >log 2>&1 &
read -r _
kill -KILL $!
wait
rm -rf "$dir"
for port in $PORTS; do rm -f /tmp/seaweedfs-*-grpc-"$port".sock; done
"#;

/// Whose key a request is signed with, and so what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// May do everything.
    Owner,
    /// May put objects and give up uploads; neither read, list nor delete.
    Writer,
    /// May read and list.
    Reader,
    /// May read, list and delete.
    Remover,
}

impl Who {
    const ALL: [Self; 4] = [Self::Owner, Self::Writer, Self::Reader, Self::Remover];

    /// What the server's log calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Writer => "writer",
            Self::Reader => "reader",
            Self::Remover => "remover",
        }
    }

    /// Its access key and its secret, of a server on this port.
    fn key(self, port: u16) -> (String, String) {
        let (name, shown) = (self.name(), self.name().to_uppercase());
        (format!("AKIA{shown}{port}"), format!("s3cret-of-the-{name}-{port}"))
    }

    fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Owner => &[],
            Self::Writer => &["s3:PutObject", "s3:AbortMultipartUpload"],
            Self::Reader => &["s3:GetObject", "s3:ListBucket"],
            Self::Remover => &["s3:GetObject", "s3:ListBucket", "s3:DeleteObject"],
        }
    }
}

/// A request, as the server has put it into its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// See [`Who::name`].
    pub who: String,
    /// `GET`, `PUT`.
    pub verb: String,
    /// The bucket and the key, without a query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
}

/// See the module.
pub struct S3 {
    kind: Kind,
    port: u16,
    dir: PathBuf,
    // The server ends with the pipe to it.
    script: Mutex<Child>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Seaweed,
    Rclone,
}

/// SeaweedFS, started by the first test that asks.
pub fn seaweed() -> &'static S3 {
    static SERVER: OnceLock<S3> = OnceLock::new();
    SERVER.get_or_init(|| S3::start(Kind::Seaweed))
}

/// rclone's server, started by the first test that asks. It has one key, the owner's.
pub fn rclone() -> &'static S3 {
    static SERVER: OnceLock<S3> = OnceLock::new();
    SERVER.get_or_init(|| S3::start(Kind::Rclone))
}

/// Another SeaweedFS than the one that the tests share, for a test that destroys it.
pub fn another_seaweed() -> &'static S3 {
    Box::leak(Box::new(S3::start(Kind::Seaweed)))
}

/// A program that infra/setup.sh has put into `.venv`.
pub fn program(name: &str) -> PathBuf {
    let path = repository(".venv/bin").join(name);
    assert!(path.is_file(), "{} is missing: infra/setup.sh installs it", path.display());
    path
}

impl S3 {
    fn start(kind: Kind) -> Self {
        let mut said = String::new();
        for _ in 0..TRIES {
            match Self::try_to_start(kind) {
                Ok(server) => return server,
                Err(log) => said = log,
            }
        }
        panic!("the S3 server did not start: {said}");
    }

    /// `Err` is what it has said.
    fn try_to_start(kind: Kind) -> Result<Self, String> {
        let dir = tempfile::Builder::new().prefix("ccc-it-s3-").tempdir().unwrap().keep();
        std::fs::create_dir(dir.join("data")).unwrap();
        let port = free_port();
        let mut script = Command::new("sh");
        script.args(["-c", UNTIL_THE_END, "until-the-end"]).arg(&dir);
        match kind {
            Kind::Seaweed => seaweed_server(&mut script, &dir, port),
            Kind::Rclone => rclone_server(&mut script, port),
        }
        script.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let script = script.spawn().unwrap();
        let server = Self { kind, port, dir, script: Mutex::new(script) };
        // It answers before it can make a bucket.
        let patience = Instant::now() + PATIENCE / TRIES;
        while !server.client().args(["mkdir", "s3:first"]).output().unwrap().status.success() {
            if Instant::now() > patience {
                return Err(server.log());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Kills it. Nothing of what lay there is left.
    pub fn destroy(&self) {
        // This closes the pipe first.
        self.script.lock().unwrap().wait().unwrap();
        assert!(!self.dir.exists(), "{} is left", self.dir.display());
    }

    /// Its port on 127.0.0.1, for a proxy.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment of a client that may do everything.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        self.environment_of(Who::Owner)
    }

    /// The environment of a client with these rights.
    pub fn environment_of(&self, who: Who) -> Vec<(&'static str, String)> {
        assert!(who == Who::Owner || self.kind == Kind::Seaweed, "this server has one key");
        let (key, secret) = who.key(self.port);
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ]
    }

    /// The variables by which rclone has this server as its remote `s3:`.
    pub fn rclone_environment(&self, who: Who) -> Vec<(&'static str, String)> {
        let provider = if self.kind == Kind::Seaweed { "SeaweedFS" } else { "Rclone" };
        let mut variables = self.environment_of(who);
        variables.extend([
            ("RCLONE_CONFIG", "/dev/null".to_owned()),
            ("RCLONE_CONFIG_S3_TYPE", "s3".to_owned()),
            ("RCLONE_CONFIG_S3_PROVIDER", provider.to_owned()),
            ("RCLONE_CONFIG_S3_ENDPOINT", self.endpoint()),
            ("RCLONE_CONFIG_S3_ENV_AUTH", "true".to_owned()),
            // Each failure is to be seen, at once.
            ("RCLONE_RETRIES", "1".to_owned()),
            ("RCLONE_LOW_LEVEL_RETRIES", "1".to_owned()),
        ]);
        variables
    }

    /// rclone, which has this server as its remote `s3:`.
    pub fn client(&self) -> Command {
        self.client_of(Who::Owner)
    }

    /// The same with these rights.
    pub fn client_of(&self, who: Who) -> Command {
        let mut command = Command::new(program("rclone"));
        command.envs(self.rclone_environment(who));
        if who != Who::Owner {
            // Else it asks for more than it was told to do.
            command.envs([("RCLONE_S3_NO_CHECK_BUCKET", "true"), ("RCLONE_S3_NO_HEAD", "true")]);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Vec<u8> {
        succeeded(args, self.client().args(args).output().unwrap())
    }

    /// A new bucket.
    pub fn bucket(&self) -> String {
        self.new_bucket(&[])
    }

    /// A new bucket with versions, in which objects can be locked.
    pub fn bucket_with_locks(&self) -> String {
        self.new_bucket(&["--s3-bucket-object-lock-enabled"])
    }

    fn new_bucket(&self, options: &[&str]) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bucket-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let path = format!("s3:{name}");
        self.run(&[&["mkdir", path.as_str()][..], options].concat());
        name
    }

    /// Keys and sizes of what lies in a bucket, by key.
    pub fn objects(&self, bucket: &str) -> Vec<(String, u64)> {
        self.listed(bucket, |one| one["Size"].as_u64().unwrap())
    }

    /// All keys in a bucket, with the storage classes of their objects.
    pub fn classes(&self, bucket: &str) -> Vec<(String, String)> {
        self.listed(bucket, |one| one["Metadata"]["tier"].as_str().unwrap_or("STANDARD").to_owned())
    }

    fn listed<T: Ord>(&self, bucket: &str, of: impl Fn(&Value) -> T) -> Vec<(String, T)> {
        let path = format!("s3:{bucket}");
        let listed = self.run(&["lsjson", "--recursive", "--files-only", "--metadata", &path]);
        let listed: Vec<Value> = serde_json::from_slice(&listed).unwrap();
        let named = |one: &Value| (one["Path"].as_str().unwrap().to_owned(), of(one));
        let mut objects: Vec<_> = listed.iter().map(named).collect();
        objects.sort();
        objects
    }

    /// The bytes of an object.
    pub fn get(&self, bucket: &str, key: &str) -> Vec<u8> {
        self.run(&["cat", &format!("s3:{bucket}/{key}")])
    }

    /// Puts an object there, in place of one that is.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let args = ["rcat", &format!("s3:{bucket}/{key}")];
        let mut client = self.client();
        client.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = client.spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        succeeded(&args, child.wait_with_output().unwrap());
    }

    /// Removes an object.
    pub fn remove(&self, bucket: &str, key: &str) {
        self.run(&["deletefile", &format!("s3:{bucket}/{key}")]);
    }

    /// The keys of uploads that were begun and neither ended nor given up.
    pub fn uploads(&self, bucket: &str) -> Vec<String> {
        let args = ["backend", "list-multipart-uploads", &format!("s3:{bucket}")];
        let output = self.client().args(args).output().unwrap();
        // What rclone's server says where there is none.
        if text(&output.stderr).contains("NoSuchUpload") {
            return Vec::new();
        }
        let listed: Value = serde_json::from_slice(&succeeded(&args, output)).unwrap();
        let uploads = listed[bucket].as_array().unwrap().iter();
        uploads.map(|one| one["Key"].as_str().unwrap().to_owned()).collect()
    }

    /// What was asked about a bucket so far, in SeaweedFS's own words.
    pub fn requests(&self, bucket: &str) -> Vec<Logged> {
        assert!(self.kind == Kind::Seaweed, "rclone's server keeps no log of requests");
        let log = BufReader::new(File::open(self.dir.join("log")).unwrap());
        let lines = log.split(b'\n').map(|line| text(&line.unwrap()));
        lines
            .filter_map(|line| logged(&line))
            .filter(|one| one.path[1..].split('/').next() == Some(bucket))
            .collect()
    }

    /// All that the server has said.
    pub fn log(&self) -> String {
        text(&std::fs::read(self.dir.join("log")).unwrap())
    }
}

/// A line such as `… stats.go:42 "owner" PUT "/bucket/key" 200 204ms`.
fn logged(line: &str) -> Option<Logged> {
    let (_, words) = line.split_once(" stats.go:")?;
    let mut words = words.split(' ').skip(1);
    let mut next = || Some(words.next()?.trim_matches('"').to_owned());
    let (who, verb, path, status) = (next()?, next()?, next()?, next()?);
    Some(Logged { who, verb, path, status: status.parse().ok()? })
}

fn seaweed_server(script: &mut Command, dir: &Path, port: u16) {
    let identities = Who::ALL.map(|who| {
        let (key, secret) = who.key(port);
        let all: &[&str] = &["Admin", "Read", "Write", "List", "Tagging"];
        let (actions, policies) =
            if who == Who::Owner { (all, vec![]) } else { (&[][..], vec![who.name()]) };
        json!({
            "name": who.name(), "actions": actions, "policyNames": policies,
            "credentials": [{"accessKey": key, "secretKey": secret}],
        })
    });
    let policies = Who::ALL[1..].iter().map(|who| {
        let allowed =
            json!({"Effect": "Allow", "Action": who.actions(), "Resource": ["arn:aws:s3:::*"]});
        let policy = json!({"Version": "2012-10-17", "Statement": [allowed]});
        json!({"name": who.name(), "content": policy.to_string()})
    });
    let config = json!({"identities": identities, "policies": policies.collect::<Vec<_>>()});
    std::fs::write(dir.join("s3.json"), config.to_string()).unwrap();

    script.arg(program("weed")).args(["-logtostderr", "-vmodule=stats=3", "server"]);
    script.args(["-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]);
    // It would reserve 30 GB a volume, and have a few only.
    script.args(["-master.volumeSizeLimitMB=64", "-volume.max=0"]);
    script.args(["-s3.config=s3.json", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
    script.arg("-s3.localSocket=s3.sock").arg("-filer.localSocket=filer.sock");
    script.arg(format!("-s3.port={port}"));
    for other in ["master.port", "volume.port", "filer.port"] {
        script.arg(format!("-{other}={}", free_port()));
    }
    // Each of these makes a socket in /tmp, too, which stays behind when it is killed.
    let inner = ["s3", "master", "volume", "filer"].map(|one| (one, free_port()));
    script.args(inner.map(|(one, port)| format!("-{one}.port.grpc={port}")));
    script.env("PORTS", inner.map(|(_, port)| port.to_string()).join(" "));
}

fn rclone_server(script: &mut Command, port: u16) {
    let (key, secret) = Who::Owner.key(port);
    script.env("RCLONE_CONFIG", "/dev/null");
    script.arg(program("rclone")).args(["serve", "s3", "data", "--addr"]);
    script.arg(format!("127.0.0.1:{port}")).arg(format!("--auth-key={key},{secret}"));
}

/// What a program has printed, which has to have succeeded.
fn succeeded(args: &[&str], output: Output) -> Vec<u8> {
    assert!(output.status.success(), "rclone {args:?}: {}", text(&output.stderr));
    output.stdout
}
