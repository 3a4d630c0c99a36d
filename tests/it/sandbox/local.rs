//! The machine's own PostgreSQL as a sandbox: how its end is told, and what is said of what it leaves.

use std::time::Duration;

use ccc_backup::events::Events;
use ccc_backup::model::locale::Locale;
use ccc_backup::sandbox::{Choice, Request};
use rustix::process::{Pid, Signal, kill_process};

use super::{request, started};
use crate::support::engine::text_of_root;
use crate::support::local::{left, server_of};

fn local(name: &str) -> Request {
    Request { choice: Choice::Local, ..request(name) }
}

#[tokio::test]
async fn the_end_of_a_local_server_is_told_and_whatever_it_is_asked_then_is_refused_by_name() {
    let request = local("ended");
    let mut sandbox = started(&request).await;
    assert_eq!(sandbox.diagnose().await, None);
    let user = sandbox.connect_info().user.clone();
    sandbox.leave_postgres_alone().await.unwrap();
    assert_eq!(sandbox.connect_info().user, user, "it is no superuser's to begin with");
    let server = server_of(&left(&request.name)[0]);
    kill_process(Pid::from_raw(server).unwrap(), Signal::KILL).unwrap();
    let diagnosis = sandbox.diagnose().await.unwrap();
    assert!(diagnosis.starts_with("the server ended"), "{diagnosis}");
    let roles = [("app", false)];
    for (error, doing) in [
        (
            sandbox.create_database("d", &Locale::default()).await.unwrap_err(),
            "create the database d",
        ),
        (
            sandbox.create_roles(roles.into_iter()).await.unwrap_err(),
            "create the roles of the backup",
        ),
        (
            sandbox.create_extensions("d", &[("bloom", None)]).await.unwrap_err(),
            "create the extensions of the backup",
        ),
        (sandbox.drop_database("d").await.unwrap_err(), "drop the database d"),
    ] {
        let said = format!("the sandbox's server refused to {doing}: ");
        assert!(error.to_string().starts_with(&said), "{error}");
    }
    assert!(sandbox.create_roles(std::iter::empty()).await.unwrap().is_empty());
    sandbox.close(&Events::silent()).await.unwrap();
    assert!(left(&request.name).is_empty());
}

#[tokio::test]
async fn what_cannot_be_removed_of_a_local_server_is_an_error_that_says_why() {
    let request = local("held");
    let sandbox = started(&request).await;
    let directory = left(&request.name).remove(0);
    let held = directory.join("held");
    std::fs::create_dir(&held).unwrap();
    let held = held.to_str().unwrap();
    text_of_root(&["mount", "-t", "tmpfs", "tmpfs", held]);
    let closed = sandbox.close(&Events::silent()).await;
    text_of_root(&["umount", held]);
    let error = closed.unwrap_err();
    let said = "the local PostgreSQL could not remove the server: ";
    assert!(error.to_string().starts_with(said), "{error}");
    assert!(error.hint().is_some());
    // Whoever watches over it tries once more.
    for _ in 0..100 {
        if directory.exists() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert!(!directory.exists());
}
