//! Makes the state that [`super`] starts from: a checkout of an earlier version with its program in,
//! the IAM account and the objects that a varied fleet has at rest out. Runs that program, writes
//! files.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use smr_api::{PAUSED_ANNOTATION, SessionManagerRoleStatus};

use super::{NAMESPACE, directory, served, start};
use crate::support::hand::{Change, On};
use crate::support::iam::{LAMBDA_TRUST, READ_S3};
use crate::support::{ACCOUNT, Start, World, condition, emulator, is, modes, plane_of};

const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// Objects that become Ready.
const FLEET: [(&str, &str); 16] = [
    ("minimal", "{}"),
    (
        "logs",
        "{tags: {team: web, stage: production},
          sessionEncryption: {kmsKeyArn: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'},
          sessionLogs: {s3: {bucket: example-session-logs, keyPrefix: web}, cloudWatch: {logGroupName: /ssm/sessions}}}",
    ),
    ("inline", "{policy: {type: Inline}, tags: {team: data}, sessionLogs: {cloudWatch: {}}}"),
    (
        "hybrid",
        "{principal: HybridActivation, hybrid: {regions: [eu-central-1, eu-west-1]},
          role: {name: datacenter-servers, maxSessionDurationSeconds: 7200}}",
    ),
    (
        "additional",
        "{additionalPolicyArns: ['arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy', 'arn:aws:iam::aws:policy/ReadOnlyAccess']}",
    ),
    (
        "names",
        "{path: /team/, role: {name: Web-Role}, policy: {name: Web-Policy}, instanceProfile: {name: Web-Profile}}",
    ),
    (
        "tags",
        "{tags: {team: web, level: all}, role: {description: Servers of the web team, tags: {level: role}},
          policy: {description: Sessions on servers of the web team, tags: {level: policy, cost: '1'}}, instanceProfile: {tags: {level: profile}}}",
    ),
    ("bounded", "{role: {permissionsBoundaryArn: 'arn:aws:iam::111122223333:policy/cap'}}"),
    ("retained", "{deletionPolicy: Retain}"),
    (
        "counterparts",
        "{sessionEncryption: {kmsKeyArn: 'arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab', sessionsOnly: true},
          sessionLogs: {s3: {bucket: others-session-logs, bucketOwnerAccountId: '444455556666', encryption: KMS,
            kmsKeyArn: 'arn:aws:kms:eu-central-1:444455556666:key/abcd1234-12ab-34cd-56ef-1234567890ab'}}}",
    ),
    ("edited", "{tags: {stage: test}}"),
    ("observed", "{tags: {team: data}}"),
    ("drifted", "{}"),
    ("paused", "{}"),
    ("repaired", "{sessionLogs: {cloudWatch: {}}}"),
    ("unlisted", "{}"),
];

/// Someone else's: a boundary, and a role that has the name of an object's.
async fn others(world: &World) {
    let iam = world.someone();
    let cap = iam.create_policy().policy_name("cap");
    cap.policy_document(READ_S3).send().await.unwrap();
    let taken = iam.create_role().role_name(format!("{NAMESPACE}.taken"));
    let taken = taken.assume_role_policy_document(LAMBDA_TRUST);
    taken.send().await.unwrap();
}

/// What people do to objects that are Ready.
async fn edits(world: &World) {
    let edited =
        "{tags: {stage: production}, role: {description: edited}, sessionLogs: {cloudWatch: {}}}";
    world.apply("edited", edited).await;
    world.ready("edited").await;
    for name in ["observed", "drifted"] {
        world.patch(name, r#"{"mode":"Observe"}"#).await;
        world.ready(name).await;
    }
    world
        .annotate("paused", PAUSED_ANNOTATION, Some("true"))
        .await;
    let paused = |s: &SessionManagerRoleStatus| is(s, "Paused", "True");
    world.status_of("paused", "paused", paused).await;
}

/// What people do in IAM, and what the program makes of it.
async fn drift(world: &World) {
    let session = Change::Session(7200);
    modes::change(world, "drifted", &[session, Change::Description("x")]).await;
    world.reason("drifted", "Drifted").await;
    let wider = Change::Document(|document| document["Statement"][0]["Action"] = json!("s3:*"));
    modes::change(world, "repaired", &[wider, session]).await;
    let repaired = |s: &SessionManagerRoleStatus| {
        is(s, "Ready", "True") && s.last_drift.as_ref().is_some_and(|d| d.repaired)
    };
    world.status_of("repaired", "repaired", repaired).await;
    let tag = Change::Tag(On::Role, "theirs", "1");
    modes::change(world, "unlisted", &[Change::Attach(ADMIN), tag]).await;
    let unlisted = |s: &SessionManagerRoleStatus| condition(s, "UnlistedAccess").is_some();
    world.status_of("unlisted", "unlisted", unlisted).await;
    let used = jiff::Timestamp::now().as_second();
    assert!(
        world
            .iam
            .set_last_used(&format!("{NAMESPACE}.minimal"), used)
    );
    world.looked_at("edited").await;
}

/// Lets time pass until nothing is recent, and then as many sweeps as show that nothing is left to do.
async fn rests(world: &World) {
    world.settled().await;
    world.sweeps(1).await;
    let writes = (world.writes().len(), world.cluster_writes());
    world.sweeps(2).await;
    assert_eq!((world.writes().len(), world.cluster_writes()), writes);
}

#[tokio::test]
#[ignore = "'make upgrade-state' runs it"]
async fn a_fleet_is_made_and_stored() {
    let set = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let checkout = PathBuf::from(set("SMR_UPGRADE_CHECKOUT"));
    let directory = directory(&set("SMR_UPGRADE_STATE"));
    let plane = Arc::new(plane_of(&checkout).await);
    plane
        .kubectl(&["create", "namespace", NAMESPACE])
        .await
        .unwrap();
    let mut world = World::on(plane, NAMESPACE.to_owned(), emulator(None).await).await;
    others(&world).await;
    world.run(&Start {
        program: checkout.join("smr"),
        ..start()
    });
    for (name, spec) in FLEET {
        world.apply(name, spec).await;
    }
    world.apply("taken", "{}").await;
    let refused = format!("{{additionalPolicyArns: ['arn:aws:iam::{ACCOUNT}:policy/cap']}}");
    world.apply("refused", &refused).await;
    for (name, _) in FLEET {
        world.ready(name).await;
    }
    world.reason("taken", "NotOwned").await;
    world.reason("refused", "InvalidSpec").await;
    edits(&world).await;
    world.settled().await;
    drift(&world).await;
    rests(&world).await;
    world.terminate().await;

    std::fs::create_dir_all(&directory).unwrap();
    let write = |name: &str, value: String| {
        std::fs::write(directory.join(name), value + "\n").unwrap();
    };
    write(
        "iam.json",
        serde_json::to_string_pretty(&world.iam.dump()).unwrap(),
    );
    write(
        "objects.json",
        serde_json::to_string_pretty(&served(&world).await).unwrap(),
    );
}
