//! What the engine is asked to make: the network, the volume, and a container that can do nothing
//! but serve a database.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, NetworkCreateRequest,
    PortBinding, ResourcesUlimits, VolumeCreateRequest,
};

use super::image::Image;
use crate::sandbox::limits::Limits;

/// The server's port in the container.
pub const SERVER_PORT: u16 = 5432;
/// The name that [`SERVER_PORT`] has in the engine's maps.
pub const SERVER_PORT_KEY: &str = "5432/tcp";
/// Names the run in the server's own settings, so that a connection can make sure that it reached
/// this container and not whatever else has its address.
pub const RUN_SETTING: &str = "ccc_backup.run";

const START_SCRIPT: &str = concat!(include_str!("find-server.sh"), include_str!("start.sh"));
/// Runs a program beside the server, in the directory that holds the data directory.
pub const RUN_SCRIPT: &str =
    concat!(include_str!("find-server.sh"), "cd \"${PGDATA%/*}\"\nexec \"$@\"\n");
/// Runs a program in the container [`beside`] the server, with what is in that directory. It is no
/// place to be in: from another container it has no path, which PostgreSQL's programs complain of.
pub const RUN_BESIDE_SCRIPT: &str = concat!(
    include_str!("find-server.sh"),
    "cd /tmp\nfor file in \"${PGDATA%/*}\"/*; do ln -sfn \"$file\" .; done\nexec \"$@\"\n"
);
const DEFAULT_DATA_MOUNT: &str = "/var/lib/postgresql/data";
const MIB: u64 = 1024 * 1024;

/// Where the data directory lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In memory, up to so many bytes.
    Memory {
        /// The limit.
        limit: u64,
    },
    /// On a volume of this name.
    Volume(String),
}

/// Everything that a container depends on.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The image.
    pub image: &'a Image,
    /// Name of the network.
    pub network: &'a str,
    /// Labels of everything.
    pub labels: &'a HashMap<String, String>,
    /// Where the data directory lies.
    pub storage: &'a Storage,
    /// What it may take of the machine.
    pub limits: Limits,
    /// Port on 127.0.0.1; 0 for any.
    pub port: u16,
    /// Server settings.
    pub settings: &'a [(String, String)],
    /// The run's id.
    pub run: &'a str,
    /// What is said of the profile of [`seccomp`](super::seccomp): itself, or the file that has it.
    pub seccomp: &'a str,
    /// Libraries that the server loads as it starts, of those that the image has, with spaces between them.
    pub preload: &'a str,
}

/// A bridge of its own that forwards nothing under the host's address.
pub fn network(name: &str, labels: &HashMap<String, String>) -> NetworkCreateRequest {
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".into()),
        options: Some(strings([("com.docker.network.bridge.enable_ip_masquerade", "false")])),
        labels: Some(labels.clone()),
        ..NetworkCreateRequest::default()
    }
}

/// A volume of the engine's own kind.
pub fn volume(name: &str, labels: &HashMap<String, String>) -> VolumeCreateRequest {
    VolumeCreateRequest {
        name: Some(name.to_owned()),
        labels: Some(labels.clone()),
        ..VolumeCreateRequest::default()
    }
}

/// The container.
pub fn container(plan: &Plan) -> ContainerCreateBody {
    let data_mount = data_mount(plan.image);
    let script = ["sh", "-ec", START_SCRIPT, "ccc-backup"].map(str::to_owned);
    ContainerCreateBody {
        image: Some(plan.image.name.clone()),
        user: Some("postgres".into()),
        entrypoint: Some(script.into()),
        cmd: Some(server_arguments(plan)),
        env: Some(vec![
            format!("PGDATA={}", pgdata(plan.image)),
            // Spares initdb the search for the machine's time zone, its slowest step after SQL.
            "TZ=UTC".into(),
            "LC_ALL=C".into(),
            format!("CCC_BACKUP_PRELOAD={}", plan.preload),
        ]),
        working_dir: Some("/".into()),
        labels: Some(plan.labels.clone()),
        // The fast shutdown, whatever the image says.
        stop_signal: Some("SIGINT".into()),
        attach_stdin: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        exposed_ports: Some(vec![SERVER_PORT_KEY.into()]),
        host_config: Some(host_config(plan, data_mount)),
        ..ContainerCreateBody::default()
    }
}

/// A container for what has to connect to the server of the container `server`: without a network, so
/// that it may connect to whatever it finds. It shares the server's processes and reaches socket and
/// files by its first one, which is the server.
pub fn beside(plan: &Plan, server: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        host_config: Some(HostConfig {
            network_mode: Some("none".into()),
            pid_mode: Some(format!("container:{server}")),
            security_opt: Some(vec!["no-new-privileges".into()]),
            tmpfs: Some(covered(plan.image, ["/tmp"])),
            ..confined(plan.limits)
        }),
        ..idle(plan)
    }
}

/// A container in the network of the container `server`, and with nothing else of it, for what connects to it for us.
pub fn relay(plan: &Plan, server: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        host_config: Some(HostConfig {
            network_mode: Some(format!("container:{server}")),
            security_opt: Some(vec!["no-new-privileges".into()]),
            tmpfs: Some(covered(plan.image, [])),
            ..confined(plan.limits)
        }),
        ..idle(plan)
    }
}

/// The second network, between the server and the container that we run in: no other is to lead out of that one than
/// before, which a network that is not internal could take over.
pub fn shared_network(name: &str, labels: HashMap<String, String>) -> NetworkCreateRequest {
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".into()),
        internal: Some(true),
        labels: Some(labels),
        ..NetworkCreateRequest::default()
    }
}

/// A container that does nothing by itself.
fn idle(plan: &Plan) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(plan.image.name.clone()),
        user: Some("postgres".into()),
        // Longer than any run.
        entrypoint: Some(["sleep", "2147483647"].map(str::to_owned).into()),
        cmd: Some(Vec::new()),
        working_dir: Some("/".into()),
        labels: Some(plan.labels.clone()),
        ..ContainerCreateBody::default()
    }
}

fn server_arguments(plan: &Plan) -> Vec<String> {
    let own = [
        ("listen_addresses", "*".to_owned()),
        ("port", SERVER_PORT.to_string()),
        (RUN_SETTING, plan.run.to_owned()),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    plan.settings
        .iter()
        .chain(&own)
        .flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")])
        .collect()
}

fn host_config(plan: &Plan, data_mount: &str) -> HostConfig {
    let mut tmpfs = covered(plan.image, ["/tmp", "/var/run/postgresql"]);
    let mut mounts = None;
    match plan.storage {
        Storage::Memory { limit } => {
            // Any user may write there: the postgres user's number differs between images.
            tmpfs.insert(data_mount.into(), format!("mode=1777,size={limit}"));
        }
        Storage::Volume(name) => {
            // An empty volume takes over the owner of the directory that it is mounted on, which
            // in images of PostgreSQL is the postgres user.
            tmpfs.remove(data_mount);
            mounts = Some(vec![Mount {
                target: Some(data_mount.into()),
                source: Some(name.clone()),
                typ: Some(MountType::VOLUME),
                ..Mount::default()
            }]);
        }
    }
    HostConfig {
        network_mode: Some(plan.network.to_owned()),
        // The engine's resolver asks from the host's network; with itself to ask, it is no way out.
        dns: Some(vec!["127.0.0.1".into()]),
        port_bindings: Some(
            [(
                SERVER_PORT_KEY.to_owned(),
                Some(vec![PortBinding {
                    host_ip: Some("127.0.0.1".into()),
                    host_port: Some(match plan.port {
                        0 => String::new(),
                        port => port.to_string(),
                    }),
                }]),
            )]
            .into(),
        ),
        security_opt: Some(vec!["no-new-privileges".into(), format!("seccomp={}", plan.seccomp)]),
        tmpfs: Some(tmpfs),
        mounts,
        // Parallel queries exchange rows there; a limit, not a reservation.
        shm_size: signed(Some(1024 * MIB)),
        ..confined(plan.limits)
    }
}

/// Directories in memory that anyone may write to, here and where the image declares a volume: one that
/// nothing is mounted on becomes an anonymous volume without our label.
pub fn covered<const N: usize>(image: &Image, paths: [&str; N]) -> HashMap<String, String> {
    let paths = paths.into_iter().chain(image.volumes.iter().map(String::as_str));
    paths.map(|path| (path.to_owned(), "mode=1777".to_owned())).collect()
}

/// What holds for every container of ours.
fn confined(limits: Limits) -> HostConfig {
    HostConfig {
        cap_drop: Some(vec!["ALL".into()]),
        readonly_rootfs: Some(true),
        pids_limit: Some(512),
        memory: signed(limits.memory),
        // The same, which means none besides: a sandbox that swaps proves nothing sooner.
        memory_swap: signed(limits.memory),
        nano_cpus: signed(limits.nano_cpus),
        ulimits: Some(vec![ResourcesUlimits {
            name: Some("core".into()),
            soft: Some(0),
            hard: Some(0),
        }]),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(strings([("max-size", "4m"), ("max-file", "1")])),
        }),
        ..HostConfig::default()
    }
}

/// As the engine counts.
fn signed(number: Option<u64>) -> Option<i64> {
    number.and_then(|number| i64::try_from(number).ok())
}

/// The data directory in the container.
pub fn pgdata(image: &Image) -> String {
    format!("{}/ccc-backup", data_mount(image))
}

/// The directory that the data directory is made in: the image's own, which the postgres user owns.
fn data_mount(image: &Image) -> &str {
    image
        .volumes
        .iter()
        .map(String::as_str)
        .find(|path| path.starts_with("/var/lib/postgresql"))
        .unwrap_or(DEFAULT_DATA_MOUNT)
}

fn strings<const N: usize>(pairs: [(&str, &str); N]) -> HashMap<String, String> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(volumes: &[&str], storage: &Storage) -> ContainerCreateBody {
        limited(volumes, storage, Limits::default())
    }

    fn limited(volumes: &[&str], storage: &Storage, limits: Limits) -> ContainerCreateBody {
        let image = Image {
            name: "postgres:15".into(),
            digest: "sha256:0".into(),
            major: None,
            volumes: volumes.iter().map(|&path| path.to_owned()).collect(),
            ..Image::default()
        };
        container(&Plan {
            image: &image,
            network: "n",
            labels: &HashMap::new(),
            storage,
            limits,
            port: 5433,
            settings: &[("jit".into(), "off".into())],
            run: "0a",
            seccomp: "{}",
            preload: "",
        })
    }

    #[test]
    fn every_declared_volume_is_covered_so_that_none_is_made_anonymously() {
        let storage = Storage::Memory { limit: 1 << 30 };
        let host = body(&["/var/lib/postgresql", "/extra"], &storage).host_config.unwrap();
        let tmpfs = host.tmpfs.unwrap();
        assert_eq!(tmpfs["/var/lib/postgresql"], "mode=1777,size=1073741824");
        assert_eq!(tmpfs["/extra"], "mode=1777");
    }

    #[test]
    fn a_volume_is_mounted_where_the_image_has_its_data() {
        let host =
            body(&["/var/lib/postgresql/data"], &Storage::Volume("v".into())).host_config.unwrap();
        let mount = &host.mounts.unwrap()[0];
        assert_eq!(mount.target.as_deref(), Some("/var/lib/postgresql/data"));
        assert!(!host.tmpfs.unwrap().contains_key("/var/lib/postgresql/data"));
    }

    #[test]
    fn the_port_is_published_on_loopback_only() {
        let host = body(&[], &Storage::Volume("v".into())).host_config.unwrap();
        let binding = &host.port_bindings.unwrap()[SERVER_PORT_KEY].clone().unwrap()[0];
        assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(binding.host_port.as_deref(), Some("5433"));
    }

    #[test]
    fn limits_are_the_containers_and_swap_is_no_way_around_them() {
        let storage = Storage::Volume("v".into());
        let limits = Limits { memory: Some(1 << 30), nano_cpus: Some(1_500_000_000) };
        let host = limited(&[], &storage, limits).host_config.unwrap();
        assert_eq!((host.memory, host.memory_swap), (Some(1 << 30), Some(1 << 30)));
        assert_eq!(host.nano_cpus, Some(1_500_000_000));
        let host = body(&[], &storage).host_config.unwrap();
        assert_eq!((host.memory, host.memory_swap, host.nano_cpus), (None, None, None));
    }

    #[test]
    fn settings_become_arguments_of_the_server() {
        let arguments = body(&[], &Storage::Volume("v".into())).cmd.unwrap();
        assert!(arguments.contains(&"jit=off".to_owned()));
        assert!(arguments.contains(&"ccc_backup.run=0a".to_owned()));
    }
}
