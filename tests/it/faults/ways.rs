//! The address that the engine gives for the server leads nowhere, or elsewhere, as it does where the
//! engine runs in a virtual machine: its port on this machine is taken then.

use crate::support::docker::image;
use crate::support::engine::Engine;
use crate::support::{Place, Running, good_dump};

/// Who has no way to the addresses of containers: the engine's own programs have.
const SOMEBODY: &str = "65534";
const PORT_OF_ANOTHER: &str = "15432";

/// Says where packets go that somebody sends to the address of a container.
fn lead(engine: &Engine, table: &str, target: &[&str]) {
    for chain in ["filter", "nat"] {
        iptables(engine, &["-t", chain, "-F", "OUTPUT"]);
    }
    let packets = ["-A", "OUTPUT", "-p", "tcp", "!", "-d", "127.0.0.0/8"];
    let from = ["-m", "owner", "--uid-owner", SOMEBODY, "-j"];
    iptables(engine, &[&["-t", table][..], &packets, &from, target].concat());
}

fn iptables(engine: &Engine, args: &[&str]) {
    let done = engine.beside().arg("iptables").args(args).status().unwrap();
    assert!(done.success(), "iptables {args:?}");
}

/// A server of somebody else, who asks nobody for a password.
fn another_server(engine: &Engine) {
    let run = ["run", "--detach", "--network=host", "--env=POSTGRES_HOST_AUTH_METHOD=trust"];
    engine.docker(&[&run[..], &[image(), "-p", PORT_OF_ANOTHER]].concat());
    let probe = format!("until (: </dev/tcp/127.0.0.1/{PORT_OF_ANOTHER}) 2>&-; do sleep 0.1; done");
    let there = engine.beside().args(["timeout", "60", "bash", "-c", &probe]).status();
    assert!(there.unwrap().success(), "the other server did not start");
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn a_server_whose_own_address_leads_nowhere_or_elsewhere_is_reached_by_its_port() {
        let (engine, place) = (Engine::start(), Place::without_docker());
        another_server(&engine);
        place.file("a.sql", good_dump());
        place.own_binary();
        let group = format!("--regid={}", rustix::process::getgid().as_raw());
        let user = format!("--reuid={SOMEBODY}");
        for (what, table, target) in [
            ("unreachable", "filter", &["REJECT", "--reject-with", "icmp-host-unreachable"][..]),
            ("silent", "filter", &["DROP"]),
            ("refused", "nat", &["REDIRECT", "--to-ports", "1"]),
            ("another server", "nat", &["REDIRECT", "--to-ports", PORT_OF_ANOTHER]),
        ] {
            lead(&engine, table, target);
            let mut command = engine.beside();
            command.args(["setpriv", &user, &group, "--clear-groups", "./ccc-backup"]);
            let args = ["--timeout", "30s"];
            let run = Running::verify_by(&mut command, &engine.host(), &place, "a.sql", &args);
            let (outcome, _) = run.end();
            assert_eq!(outcome.code, 0, "{what}: {outcome}");
            assert_eq!(engine.left(), Vec::<String>::new());
        }
    }
}
