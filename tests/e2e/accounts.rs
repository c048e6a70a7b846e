//! Credentials: another account's, none, too old, without rights, of a partition that is not known.

use crate::support::iam::StandIn;
use crate::support::{ACCOUNT, OTHER_ACCOUNT, OTHER_KEY, Start, World, condition, is};
use iam_emulator::{Config, Emulator, Fault, FaultKind};

#[tokio::test]
async fn another_accounts_credentials_write_nothing_and_drop_no_finalizer() {
    let mut world = World::start_unrecorded("account").await;
    world.apply("web", "{}").await;
    world.apply("going", "{}").await;
    world.ready("web").await;
    world.ready("going").await;
    world.kill().await;
    world.iam.clear_calls();
    world.delete("going").await;
    world.run(&Start {
        access_key: OTHER_KEY.into(),
        ..Start::default()
    });
    for name in ["web", "going"] {
        let message = world.reason(name, "WrongAccount").await;
        assert!(message.contains(OTHER_ACCOUNT), "{message}");
    }
    assert!(
        world.iam.calls().iter().all(|c| c.service == "sts"),
        "{:?}",
        world.iam.counts()
    );
    let going = world.get("going").await.unwrap();
    assert!(going.metadata.finalizers.is_some_and(|f| !f.is_empty()));
    assert!(world.iam.snapshot_of(OTHER_ACCOUNT).is_empty());
    // With the right ones again, all goes on.
    world.kill().await;
    world.run(&Start::default());
    world.gone("going").await;
    world.ready("web").await;
}

#[tokio::test]
async fn a_missing_right_is_named_and_tried_again() {
    let world = World::start_unrecorded("denied").await;
    world
        .iam
        .inject(Fault::new("CreateRole", 1000, FaultKind::AccessDenied));
    world.apply("web", "{}").await;
    let message = world.reason("web", "AccessDenied").await;
    assert!(
        message.contains("iam:CreateRole") && message.contains("Allow iam:CreateRole"),
        "{message}"
    );
    world.iam.clear_faults();
    world
        .annotate(
            "web",
            "sessionmanager.dev/reconcile-requested-at",
            Some("now"),
        )
        .await;
    world.ready("web").await;
}

#[tokio::test]
async fn unknown_credentials_are_told() {
    let world = World::start_unrecorded("unknown").await;
    world.iam.inject(Fault::new(
        "GetCallerIdentity",
        1000,
        FaultKind::UnrecognizedClient,
    ));
    world.apply("web", "{}").await;
    let message = world.reason("web", "CredentialsUnavailable").await;
    assert!(message.contains("credentials"), "{message}");
    assert_eq!(world.writes(), []);
}

/// An agent that comes up after the controller, a trust policy that was corrected: nobody touches the
/// objects then.
#[tokio::test]
async fn credentials_that_come_back_are_found_without_a_change_of_any_object() {
    let world = World::start_unrecorded("back").await;
    let fault = Fault::new("GetCallerIdentity", 10_000, FaultKind::UnrecognizedClient);
    world.iam.inject(fault);
    let names = ["a", "b", "c"];
    for name in names {
        world.apply(name, "{}").await;
    }
    for name in names {
        world.reason(name, "CredentialsUnavailable").await;
    }
    world.iam.clear_faults();
    for name in names {
        world.ready(name).await;
    }
}

#[tokio::test]
async fn a_quota_is_named() {
    let world = World::start_unrecorded("quota").await;
    world.iam.inject(Fault::new(
        "CreateRole",
        1000,
        FaultKind::quota("RolesPerAccount", 1000),
    ));
    world.apply("web", "{}").await;
    let message = world.reason("web", "QuotaExceeded").await;
    assert!(message.contains("RolesPerAccount"), "{message}");
}

/// The own policy is what makes sessions work: where the role has no room for all, it is not what is
/// missing.
#[tokio::test]
async fn a_role_without_room_for_all_policies_has_its_own() {
    let mut world = World::unrecorded("room").await;
    let someone = world.someone();
    let mut arns = Vec::new();
    for number in 0..14 {
        let create = someone
            .create_policy()
            .policy_name(format!("extra-{number}"));
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
        let created = create.policy_document(document).send().await.unwrap();
        arns.push(created.policy.unwrap().arn.unwrap());
    }
    let any = "--allow-additional-policy=arn:aws:iam::111122223333:policy/*";
    world.run(&Start::default().flag(any));
    world
        .apply("web", &format!("{{additionalPolicyArns: {arns:?}}}"))
        .await;
    let message = world.reason("web", "QuotaExceeded").await;
    assert!(message.contains("PoliciesPerRole: 10"), "{message}");
    let account = world.account();
    let role = &account.roles[&format!("{}.web", world.namespace)];
    assert_eq!(role.attached.len(), 10);
    let own = format!(":policy/session-manager/{}.web", world.namespace);
    assert!(
        role.attached.iter().any(|arn| arn.ends_with(&own)),
        "{:?}",
        role.attached
    );
}

/// What concerns all calls is told on each object, in whole sentences.
#[tokio::test]
async fn what_stands_in_the_way_of_every_call_is_told() {
    let mut all = Vec::new();

    let world = World::start_unrecorded("expired").await;
    let expired = FaultKind::Error {
        status: 403,
        code: "ExpiredToken".to_owned(),
        message: "The security token included in the request is expired".to_owned(),
    };
    let fault = Fault::new("GetCallerIdentity", 100_000, expired);
    world.iam.inject(fault);
    all.push(told("expired", &world).await);

    let mut world = World::unrecorded("none").await;
    world.run(&Start {
        access_key: String::new(),
        ..Start::default()
    });
    all.push(told("none", &world).await);
    assert_eq!(world.iam.calls(), []);

    let mut world = World::with("nowhere", Nowhere).await;
    world.run(&Start::default());
    all.push(told("refused", &world).await);

    let config = Config {
        account_id: ACCOUNT.to_owned(),
        partition: "aws-iso".to_owned(),
        ..Config::default()
    };
    let mut world = World::with("iso", Emulator::start(config).await.unwrap()).await;
    world.run(&Start::default());
    all.push(told("partition", &world).await);
    assert!(world.iam.calls().iter().all(|call| call.service == "sts"));

    insta::assert_snapshot!(all.join("\n\n"));
}

/// An object's conditions once the caller could not be told.
async fn told<I: StandIn>(row: &str, world: &World<I>) -> String {
    world.apply("web", "{}").await;
    let object = world
        .status_of("web", row, |status| {
            is(status, "Ready", "False")
                && condition(status, "Ready").is_some_and(|c| c.message.starts_with("sts:"))
        })
        .await;
    let status = object.status.unwrap();
    let beside: Vec<&str> = ["Reconciling", "Stalled"]
        .into_iter()
        .filter(|beside| is(&status, beside, "True"))
        .collect();
    let ready = condition(&status, "Ready").unwrap();
    let (reason, message) = (&ready.reason, &ready.message);
    format!("{row}: {} {reason}\n  {message}", beside.join(" and "))
}

/// Nothing listens there.
struct Nowhere;

impl StandIn for Nowhere {
    fn endpoint(&self) -> String {
        "http://127.0.0.1:9".to_owned()
    }
}

/// What IAM says of a deletion holds it up, and is told with what to do.
#[tokio::test]
async fn what_iam_says_against_a_deletion_is_told() {
    let world = World::start_unrecorded("used").await;
    world.apply("web", "{}").await;
    world.ready("web").await;
    let conflict = FaultKind::Error {
        status: 409,
        code: "DeleteConflict".to_owned(),
        message: "Cannot delete a policy attached to entities.".to_owned(),
    };
    world
        .iam
        .inject(Fault::new("DeletePolicy", 100_000, conflict));
    world.delete("web").await;
    let message = world.reason("web", "DeletionBlocked").await;
    assert_eq!(
        message.replace(&world.namespace, "NAMESPACE"),
        "iam:DeletePolicy on arn:aws:iam::111122223333:policy/session-manager/NAMESPACE.web: \
         Cannot delete a policy attached to entities. Remove in AWS what still uses it"
    );
    let held = world.get("web").await.unwrap();
    assert!(held.metadata.finalizers.is_some_and(|f| !f.is_empty()));
    world.iam.clear_faults();
    world
        .annotate(
            "web",
            "sessionmanager.dev/reconcile-requested-at",
            Some("now"),
        )
        .await;
    world.gone("web").await;
    world.nothing_left().await;
}

/// The operator may name EC2 otherwise, for roles that are there too. What IAM refuses of it is
/// told with the flag, and the role stays as it was.
#[tokio::test]
async fn the_operators_name_for_ec2_reaches_roles_that_are_there() {
    let config = Config {
        account_id: ACCOUNT.to_owned(),
        partition: "aws-cn".to_owned(),
        ..Config::default()
    };
    let mut world = World::with("china", Emulator::start(config).await.unwrap()).await;
    world.run(&Start::default());
    world.apply("web", "{}").await;
    world.ready("web").await;
    let name = format!("{}.web", world.namespace);
    let trusts = |world: &World| {
        let trust = world.iam.snapshot().roles[&name].trust.clone();
        let trust: serde_json::Value = serde_json::from_str(&trust).unwrap();
        trust["Statement"][0]["Principal"]["Service"].clone()
    };
    assert_eq!(trusts(&world), "ec2.amazonaws.com.cn");
    world.kill().await;
    world.run(&Start::default().flag("--ec2-principal=ec2.amazonaws.com"));
    world
        .eventually("the role trusts the other", async || {
            trusts(&world) == "ec2.amazonaws.com"
        })
        .await;
    world.kill().await;
    world.run(&Start::default().flag("--ec2-principal=ec2.amazonaws.eu"));
    let message = world.reason("web", "InvalidSpec").await;
    for part in [
        "ec2.amazonaws.eu",
        "statement 1 of the trust policy",
        "--ec2-principal",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(trusts(&world), "ec2.amazonaws.com");
}
