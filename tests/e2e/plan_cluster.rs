//! `smr plan` against the real control plane: it accepts and refuses what the API server does, and
//! what it says is what the controller then does, step for step.
mod refusals;
mod steps;
use crate::support::iam::{LAMBDA_TRUST, READ_S3, tag};
use crate::support::{Start, World};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use steps::assert_same;

/// Runs `smr plan -o json` on a manifest, with the cluster's admin as the person who plans.
async fn plan(world: &World, name: &str, spec: &str, flags: &[&str]) -> Value {
    let manifest = json!({
        "apiVersion": "sessionmanager.dev/v1alpha1", "kind": "SessionManagerRole",
        "metadata": { "name": name, "namespace": world.namespace },
        "spec": serde_saphyr::from_str::<Value>(spec).unwrap(),
    });
    let report = world.plan(&manifest.to_string(), flags).await;
    assert!(report["notes"].as_array().unwrap().is_empty(), "{report}");
    report["objects"][0].clone()
}

/// A scene: what is there, what is changed while the controller is away, and what is expected of it.
struct Scene<'a> {
    name: &'a str,
    before: Option<&'a str>,
    spec: &'a str,
    reason: &'a str,
}

const FLAGS: [&str; 2] = [
    "--allow-additional-policy=arn:aws:iam::*:policy/*",
    "--allow-path=/other/",
];

/// The object is brought to `before`; the controller goes; `disturb` changes IAM; the spec is
/// applied; the plan is made; the controller comes back and does what it does.
async fn play(scene: Scene<'_>, disturb: impl AsyncFnOnce(&World, &str)) {
    let Scene {
        name,
        before,
        spec,
        reason,
    } = scene;
    let start = FLAGS
        .iter()
        .fold(Start::default(), |start, flag| start.flag(flag));
    let mut world = World::quiet(name).await;
    if let Some(before) = before {
        world.run(&start);
        world.apply("web", before).await;
        world.ready("web").await;
        world.kill().await;
    }
    disturb(&world, &format!("{}.web", world.namespace)).await;
    world.apply("web", spec).await;
    world.iam.clear_calls();
    let planned = plan(&world, "web", spec, &FLAGS).await;
    let looked = world.iam.calls();
    assert!(
        looked.iter().all(|call| !call.write),
        "{name}: a plan only looks"
    );
    world.iam.clear_calls();
    world.run(&start);
    // What is to be repaired was Converged before, and is once more in the end.
    let steps = planned["steps"].as_array().map_or(0, Vec::len);
    let written = || {
        let writes = world.writes().into_iter();
        writes.filter(|call| call.outcome == "ok").count()
    };
    world
        .eventually("all is written that was planned", async || {
            written() >= steps
        })
        .await;
    let message = world.reason("web", reason).await;
    // Nothing follows, whether the next pass comes with a sweep or because it is asked for.
    if reason == "Converged" {
        world.another_look().await;
    } else {
        world.looked_at("web").await;
    }
    assert_same(name, &planned, &world.writes());
    if planned["action"] == "refuse" {
        for problem in planned["problems"].as_array().unwrap() {
            let told = problem["message"].as_str().unwrap();
            assert!(message.contains(told), "{name}: {told} is not in {message}");
        }
        for step in planned["steps"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
        {
            assert!(
                step["action"].as_str().unwrap().starts_with("Create"),
                "{name}: {step}"
            );
        }
    }
}

async fn nothing(_: &World, _: &str) {}

fn scene<'a>(name: &'a str, before: Option<&'a str>, spec: &'a str) -> Scene<'a> {
    Scene {
        name,
        before,
        spec,
        reason: "Converged",
    }
}

#[tokio::test]
async fn creations_are_as_planned() {
    for (name, spec) in [
        (
            "p-managed",
            "{tags: {team: a}, sessionLogs: {s3: {bucket: my-logs}}}",
        ),
        ("p-inline", "{policy: {type: Inline}}"),
        ("p-hybrid", "{principal: HybridActivation}"),
        (
            "p-additional",
            "{additionalPolicyArns: ['arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy']}",
        ),
        (
            "p-names",
            "{path: /other/, role: {name: p-names-r, maxSessionDurationSeconds: 7200, description: x}, policy: {name: p-names-p}, instanceProfile: {name: p-names-i}}",
        ),
    ] {
        play(scene(name, None, spec), nothing).await;
    }
}

#[tokio::test]
async fn changes_are_as_planned() {
    let before =
        "{tags: {team: z, gone: x}, role: {description: old}, sessionLogs: {cloudWatch: {}}}";
    for (name, spec) in [
        (
            "p-update",
            "{tags: {team: a}, role: {description: new, maxSessionDurationSeconds: 7200}, sessionLogs: {cloudWatch: {logGroupName: g}, s3: {bucket: my-logs}}}",
        ),
        (
            "p-attach",
            "{tags: {team: z, gone: x}, role: {description: old}, sessionLogs: {cloudWatch: {}}, additionalPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess']}",
        ),
        ("p-same", before),
    ] {
        play(scene(name, Some(before), spec), nothing).await;
    }
    let attached =
        "{tags: {team: a}, additionalPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess']}";
    play(
        scene("p-detach", Some(attached), "{tags: {team: a}}"),
        nothing,
    )
    .await;
}

#[tokio::test]
async fn a_change_of_the_policys_type_is_as_planned() {
    play(
        scene("p-to-inline", Some("{}"), "{policy: {type: Inline}}"),
        nothing,
    )
    .await;
}

#[tokio::test]
async fn a_change_back_to_a_managed_policy_is_as_planned() {
    play(
        scene("p-to-managed", Some("{policy: {type: Inline}}"), "{}"),
        nothing,
    )
    .await;
}

#[tokio::test]
async fn a_boundary_is_as_planned() {
    let spec = "{role: {permissionsBoundaryArn: 'arn:aws:iam::111122223333:policy/cap'}}";
    for (name, before) in [("p-bounded", None), ("p-boundary", Some("{}"))] {
        play(scene(name, before, spec), async |world, _| {
            let cap = world.someone().create_policy().policy_name("cap");
            cap.policy_document(READ_S3).send().await.unwrap();
        })
        .await;
    }
}

#[tokio::test]
async fn a_repair_of_the_trust_policy_is_as_planned() {
    play(scene("p-trust", Some("{}"), "{}"), async |world, role| {
        let trust = world.someone().update_assume_role_policy();
        let trust = trust.role_name(role).policy_document(LAMBDA_TRUST);
        trust.send().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_removal_of_unlisted_policies_is_as_planned() {
    play(
        scene("p-unlisted", Some("{}"), "{unlistedPolicyAction: Remove}"),
        async |world, role| {
            let someone = world.someone();
            let put = someone.put_role_policy().role_name(role);
            let put = put.policy_name("extra").policy_document(READ_S3);
            put.send().await.unwrap();
            let attach = someone.attach_role_policy().role_name(role);
            let attach = attach.policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess");
            attach.send().await.unwrap();
        },
    )
    .await;
}

#[tokio::test]
async fn a_re_creation_of_the_role_is_as_planned() {
    play(scene("p-gone", Some("{}"), "{}"), async |world, role| {
        let someone = world.someone();
        let arn = world.account().policies[role].arn.clone();
        let remove = someone.remove_role_from_instance_profile();
        let remove = remove.instance_profile_name(role).role_name(role);
        remove.send().await.unwrap();
        let detach = someone.detach_role_policy().role_name(role);
        detach.policy_arn(arn).send().await.unwrap();
        someone.delete_role().role_name(role).send().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_repair_that_needs_room_for_a_version_is_as_planned() {
    play(
        scene("p-versions", Some("{}"), "{}"),
        async |world, role| {
            let arn = world.account().policies[role].arn.clone();
            for _ in 0..4 {
                let version = world.someone().create_policy_version().policy_arn(&arn);
                let version = version.policy_document(READ_S3).set_as_default(true);
                version.send().await.unwrap();
            }
        },
    )
    .await;
}

#[tokio::test]
async fn refusals_are_as_planned() {
    let refused = |name, before| Scene {
        name,
        before,
        spec: "{}",
        reason: "NotOwned",
    };
    play(refused("p-foreign", None), async |world, role| {
        world
            .someone()
            .create_role()
            .role_name(role)
            .assume_role_policy_document(LAMBDA_TRUST)
            .send()
            .await
            .unwrap();
    })
    .await;
    play(refused("p-untagged", Some("{}")), async |world, role| {
        let untag = world.someone().untag_role().role_name(role);
        untag
            .tag_keys("sessionmanager.dev/owner")
            .send()
            .await
            .unwrap();
    })
    .await;
    let replaced = Scene {
        reason: "Replaced",
        ..refused("p-replaced", Some("{}"))
    };
    play(replaced, async |world, role| {
        let someone = world.someone();
        someone
            .remove_role_from_instance_profile()
            .instance_profile_name(role)
            .role_name(role)
            .send()
            .await
            .unwrap();
        someone
            .delete_instance_profile()
            .instance_profile_name(role)
            .send()
            .await
            .unwrap();
        someone
            .create_instance_profile()
            .instance_profile_name(role)
            .send()
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn adoption_and_a_lost_status_are_as_planned() {
    let consented = scene("p-adopt", None, "{adoptionPolicy: WithConsent}");
    play(consented, async |world, role| {
        let consent = format!("test/{}/web", world.namespace);
        let create = world
            .someone()
            .create_role()
            .role_name(role)
            .path("/session-manager/")
            .assume_role_policy_document(LAMBDA_TRUST);
        create
            .tags(tag("sessionmanager.dev/adoptable-by", &consent))
            .send()
            .await
            .unwrap();
    })
    .await;
    // All three, two of them under consent.
    let consented = scene("p-adopt-more", None, "{adoptionPolicy: WithConsent}");
    play(consented, async |world, role| {
        let consent = format!("test/{}/web", world.namespace);
        let consent = tag("sessionmanager.dev/adoptable-by", &consent);
        let someone = world.someone();
        let policy = someone.create_policy().policy_name(role);
        let policy = policy.path("/session-manager/").policy_document(READ_S3);
        policy.tags(consent.clone()).send().await.unwrap();
        let profile = someone.create_instance_profile();
        let profile = profile.instance_profile_name(role);
        let profile = profile.path("/session-manager/").tags(consent);
        profile.send().await.unwrap();
    })
    .await;
    // Restored from a backup: the object has another uid, and no status.
    play(scene("p-restored", Some("{}"), "{}"), async |world, _| {
        let patch = json!({ "metadata": { "finalizers": null } });
        world
            .api()
            .patch("web", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
        world.delete("web").await;
        world.gone("web").await;
    })
    .await;
}

#[tokio::test]
async fn what_is_not_written_is_planned_so() {
    let observe = Scene {
        reason: "Drifted",
        ..scene("p-observe", None, "{mode: Observe}")
    };
    play(observe, nothing).await;
    let invalid = Scene {
        reason: "InvalidSpec",
        ..scene("p-invalid", None, "{path: /forbidden/}")
    };
    let start = Start::default();
    let mut world = World::quiet(invalid.name).await;
    world.apply("web", invalid.spec).await;
    let planned = plan(&world, "web", invalid.spec, &[]).await;
    world.run(&start);
    let message = world.reason("web", invalid.reason).await;
    assert_eq!(planned["action"], "invalid");
    let problem = &planned["problems"][0];
    let told = format!(
        "{}: {}",
        problem["field"].as_str().unwrap(),
        problem["message"].as_str().unwrap()
    );
    assert_eq!(message, told);
}

#[tokio::test]
async fn deletions_are_as_planned() {
    for (name, spec, action) in [
        ("p-delete", "{}", "delete"),
        ("p-retain", "{deletionPolicy: Retain}", "release"),
    ] {
        let mut world = World::start(name).await;
        world.apply("web", spec).await;
        world.ready("web").await;
        world.kill().await;
        world.delete("web").await;
        let planned = plan(&world, "web", spec, &[]).await;
        assert_eq!(planned["action"], action, "{planned}");
        world.iam.clear_calls();
        world.run(&Start::default());
        world.gone("web").await;
        assert_same(name, &planned, &world.writes());
    }
}

#[tokio::test]
async fn a_blocked_deletion_is_as_planned() {
    let mut world = World::start("p-blocked").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.kill().await;
    let someone = world.someone();
    let arn = world.account().policies[&format!("{}.web", world.namespace)]
        .arn
        .clone();
    let theirs = someone.create_role().role_name("theirs");
    let theirs = theirs.assume_role_policy_document(LAMBDA_TRUST);
    theirs.send().await.unwrap();
    let attach = someone.attach_role_policy().role_name("theirs");
    attach.policy_arn(arn).send().await.unwrap();
    world.delete("web").await;
    let planned = plan(&world, "web", "{}", &[]).await;
    assert_eq!(planned["action"], "blocked");
    world.iam.clear_calls();
    world.run(&Start::default());
    let message = world.reason("web", "DeletionBlocked").await;
    let told = planned["problems"][0]["message"].as_str().unwrap();
    assert!(message.contains(told), "{told} is not in {message}");
    assert_same("p-blocked", &planned, &world.writes());
}

#[tokio::test]
async fn credentials_of_another_account_are_seen() {
    let mut world = World::start("p-account").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    world.kill().await;
    let status = json!({ "status": { "accountId": "999900001111" } });
    let params = PatchParams::default();
    world
        .api()
        .patch_status("web", &params, &Patch::Merge(status))
        .await
        .unwrap();
    let planned = plan(&world, "web", "{}", &[]).await;
    assert_eq!(planned["action"], "wrongAccount");
}
