//! What the server, and all that a dump has it run, may not ask of the kernel: first of all a
//! connection to anything.
//!
//! A container reaches the services of its host by the address of the bridge between them. No network
//! of an engine closes that and still lets the host in, and a firewall is not ours to set. So nobody in
//! the container may connect: it answers who comes to it, and that is all. Unix sockets are meant, too,
//! for the kernel's filter cannot look behind a pointer; what has to connect to the server runs
//! [`beside`](super::beside) it.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use bollard::models::SystemInfo;
use serde_json::{Value, json};
use tempfile::TempPath;

use super::carried::carry;
use super::guard::{Guard, refusing};
use super::image::Image;
use super::own;
use crate::sandbox::error::SandboxError;

/// What Podman calls itself among the components of an engine. It takes a file's name where Docker takes
/// the profile.
const PODMAN: &str = "Podman Engine";

/// As where there is no network (Linux, x86 and ARM: `errno.h`).
const ENETUNREACH: u32 = 101;
const EPERM: u32 = 1;
/// Has the C library take an older call, whose flags can be seen.
const ENOSYS: u32 = 38;

const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
/// Families of sockets (`linux/socket.h`) besides those of IP that reach nothing outside the
/// container: unspecified, unix, netlink.
const HARMLESS_FAMILIES: [u64; 3] = [0, 1, 16];
const SOCK_STREAM: u64 = 1;
/// Types of sockets without their flags.
const SOCK_TYPE_MASK: u64 = 0xf;
/// The highest type: packets past the protocols.
const SOCK_PACKET: u64 = 10;
/// Connects with the first bytes that are sent (`linux/socket.h`).
const MSG_FASTOPEN: u64 = 0x2000_0000;
/// With it, a process is root somewhere (`linux/sched.h`).
const CLONE_NEWUSER: u64 = 0x1000_0000;

/// What connects, or has the kernel do it unseen, or takes the sockets of other processes.
const CONNECTING: [&str; 7] = [
    "connect",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "pidfd_getfd",
    "process_vm_writev",
    "ptrace",
];

/// What the engine's own profile does not allow either; ours takes its place.
const ADMINISTRATION: [&str; 57] = [
    "acct",
    "add_key",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "get_mempolicy",
    "init_module",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pivot_root",
    "process_vm_readv",
    "query_module",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "set_mempolicy",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "vhangup",
    "vm86",
];

/// The profile in the form that an engine takes.
#[derive(Debug)]
pub struct Profile {
    /// What the engine is told: the profile itself, or the file that has it.
    pub value: String,
    _file: Option<TempPath>,
}

impl Profile {
    /// The profile for this engine. `name` is one that what is made for it may have.
    ///
    /// # Errors
    /// [`SandboxError::Engine`], also when the file cannot be written.
    pub async fn for_engine(
        guard: &Guard,
        image: &Image,
        name: &str,
    ) -> Result<Self, SandboxError> {
        let engine = &guard.engine;
        let version = engine.docker.version().await.map_err(refusing("say its version"))?;
        let components = version.components.unwrap_or_default();
        if !components.iter().any(|component| component.name == PODMAN) {
            return Ok(Self { value: profile(), _file: None });
        }
        // From another machine or container, our files are not its files.
        if !engine.endpoint.is_local() || own::is_container() {
            let volume = format!("{name}-profile");
            let file = ("seccomp.json", profile());
            let value = carry(guard, image, &volume, (file.0, file.1.as_bytes())).await?;
            return Ok(Self { value, _file: None });
        }
        let written = || {
            // No secret, and the engine may be another user's.
            let mut file = tempfile::Builder::new()
                .prefix("ccc-backup-seccomp-")
                .permissions(std::fs::Permissions::from_mode(0o644))
                .tempfile()?;
            file.write_all(profile().as_bytes())?;
            Ok(file.into_temp_path())
        };
        let file = written().map_err(|error: std::io::Error| SandboxError::Engine {
            doing: "be told what the server may do".into(),
            reason: error.to_string(),
        })?;
        Ok(Self { value: file.display().to_string(), _file: Some(file) })
    }

    /// Makes sure that the engine can hold a container to it.
    ///
    /// # Errors
    /// [`SandboxError::NoWalls`].
    pub fn is_enforced_by(info: &SystemInfo) -> Result<(), SandboxError> {
        let options = info.security_options.as_deref().unwrap_or_default();
        // `seccomp` of engines before 1.13, else `name=seccomp,profile=default`.
        if options.iter().any(|option| option.contains("seccomp")) {
            Ok(())
        } else {
            Err(SandboxError::NoWalls)
        }
    }
}

/// The profile. It names no architecture, so that calls of another one than the
/// machine's are not allowed at all.
fn profile() -> String {
    let mut rules = vec![
        refused(&CONNECTING, ENETUNREACH, &[]),
        refused(&ADMINISTRATION, EPERM, &[]),
        refused(&["clone3"], ENOSYS, &[]),
        on(refused(&["clone"], EPERM, &[has(0, CLONE_NEWUSER)]), "excludes"),
        on(refused(&["clone"], EPERM, &[has(1, CLONE_NEWUSER)]), "includes"),
        refused(&["sendto", "sendmmsg"], ENETUNREACH, &[has(3, MSG_FASTOPEN)]),
        refused(&["sendmsg"], ENETUNREACH, &[has(2, MSG_FASTOPEN)]),
    ];
    let socket = |conditions: &[Value]| refused(&["socket"], ENETUNREACH, conditions);
    let last = HARMLESS_FAMILIES[2];
    let families = (0..last).filter(|family| !HARMLESS_FAMILIES.contains(family));
    for family in families {
        if family != AF_INET && family != AF_INET6 {
            rules.push(socket(&[is(0, family)]));
            continue;
        }
        // The one kind that the server listens with: what is none sends without a connection.
        for kind in (0..=SOCK_PACKET).filter(|kind| *kind != SOCK_STREAM) {
            rules.push(socket(&[is(0, family), masked(1, SOCK_TYPE_MASK, kind)]));
        }
        // Protocols of their own connect by calls of their own.
        rules.push(socket(&[is(0, family), condition(2, "SCMP_CMP_GT", 0, 0)]));
    }
    rules.push(socket(&[condition(0, "SCMP_CMP_GT", last, 0)]));
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules }).to_string()
}

fn refused(names: &[&str], errno: u32, conditions: &[Value]) -> Value {
    json!({ "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": conditions })
}

/// For, or for all but, the machines on which `clone` has its flags behind the stack.
fn on(mut rule: Value, which: &str) -> Value {
    rule[which] = json!({ "arches": ["s390", "s390x"] });
    rule
}

fn is(argument: u32, value: u64) -> Value {
    condition(argument, "SCMP_CMP_EQ", value, 0)
}

fn has(argument: u32, bit: u64) -> Value {
    masked(argument, bit, bit)
}

fn masked(argument: u32, mask: u64, value: u64) -> Value {
    condition(argument, "SCMP_CMP_MASKED_EQ", mask, value)
}

fn condition(argument: u32, op: &str, value: u64, second: u64) -> Value {
    json!({ "index": argument, "value": value, "valueTwo": second, "op": op })
}

#[cfg(test)]
mod tests {
    use super::super::fake::{self, Fake};
    use super::super::guard::this_run;
    use super::*;

    #[test]
    fn an_engine_that_cannot_enforce_it_is_refused_and_what_helps_is_named() {
        let info = |options: &[&str]| SystemInfo {
            security_options: Some(options.iter().map(|&option| option.to_owned()).collect()),
            ..SystemInfo::default()
        };
        assert!(Profile::is_enforced_by(&info(&["name=seccomp,profile=default"])).is_ok());
        for options in [&[][..], &["name=apparmor", "name=rootless"]] {
            let error = Profile::is_enforced_by(&info(options)).unwrap_err();
            assert!(error.hint().unwrap().contains("--engine local"), "{error}");
        }
    }

    #[tokio::test]
    async fn podman_is_given_a_file_that_goes_with_the_profile_and_docker_the_text() {
        for (name, is_file) in [("Engine", false), (PODMAN, true)] {
            let components = json!([{ "Name": name, "Version": "5" }]);
            let version = json!({ "ApiVersion": "1.43", "Components": components }).to_string();
            let fake = Fake::start(vec![("GET /version", 200, version)]).await;
            let guard = Guard::new(fake.engine.clone(), this_run(false).unwrap());
            let made = Profile::for_engine(&guard, &fake::image(), "x").await.unwrap();
            guard.keep();
            let value = made.value.clone();
            let text =
                if is_file { std::fs::read_to_string(&value).unwrap() } else { value.clone() };
            assert_eq!(text, profile(), "{name}");
            drop(made);
            assert!(!std::path::Path::new(&value).exists());
        }
    }

    #[test]
    fn nobody_connects_and_the_server_may_listen() {
        let profile: Value = serde_json::from_str(&profile()).unwrap();
        let rules = profile["syscalls"].as_array().unwrap();
        let of = |name: &str| -> Vec<&Value> {
            let named = |rule: &&Value| rule["names"].as_array().unwrap().contains(&json!(name));
            rules.iter().filter(named).collect()
        };
        assert_eq!(of("connect").len(), 1);
        assert_eq!(of("connect")[0]["args"], json!([]));
        for name in ["accept4", "bind", "listen", "recvfrom", "socketpair"] {
            assert!(of(name).is_empty(), "{name}");
        }
        // Each rule holds when all its conditions do: those of SOCK_STREAM of IP hold never.
        let holds = |rule: &Value, arguments: [u64; 3]| {
            rule["args"].as_array().unwrap().iter().all(|condition| {
                let number = |key: &str| condition[key].as_u64().unwrap();
                let argument = arguments[usize::try_from(number("index")).unwrap()];
                match condition["op"].as_str().unwrap() {
                    "SCMP_CMP_EQ" => argument == number("value"),
                    "SCMP_CMP_GT" => argument > number("value"),
                    _ => argument & number("value") == number("valueTwo"),
                }
            })
        };
        let may = |arguments| !of("socket").iter().any(|rule| holds(rule, arguments));
        let non_blocking = 0o4000;
        for family in [AF_INET, AF_INET6] {
            assert!(may([family, SOCK_STREAM, 0]) && may([family, SOCK_STREAM | non_blocking, 0]));
            for kind in [2, 2 | non_blocking, 3, 5, 6, 10] {
                assert!(!may([family, kind, 0]), "{family} {kind}");
            }
            // MPTCP, SCTP.
            assert!(!may([family, SOCK_STREAM, 262]) && !may([family, SOCK_STREAM, 132]));
        }
        assert!(may([1, SOCK_STREAM, 0]) && may([1, 2, 0]) && may([16, 3, 0]));
        // Among others packets, the machine's hypervisor, SMC.
        for family in [3, 9, 15, 17, 40, 43] {
            assert!(!may([family, SOCK_STREAM, 0]), "{family}");
        }
    }
}
