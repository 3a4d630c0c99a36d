//! infra/kubernetes: the CronJobs keep to the restricted standard, and their Pods do what they are for under its conditions.
//! The schemas of Kubernetes are held to by `make lint`; there is no API server here.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::image::built;
use super::pod::{Cluster, documents, job, pod};
use crate::support::docker::{docker, docker_text};
use crate::support::source::source;
use crate::support::{Place, database, repository, text, wait_until};

const CRON_JOBS: [&str; 3] = ["create.yaml", "verify.yaml", "drill.yaml"];

/// The Pod Security Standard "restricted", field by field.
/// Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>, of Kubernetes 1.34.
fn breaks_the_restricted_standard(pod: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    let mut hold = |kept: bool, rule: &str| {
        if !kept {
            broken.push(rule.to_owned());
        }
    };
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        hold(pod[field].is_null() || pod[field] == false, field);
    }
    let context = &pod["securityContext"];
    for field in ["seLinuxOptions", "windowsOptions", "sysctls", "appArmorProfile"] {
        hold(context[field].is_null(), field);
    }
    hold(context["runAsNonRoot"] == true, "runAsNonRoot");
    hold(context["runAsUser"] != 0, "runAsUser");
    hold(context["seccompProfile"]["type"] == "RuntimeDefault", "seccompProfile");
    for volume in pod["volumes"].as_array().unwrap() {
        let allowed = ["configMap", "emptyDir", "persistentVolumeClaim", "secret"];
        hold(allowed.iter().any(|kind| volume[kind].is_object()), "volumes");
    }
    let containers = ["initContainers", "containers", "ephemeralContainers"];
    for container in containers.iter().filter_map(|kind| pod[kind].as_array()).flatten() {
        let context = &container["securityContext"];
        hold(context["privileged"].is_null() || context["privileged"] == false, "privileged");
        hold(context["allowPrivilegeEscalation"] == false, "allowPrivilegeEscalation");
        hold(context["capabilities"] == json!({ "drop": ["ALL"] }), "capabilities");
        hold(context["procMount"].is_null(), "procMount");
        hold(
            context["runAsUser"].is_null() && context["runAsNonRoot"].is_null(),
            "a user of its own",
        );
        hold(container["ports"].is_null(), "ports");
    }
    broken
}

#[test]
fn every_pod_keeps_to_the_restricted_standard_and_to_what_is_promised_beyond_it() {
    for file in CRON_JOBS {
        let pod = pod(file);
        assert_eq!(breaks_the_restricted_standard(&pod), Vec::<String>::new(), "{file}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{file}");
        let container = &pod["containers"][0];
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{file}");
        assert!(container["resources"]["limits"]["memory"].is_string(), "{file}");
        // Only the one that makes backups has the password.
        assert_eq!(container["envFrom"].is_null(), file != "create.yaml", "{file}");
    }
    let mut loose = pod("verify.yaml");
    loose["hostNetwork"] = json!(true);
    loose["containers"][0]["securityContext"]["capabilities"] = json!({ "drop": [] });
    assert_eq!(breaks_the_restricted_standard(&loose), ["hostNetwork", "capabilities"]);
}

#[test]
fn only_a_verdict_ends_a_job_for_good() {
    for file in CRON_JOBS {
        let job = job(file);
        let rules = job["podFailurePolicy"]["rules"].as_array().unwrap();
        assert_eq!(rules[0]["action"], "Ignore", "{file}");
        assert_eq!(rules[0]["onPodConditions"][0]["type"], "DisruptionTarget", "{file}");
        let fails: Vec<&Value> = rules.iter().filter(|rule| rule["action"] == "FailJob").collect();
        let codes: Vec<&Value> = fails.iter().map(|rule| &rule["onExitCodes"]["values"]).collect();
        let expected = if file == "create.yaml" { vec![] } else { vec![json!([1])] };
        assert_eq!(codes, expected.iter().collect::<Vec<_>>(), "{file}");
        assert_eq!(job["template"]["spec"]["restartPolicy"], "Never", "{file}");
    }
}

#[test]
fn the_kustomization_names_every_file_and_the_policies_close_all_but_the_way_to_the_database() {
    let kustomization = documents("kustomization.yaml").remove(0);
    let mut named: Vec<String> =
        serde_json::from_value(kustomization["resources"].clone()).unwrap();
    named.extend(
        ["ccc-backup.toml", "kustomization.yaml", "secret.example.yaml"].map(str::to_owned),
    );
    let there = std::fs::read_dir(repository("infra/kubernetes")).unwrap();
    let mut there: Vec<String> =
        there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    named.sort();
    assert_eq!(there, named);

    let policies = documents("network-policy.yaml");
    assert_eq!(policies[0]["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    assert!(policies[0]["spec"]["egress"].is_null() && policies[0]["spec"]["ingress"].is_null());
    assert_eq!(
        policies[1]["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"],
        "create"
    );
    let ports = policies[1]["spec"]["egress"][0]["ports"].as_array().unwrap();
    let ports: Vec<&Value> = ports.iter().map(|port| &port["port"]).collect();
    assert_eq!(ports, [53, 53, 5432]);
}

/// Runs the Pod that verifies, and kills it while its server starts, as the kernel does where memory is short.
fn killed(cluster: &Cluster, name: &str) -> Option<i32> {
    std::thread::scope(|scope| {
        let run = scope.spawn(|| cluster.run(&pod("verify.yaml"), &["--name", name]).0);
        wait_until("its server starts", || {
            assert!(!run.is_finished(), "it ended before it could be killed");
            text(&docker(&["logs", name]).stdout).contains("Starting PostgreSQL")
        });
        docker_text(&["kill", "--signal", "KILL", name]);
        run.join().unwrap()
    })
}

/// See docs/testing.md.
mod at_full_length {
    use super::*;

    #[test]
    fn the_pods_make_a_backup_prove_it_and_drill_and_one_that_is_killed_is_no_verdict() {
        let (place, database) = (Place::new(), database());
        let backups = place.dir().join("backups");
        std::fs::create_dir(&backups).unwrap();
        // As a volume with fsGroup is: for the group. Where the tests are not root they cannot give it away.
        std::fs::set_permissions(&backups, PermissionsExt::from_mode(0o777)).unwrap();
        let configuration = place.dir().join("configuration");
        std::fs::create_dir(&configuration).unwrap();
        let from = repository("infra/kubernetes/ccc-backup.toml");
        std::fs::copy(from, configuration.join("ccc-backup.toml")).unwrap();
        let secret = [
            ("DB_HOST", "127.0.0.1".to_owned()),
            ("DB_PORT", source().port.to_string()),
            ("DB_NAME", database.name.clone()),
            ("DB_USER", "postgres".to_owned()),
            ("DB_PASSWORD", source().password.clone()),
        ];
        let example = documents("secret.example.yaml").remove(0);
        for (name, _) in &secret {
            assert!(example["stringData"][name].is_string(), "{name}");
        }
        let cluster = Cluster {
            image: built(),
            backups: &backups,
            configuration: &configuration,
            secret: &secret,
        };

        for (file, words) in [
            ("create.yaml", "✓ Backup created successfully"),
            ("verify.yaml", "✅ VERIFICATION PASSED"),
            ("drill.yaml", "✅ DRILL PASSED"),
        ] {
            let (code, said) = cluster.run(&pod(file), &[]);
            assert_eq!(code, Some(0), "{file}: {said}");
            assert!(said.contains(words), "{file}: {said}");
        }
        let before = place.names("backups");
        let history = || std::fs::read_to_string(backups.join("history.jsonl")).unwrap();
        let told = history();
        let code = killed(&cluster, &place.container);
        assert_eq!(code, Some(137));
        assert_eq!(history(), told, "a verdict is on record");
        assert_eq!(place.names("backups"), before);
        let (code, said) = cluster.run(&pod("verify.yaml"), &[]);
        assert_eq!(code, Some(0), "{said}");
    }
}
