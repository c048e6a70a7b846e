//! Credentials: another account's, none, without rights.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

mod support;

use iam_emulator::{Fault, FaultKind};
use support::{OTHER_ACCOUNT, OTHER_KEY, Start, World};

#[tokio::test]
async fn another_accounts_credentials_write_nothing_and_drop_no_finalizer() {
    let mut world = World::start("account").await;
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
    let world = World::start("denied").await;
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
    let world = World::start("unknown").await;
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

#[tokio::test]
async fn a_quota_is_named() {
    let world = World::start("quota").await;
    world.iam.inject(Fault::new(
        "CreateRole",
        1000,
        FaultKind::quota("RolesPerAccount", 1000),
    ));
    world.apply("web", "{}").await;
    let message = world.reason("web", "QuotaExceeded").await;
    assert!(message.contains("RolesPerAccount"), "{message}");
}
