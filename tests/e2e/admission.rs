//! What people see at the API server: refusals with plain words, immutability, columns, explain.

use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::Value;

use crate::support::{Start, World, emulator, new_plane};

/// The API server's refusal of a spec.
async fn refusal(world: &World, name: &str, spec: &str) -> String {
    match world.try_apply(name, spec).await {
        Ok(_) => panic!("accepted: {spec}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn an_invalid_object_is_refused_in_plain_words() {
    let world = World::quiet("refused").await;
    for (spec, words) in [
        (
            "{path: session-manager}",
            "spec.path must begin and end with /",
        ),
        (
            "{role: {name: 'my role'}}",
            "spec.role.name can't have a space: it takes letters, digits and",
        ),
        (
            "{role: {maxSessionDurationSeconds: 60}}",
            "should be greater than or equal to 3600",
        ),
        (
            "{principal: HybridActivation, instanceProfile: {}}",
            "on-premises servers have no instance profile",
        ),
        (
            "{hybrid: {regions: [eu-central-1]}}",
            "spec.hybrid needs principal HybridActivation",
        ),
        (
            "{policy: {type: Inline, description: x}}",
            "spec.policy.description can't be used with type Inline",
        ),
        (
            "{policy: {type: Inline, tags: {a: b}}}",
            "spec.policy.tags can't be used with type Inline",
        ),
        (
            "{sessionEncryption: {kmsKeyArn: 'alias/my-session-key'}}",
            "spec.sessionEncryption.kmsKeyArn must be the key's ARN",
        ),
        (
            "{sessionEncryption: {kmsKeyArn: 'arn:aws:kms:eu-central-1:111122223333:alias/x'}}",
            "an alias or a key id does not work",
        ),
        (
            "{sessionLogs: {s3: {bucket: My_Logs}}}",
            "spec.sessionLogs.s3.bucket can't have 'M': it takes lower-case letters",
        ),
        (
            "{sessionLogs: {s3: {bucket: my-logs, keyPrefix: 'a/*'}}}",
            "which would widen the policy",
        ),
        (
            "{sessionLogs: {s3: {bucket: my-logs, encryption: KMS}}}",
            "spec.sessionLogs.s3.kmsKeyArn is needed with encryption KMS",
        ),
        (
            "{tags: {'aws:x': 'y'}}",
            "can't start with sessionmanager.dev/ or aws:",
        ),
        (
            "{tags: {'SessionManager.dev/owner': 'y'}}",
            "can't start with sessionmanager.dev/ or aws:",
        ),
        (
            "{additionalPolicyArns: [ReadOnlyAccess-is-not-an-arn]}",
            "must be a managed policy's ARN",
        ),
        (
            "{mode: Sometimes}",
            "supported values: \"Enforce\", \"Observe\"",
        ),
    ] {
        let message = refusal(&world, "web", spec).await;
        assert!(
            message.to_lowercase().contains(&words.to_lowercase()),
            "{spec}: {message}"
        );
    }
    let long = refusal(&world, &"n".repeat(129), "{}").await;
    assert!(
        long.contains("metadata.name can have at most 128 characters"),
        "{long}"
    );
}

#[tokio::test]
async fn what_is_immutable_stays_also_in_steps() {
    let world = World::quiet("immutable").await;
    let cases = [
        (
            "principal",
            "{principal: EC2}",
            vec!["{principal: HybridActivation}"],
        ),
        ("path", "{path: /a/}", vec!["{path: /b/}", "{}"]),
        (
            "role.name",
            "{role: {name: one}}",
            vec!["{role: {name: two}}", "{role: {}}", "{}"],
        ),
        (
            "policy.name",
            "{policy: {name: one}}",
            vec!["{policy: {name: two}}", "{policy: {}}", "{}"],
        ),
        (
            "instanceProfile.name",
            "{instanceProfile: {name: one}}",
            vec!["{instanceProfile: {name: two}}", "{}"],
        ),
        (
            "policy.description",
            "{policy: {description: one}}",
            vec!["{policy: {description: two}}", "{}"],
        ),
        // From unset to set is a change too.
        ("principal", "{}", vec!["{principal: HybridActivation}"]),
        ("path", "{}", vec!["{path: /a/}"]),
        ("role.name", "{}", vec!["{role: {name: one}}"]),
        ("role.name", "{role: {}}", vec!["{role: {name: one}}"]),
        ("policy.name", "{}", vec!["{policy: {name: one}}"]),
        (
            "instanceProfile.name",
            "{}",
            vec!["{instanceProfile: {name: one}}"],
        ),
        (
            "policy.description",
            "{}",
            vec!["{policy: {description: one}}"],
        ),
    ];
    for (index, (field, before, after)) in cases.iter().enumerate() {
        let name = format!("case-{index}");
        world.apply(&name, before).await;
        for spec in after {
            // Whole, as people edit: an apply that leaves an empty map behind says less (below).
            let refused = world.try_replace(&name, spec).await;
            let message = refused.expect_err(spec).to_string();
            assert!(
                message.contains(&format!("spec.{field} can't be changed")),
                "{before} -> {spec}: {message}"
            );
            assert!(
                message.contains(&format!("spec.{field}:")),
                "no field path: {message}"
            );
        }
    }
    // The default, written out, is no change; the description is free where the type changes.
    world.apply("written", "{}").await;
    world.apply("written", "{principal: EC2}").await;
    world.apply("typed", "{policy: {description: one}}").await;
    world.apply("typed", "{policy: {type: Inline}}").await;
}

/// Server-side apply, which Argo CD may use, of an empty map over one that had fields.
#[tokio::test]
async fn what_had_fields_can_become_empty_again() {
    let world = World::quiet("emptied").await;
    for (before, after) in [
        ("{tags: {a: b}}", "{}"),
        (
            "{sessionLogs: {cloudWatch: {logGroupName: one}}}",
            "{sessionLogs: {cloudWatch: {}}}",
        ),
    ] {
        world.apply("web", before).await;
        let object = world.apply("web", after).await;
        let after: smr_api::SessionManagerRoleSpec = serde_saphyr::from_str(after).unwrap();
        assert_eq!(object.spec, after, "{before}");
    }
}

/// Rules become stricter: what they refuse now stays in the cluster, can be changed in another field,
/// corrected and deleted, and the controller says what is wrong with it.
#[tokio::test]
async fn what_older_rules_accepted_is_stalled_and_can_be_changed_and_deleted() {
    const BEFORE: &str = "{sessionLogs: {s3: {bucket: my-logs, keyPrefix: 'ログ/本番'}}}";
    const TAGGED: &str =
        "{tags: {a: b}, sessionLogs: {s3: {bucket: my-logs, keyPrefix: 'ログ/本番'}}}";
    let plane = Arc::new(new_plane().await);
    plane
        .kubectl(&["create", "namespace", "older"])
        .await
        .unwrap();
    let iam = emulator(None).await;
    let mut world = World::on(plane.clone(), "older".to_owned(), iam).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(plane.client().unwrap());
    let name = "sessionmanagerroles.sessionmanager.dev";
    let mut older = serde_json::to_value(smr_api::crd().unwrap()).unwrap();
    without_rules(&mut older);
    let force = PatchParams::apply("a-person").force();
    let apply = async |crd: &Value| {
        definitions
            .patch(name, &force, &Patch::Apply(crd))
            .await
            .unwrap();
    };
    apply(&older).await;
    world
        .eventually("the rules are gone", async || {
            world.try_apply("web", BEFORE).await.is_ok()
        })
        .await;
    world.apply("deleted", BEFORE).await;
    apply(&serde_json::to_value(smr_api::crd().unwrap()).unwrap()).await;
    // Each try has a name of its own: an object that the older rules have let in may stay as it is.
    let tries = std::cell::Cell::new(0);
    world
        .eventually("the rules are back", async || {
            tries.set(tries.get() + 1);
            let name = format!("new{}", tries.get());
            world.try_apply(&name, BEFORE).await.is_err()
        })
        .await;

    world.run(&Start::default());
    for object in ["web", "deleted"] {
        let message = world.reason(object, "InvalidSpec").await;
        let words = "spec.sessionLogs.s3.keyPrefix: can't have 'ロ': it takes Latin letters";
        assert!(message.contains(words), "{message}");
    }
    world.delete("deleted").await;
    world.gone("deleted").await;
    world.try_replace("web", TAGGED).await.unwrap();
    world.reason("web", "InvalidSpec").await;
    world
        .apply(
            "web",
            "{sessionLogs: {s3: {bucket: my-logs, keyPrefix: logs}}}",
        )
        .await;
    world.ready("web").await;
}

fn without_rules(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.remove("x-kubernetes-validations");
            object.values_mut().for_each(without_rules);
        }
        Value::Array(items) => items.iter_mut().for_each(without_rules),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn status_begins_unobserved_and_spec_gets_no_defaults() {
    let world = World::quiet("defaults").await;
    let object = world.apply("web", "{}").await;
    assert_eq!(object.status.map(|s| s.observed_generation), Some(-1));
    assert_eq!(object.spec, smr_api::SessionManagerRoleSpec::default());
}

#[tokio::test]
async fn kubectl_shows_what_matters() {
    let world = World::start("kubectl").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    let namespace = &world.namespace;
    let table = world
        .plane
        .kubectl(&["get", "smr", "-n", namespace])
        .await
        .unwrap();
    let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        header,
        ["NAME", "READY", "REASON", "ROLE", "PROFILE", "AGE"]
    );
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    let name = format!("{namespace}.web");
    assert_eq!(row[..5], ["web", "True", "Converged", &name, &name]);
    let wide = world
        .plane
        .kubectl(&["get", "sessionmanagerroles", "-n", namespace, "-o", "wide"])
        .await
        .unwrap();
    let header: Vec<&str> = wide.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        header,
        [
            "NAME", "READY", "REASON", "ROLE", "PROFILE", "POLICY", "ACCOUNT", "MESSAGE", "AGE"
        ]
    );
    assert!(
        world
            .plane
            .kubectl(&["get", "aws", "-n", namespace])
            .await
            .unwrap()
            .contains("web"),
        "category aws"
    );
    let described = world
        .plane
        .kubectl(&["describe", "smr", "web", "-n", namespace])
        .await
        .unwrap();
    for part in [
        "Converged",
        "Created",
        "Instance Profile:",
        "Account Id:",
        "AROA",
    ] {
        assert!(described.contains(part), "{part} not in\n{described}");
    }
    for (path, words) in [
        ("smr.spec", "An empty spec is valid"),
        ("smr.spec.sessionLogs.s3.encryption", "Default: Unspecified"),
        ("smr.status.lastDrift", "someone else made"),
    ] {
        let text = world.plane.kubectl(&["explain", path]).await.unwrap();
        let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(words), "{words} not in\n{text}");
    }
}

/// Where the optional policy is installed, status and finalizer are the controller's, and all else is as it was.
#[tokio::test]
async fn only_the_controller_writes_status_and_removes_its_finalizer() {
    let world = World::apart("writers").await;
    let policy = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/admission/status-writers"
    );
    world.plane.kubectl(&["apply", "-k", policy]).await.unwrap();
    world.apply("web", "{}").await;
    world.ready("web").await;
    let refused = async |arguments: &[&str]| {
        let common = [
            "patch",
            "smr",
            "web",
            "-n",
            &world.namespace,
            "--type=merge",
            "-p",
        ];
        let output = world
            .plane
            .kubectl_output(&[&common, arguments].concat())
            .await;
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (!output.status.success()).then_some(said)
    };
    let status = [
        r#"{"status":{"accountId":"444455556666"}}"#,
        "--subresource=status",
    ];
    let finalizers = [r#"{"metadata":{"finalizers":null}}"#];
    // An API server takes a moment until a new policy holds.
    world
        .eventually("the policy holds", async || {
            refused(&status).await.is_some()
        })
        .await;
    let said = refused(&status).await.unwrap();
    assert!(
        said.contains("only the controller writes the status"),
        "{said}"
    );
    let said = refused(&finalizers).await.unwrap();
    for part in [
        "only the controller removes the finalizer",
        "use kubectl apply",
    ] {
        assert!(said.contains(part), "{said}");
    }
    // People's own changes, and the controller's, go on.
    for change in [
        r#"{"spec":{"tags":{"a":"b"}}}"#,
        r#"{"metadata":{"annotations":{"a":"b"},"finalizers":["example.com/other","sessionmanager.dev/iam-cleanup"]}}"#,
        r#"{"metadata":{"finalizers":["sessionmanager.dev/iam-cleanup"]}}"#,
    ] {
        assert_eq!(refused(&[change]).await, None, "{change}");
    }
    world.ready("web").await;
    world.delete("web").await;
    world.gone("web").await;
}
