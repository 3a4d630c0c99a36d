//! A server that is lent: in a container of the real engine, started once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, InspectContainerOptions,
    RemoveContainerOptions, StartContainerOptions,
};
use ccc_backup::model::secret::Secret;
use ccc_backup::pg::{Address, ConnectInfo, Session, quote_literal};
use ccc_backup::restore::LoadError;
use ccc_backup::restore::cluster::{self, Cluster};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::programs;

/// How long a server may take to start, and its last session to end.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// What a restore can change outside of databases of its own: all that is in the catalogs of the whole cluster but the
/// password and counters, settings of the server but the run's name, and rows written in the databases that are there
/// from the beginning.
const STATE: &str = "\
SELECT line FROM (
    SELECT 'role' || (to_jsonb(r) - CASE WHEN oid = 10 THEN 'rolpassword' ELSE '' END)::text FROM pg_authid r
    UNION ALL SELECT 'member' || (to_jsonb(m) - 'oid')::text FROM pg_auth_members m
    UNION ALL SELECT 'database' || (to_jsonb(d) - '{datfrozenxid,datminmxid}'::text[])::text FROM pg_database d
    UNION ALL SELECT 'setting' || to_jsonb(s)::text FROM pg_db_role_setting s
    UNION ALL SELECT 'tablespace' || to_jsonb(t)::text FROM pg_tablespace t
    UNION ALL SELECT 'comment' || to_jsonb(c)::text FROM pg_shdescription c
    UNION ALL SELECT 'label' || to_jsonb(l)::text FROM pg_shseclabel l
    UNION ALL SELECT 'dependency' || to_jsonb(d)::text FROM pg_shdepend d
    UNION ALL SELECT 'origin' || to_jsonb(o)::text FROM pg_replication_origin o
    UNION ALL SELECT 'parameter' || to_jsonb(p)::text FROM pg_parameter_acl p
    UNION ALL SELECT 'subscription' || subname FROM pg_subscription
    UNION ALL SELECT 'slot' || slot_name FROM pg_replication_slots
    UNION ALL SELECT 'transaction' || gid FROM pg_prepared_xacts
    UNION ALL SELECT 'file' || name || setting FROM pg_file_settings WHERE name <> 'ccc_backup.run'
    UNION ALL SELECT 'written' || datname || tup_inserted + tup_updated + tup_deleted
        FROM pg_stat_database WHERE datname IN ('postgres', 'template0', 'template1')
) state (line) ORDER BY line";

/// See the module.
#[derive(Debug)]
pub struct Server {
    /// The id of its container.
    pub id: String,
    /// What the container was made of; whoever wants the same can have it.
    pub plan: String,
    labels: HashMap<String, String>,
    /// What is known once it runs.
    running: Option<Running>,
    /// The id of the container of programs beside it, once there is one.
    beside: Option<String>,
    /// Programs ran in one of the two since it was lent.
    ran_programs: bool,
}

#[derive(Debug)]
struct Running {
    address: String,
    password: String,
    before: Cluster,
    state: Vec<String>,
}

impl Server {
    /// Makes the container of one, as quickly as an engine does: it has no label of a run, nor will its server have a
    /// run's name, which are the borrower's.
    pub async fn make(docker: &Docker, plan: String, name: &str, network: &str) -> Self {
        let mut body: ContainerCreateBody = serde_json::from_str(&plan).unwrap();
        let labels = HashMap::from([(super::engine::LABEL.to_owned(), network.to_owned())]);
        body.labels = Some(labels.clone());
        let host = body.host_config.as_mut().unwrap();
        host.network_mode = Some(network.to_owned());
        let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
        let id = docker.create_container(Some(options), body).await.unwrap().id;
        Self { id, plan, labels, running: None, beside: None, ran_programs: false }
    }

    /// Starts it, if it does not run.
    pub async fn start_once(&mut self, docker: &Docker, network: &str) {
        if self.running.is_none() {
            self.running = Some(Running::start(docker, &self.id, network).await);
        }
    }

    /// Gives it, running, to a run, which knows its own name and password.
    pub async fn lend(&mut self, run: &str, password: &str) -> Result<(), tokio_postgres::Error> {
        self.running.as_mut().unwrap().lend(run, password).await
    }

    /// The container of programs beside it, which is made and started like this one where there is none.
    pub async fn beside_once(&mut self, docker: &Docker, body: Value) -> String {
        self.runs_programs();
        if let Some(id) = &self.beside {
            return id.clone();
        }
        let mut body: ContainerCreateBody = serde_json::from_value(body).unwrap();
        body.labels = Some(self.labels.clone());
        let id = docker.create_container(None::<CreateContainerOptions>, body).await.unwrap().id;
        docker.start_container(&id, None::<StartContainerOptions>).await.unwrap();
        self.beside.insert(id).clone()
    }

    /// Notes that programs will have run in it.
    pub fn runs_programs(&mut self) {
        self.ran_programs = true;
    }

    /// Removes what a run left in it, and tells whether nothing of it is there any more.
    pub async fn is_as_new(&mut self, docker: &Docker) -> bool {
        let Some(running) = &self.running else { return false };
        if self.ran_programs {
            let Some(beside) = &self.beside else { return false };
            if !programs::are_cleared(docker, beside, &self.plan).await {
                return false;
            }
            self.ran_programs = false;
        }
        running.is_as_new().await
    }

    /// Removes it.
    pub async fn remove(self, docker: &Docker) {
        for id in self.beside.into_iter().chain([self.id]) {
            let by_force = RemoveContainerOptions { force: true, v: true, link: false };
            docker.remove_container(&id, Some(by_force)).await.unwrap();
        }
    }
}

impl Running {
    async fn start(docker: &Docker, id: &str, network: &str) -> Self {
        let attach = AttachContainerOptions { stream: true, stdin: true, ..Default::default() };
        let mut attached = docker.attach_container(id, Some(attach)).await.unwrap();
        docker.start_container(id, None::<StartContainerOptions>).await.unwrap();
        let password = "to-be-changed".to_owned();
        attached.input.write_all(format!("{password}\n").as_bytes()).await.unwrap();
        attached.input.shutdown().await.unwrap();
        let inspected =
            docker.inspect_container(id, None::<InspectContainerOptions>).await.unwrap();
        let networks = inspected.network_settings.unwrap().networks.unwrap();
        let address = networks[network].ip_address.clone().unwrap();
        let info = connect_info(&address, &password);
        let begun = Instant::now();
        while let Err(error) = info.connect().await {
            assert!(begun.elapsed() < PATIENCE, "a server to lend does not start: {error}");
            tokio::time::sleep(PAUSE).await;
        }
        let before = Cluster::of(&info).await.unwrap();
        let state = state(&alone(&info).await.unwrap()).await.unwrap();
        Self { address, password, before, state }
    }

    /// Gives it to a run, which knows its own name and password.
    async fn lend(&mut self, run: &str, password: &str) -> Result<(), tokio_postgres::Error> {
        let session = self.info().connect().await?;
        let (run, quoted) = (quote_literal(run), quote_literal(password));
        for statement in [
            // Known to the session, so that it is to ALTER SYSTEM.
            "SET ccc_backup.run = ''".to_owned(),
            format!("ALTER SYSTEM SET ccc_backup.run = {run}"),
            format!("ALTER ROLE postgres PASSWORD {quoted}"),
            "SELECT pg_reload_conf()".to_owned(),
        ] {
            session.batch_execute(&statement).await?;
        }
        password.clone_into(&mut self.password);
        Ok(())
    }

    /// Removes what a run left in it, and tells whether nothing of it is there any more.
    async fn is_as_new(&self) -> bool {
        let info = self.info();
        let Some(session) = alone(&info).await else { return false };
        self.clear(&info, &session).await.is_ok()
            && state(&session).await.is_some_and(|state| state == self.state)
    }

    async fn clear(&self, info: &ConnectInfo, session: &Session) -> Result<(), LoadError> {
        const MADE: &str = "SELECT datname::text FROM pg_database WHERE oid >= 16384";
        let made = session.query(MADE, &[]).await.map_err(|error| LoadError::server(&error))?;
        for database in made {
            cluster::release(info, database.get(0)).await?;
        }
        self.before.forget_others(info).await
    }

    fn info(&self) -> ConnectInfo {
        connect_info(&self.address, &self.password)
    }
}

/// A session of a server when there is no other one any more; `None` where one cannot be had.
async fn alone(info: &ConnectInfo) -> Option<Session> {
    const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity \
                          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let session = info.connect().await.ok()?;
    let begun = Instant::now();
    while session.query_one(OTHERS, &[]).await.ok()?.get::<_, i64>(0) > 0 {
        if begun.elapsed() > PATIENCE {
            return None;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Some(session)
}

async fn state(session: &Session) -> Option<Vec<String>> {
    let lines = session.query(STATE, &[]).await.ok()?;
    Some(lines.iter().map(|line| line.get(0)).collect())
}

fn connect_info(host: &str, password: &str) -> ConnectInfo {
    ConnectInfo {
        address: Address::Tcp { host: host.to_owned(), port: 5432 },
        user: "postgres".to_owned(),
        password: Secret::new(password),
        database: "postgres".to_owned(),
        terms: ccc_backup::pg::Terms::default(),
        event_triggers: true,
    }
}
