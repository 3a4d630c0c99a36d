//! A Pod of infra/kubernetes, run by the container engine under the conditions that its CronJob sets.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::docker::docker;
use crate::support::{repository, text};

/// The documents of a file of infra/kubernetes.
pub fn documents(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(repository("infra/kubernetes").join(file)).unwrap();
    let documents = text.split("\n---\n");
    documents.map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

/// What a CronJob runs.
pub fn job(file: &str) -> Value {
    documents(file).remove(0)["spec"]["jobTemplate"]["spec"].take()
}

/// The Pod of a CronJob.
pub fn pod(file: &str) -> Value {
    job(file)["template"]["spec"].take()
}

/// What stands in for the parts of a cluster.
pub struct Cluster<'a> {
    pub image: &'a str,
    /// The persistent volume.
    pub backups: &'a Path,
    /// The files of the config map.
    pub configuration: &'a Path,
    /// The keys of the secret.
    pub secret: &'a [(&'a str, String)],
}

impl Cluster<'_> {
    /// Runs the Pod's container to its end. `more` are options for the engine, which win over the Pod's.
    pub fn run(&self, pod: &Value, more: &[&str]) -> (Option<i32>, String) {
        let mut args: Vec<String> =
            ["run", "--rm", "--security-opt", "no-new-privileges"].map(str::to_owned).to_vec();
        let container = &pod["containers"][0];
        args.extend(identity(&pod["securityContext"]));
        args.extend(restrictions(container));
        // What the network policies allow: all but create reach nothing.
        let network = if container["envFrom"].is_null() { "none" } else { "host" };
        args.extend(["--network".to_owned(), network.to_owned()]);
        for variable in container["env"].as_array().unwrap() {
            args.extend([
                "-e".to_owned(),
                format!("{}={}", word(&variable["name"]), word(&variable["value"])),
            ]);
        }
        if !container["envFrom"].is_null() {
            let secret = self.secret.iter();
            args.extend(
                secret.flat_map(|(name, value)| ["-e".to_owned(), format!("{name}={value}")]),
            );
        }
        for mount in container["volumeMounts"].as_array().unwrap() {
            args.extend(self.mount(pod, mount));
        }
        args.extend(more.iter().map(|&it| it.to_owned()));
        args.push(self.image.to_owned());
        args.extend(container["args"].as_array().unwrap().iter().map(|it| word(it).to_owned()));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let Output { status, stdout, stderr } = docker(&args);
        (status.code(), text(&stdout) + &text(&stderr))
    }

    fn mount(&self, pod: &Value, mount: &Value) -> [String; 2] {
        let named = |volume: &&Value| volume["name"] == mount["name"];
        let volume = pod["volumes"].as_array().unwrap().iter().find(named).unwrap();
        let to = word(&mount["mountPath"]);
        let bind = |from: &Path, mode| ["-v".to_owned(), format!("{}:{to}:{mode}", from.display())];
        if volume["persistentVolumeClaim"].is_object() {
            bind(self.backups, "rw")
        } else if volume["configMap"].is_object() {
            assert_eq!(mount["readOnly"], true);
            bind(self.configuration, "ro")
        } else {
            // No more than a test needs: it is memory here.
            assert!(volume["emptyDir"]["sizeLimit"].is_string(), "{volume}");
            ["--tmpfs".to_owned(), format!("{to}:mode=2770,uid=0,gid=65532,size=512m")]
        }
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn identity(context: &Value) -> Vec<String> {
    let user = format!("{}:{}", context["runAsUser"], context["runAsGroup"]);
    vec!["--user".to_owned(), user, "--group-add".to_owned(), context["fsGroup"].to_string()]
}

fn restrictions(container: &Value) -> Vec<String> {
    let context = &container["securityContext"];
    let mut args = Vec::new();
    for capability in context["capabilities"]["drop"].as_array().unwrap() {
        args.extend(["--cap-drop".to_owned(), word(capability).to_owned()]);
    }
    if context["readOnlyRootFilesystem"] == true {
        args.push("--read-only".to_owned());
    }
    let memory = word(&container["resources"]["limits"]["memory"]).replace('i', "").to_lowercase();
    args.extend(["--memory".to_owned(), memory.clone(), "--memory-swap".to_owned(), memory]);
    args
}
