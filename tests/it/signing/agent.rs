//! An agent signs in the place of a key file, or does not, and why is said.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{
    MANIFEST, Told as _, create, fingerprint, key, keygen_sign, keygen_verify, line, make_key,
    verified,
};
use crate::support::{Place, text, wait_until};

/// An ssh-agent of a test's own.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(place: &Place) -> Self {
        let socket = place.dir().join("agent.socket");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        wait_until("the agent listens", || socket.exists());
        Self { child, socket }
    }

    fn socket(&self) -> &str {
        self.socket.to_str().unwrap()
    }

    fn add(&self, args: &[&str], key: &Path) {
        let mut command = Command::new("ssh-add");
        command.arg("-q").args(args).arg(key).env("SSH_AUTH_SOCK", &self.socket);
        assert!(command.stdin(Stdio::null()).status().unwrap().success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_agent_signs_as_it_does_for_ssh_keygen() {
    let place = Place::without_docker();
    let (path, agent) = (key(&place, "k"), Agent::start(&place));
    place.file("allowed", line(&place, "", "k").as_bytes());
    agent.add(&[], &key(&place, "another"));
    agent.add(&[], &path);
    // The private half is the agent's alone.
    std::fs::remove_file(&path).unwrap();
    let at = [("SSH_AUTH_SOCK", agent.socket())];
    let outcome = create(&place, &["a.sql", "--sign-key", "k.pub"], &at);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    let output = keygen_verify(&place, "a.sql.gz.manifest.json", MANIFEST, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    outcome.tells(&fingerprint(&place.dir().join("k.pub")));
}

#[test]
fn an_agent_that_cannot_sign_is_told_from_one_that_is_not_there() {
    let place = Place::without_docker();
    key(&place, "k");
    let agent = Agent::start(&place);
    let refused = |socket: &str, cause: &str| {
        let at = [("SSH_AUTH_SOCK", socket)];
        let outcome = create(&place, &["a.sql", "--sign-key", "k.pub"], &at);
        assert_eq!(outcome.code, 2, "{outcome}");
        outcome.blames(cause).hints("");
    };
    let lacks = format!("the agent does not have the key {}", fingerprint(&place.dir().join("k")));
    refused(agent.socket(), &lacks);
    agent.add(&[], &key(&place, "another"));
    refused(agent.socket(), &lacks);
    drop(agent);
    refused(place.dir().join("agent.socket").to_str().unwrap(), "cannot be reached");
    refused("/nowhere/agent", "cannot be reached");
    // One that takes connections and says nothing.
    let silent = place.dir().join("silent");
    let _listener = UnixListener::bind(&silent).unwrap();
    refused(silent.to_str().unwrap(), "the agent did not answer within 5 s");
}

/// An agent between ours and the real one that lists keys and refuses to sign.
fn refusing(place: &Place, agent: &Agent) -> PathBuf {
    let (socket, real) = (place.dir().join("refusing"), agent.socket.clone());
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = message(&mut stream);
            let answer = if request[0] == 13 {
                vec![5]
            } else {
                let mut real = UnixStream::connect(&real).unwrap();
                send(&mut real, &request);
                message(&mut real)
            };
            send(&mut stream, &answer);
        }
    });
    socket
}

fn message(stream: &mut UnixStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut message).unwrap();
    message
}

fn send(stream: &mut UnixStream, message: &[u8]) {
    stream.write_all(&u32::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(message).unwrap();
}

#[test]
fn a_backup_that_could_not_be_signed_is_kept_and_can_be_signed_by_hand() {
    let place = Place::on_a_lent_server();
    let (path, agent) = (key(&place, "k"), Agent::start(&place));
    place.file("allowed", line(&place, "", "k").as_bytes());
    agent.add(&[], &path);
    let socket = refusing(&place, &agent);
    let at = [("SSH_AUTH_SOCK", socket.to_str().unwrap())];
    let outcome = create(&place, &["a.sql", "--sign-key", "k.pub"], &at);
    assert_eq!(outcome.code, 1, "{outcome}");
    outcome.blames("a.sql.gz was made, but not signed: the agent refused to sign");
    outcome.hints("ssh-keygen -Y sign -n ccc-backup-manifest -f KEY a.sql.gz.manifest.json");
    verified(&place, "a.sql.gz").failed("a.sql.gz is unsigned: there is no");
    keygen_sign(&place, "k", MANIFEST, "a.sql.gz.manifest.json");
    verified(&place, "a.sql.gz").passed().tells("Signature: signed by backup@example.org");
}

#[test]
fn a_key_with_a_passphrase_needs_none_where_an_agent_has_it() {
    let place = Place::without_docker();
    let agent = Agent::start(&place);
    let path = make_key(&place, "k", "ed25519", "");
    agent.add(&[], &path);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-p", "-N", super::PASSPHRASE, "-f"]).arg(&path).stdout(Stdio::null());
    assert!(command.status().unwrap().success());
    let at = [("SSH_AUTH_SOCK", agent.socket())];
    let outcome = create(&place, &["a.sql", "--sign-key", "k.pub"], &at);
    assert_eq!(outcome.code, 0, "{outcome}");
}
