//! The write lag, in process: what was written a moment ago does not count yet for the next write.
//!
//! The lag is an hour here and ends by being set to zero, so no verdict depends on how long a test
//! takes. When exactly a lag is over is tested where the clock is a value.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

use std::time::Duration;

use iam_emulator::{Config, Emulator, Enforced, Settings};

mod query;

use query::{
    ADD, ATTACH, BOUND, CREATE_POLICY, DETACH, INLINE, PROFILE, REMOVE, ROLE, TRUST, VERSION, all,
    call,
};

const HOUR: Duration = Duration::from_hours(1);

/// One pair of writes: the second is refused while the first is too recent.
struct Pair {
    /// What was there long before.
    before: &'static [&'static str],
    /// The recent write.
    first: &'static str,
    /// The write that does not see it.
    second: &'static str,
    /// The code of the refusal.
    code: &'static str,
    /// The words of the refusal.
    said: &'static str,
}

const NO_ROLE: &str = "The role with name r cannot be found.";
const NO_PROFILE: &str = "Instance Profile i cannot be found.";
const NO_POLICY: &str = "Policy arn:aws:iam::111122223333:policy/p was not found.";
const ONE_ROLE: &str = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";

macro_rules! pairs {
    ($($before:expr, $first:expr => $second:expr, $code:literal, $said:expr;)*) => {
        &[$(Pair { before: &$before, first: $first, second: $second, code: $code, said: $said }),*]
    };
}

#[rustfmt::skip] // A table.
const PAIRS: &[Pair] = pairs! {
    // What was created a moment ago is not there.
    [CREATE_POLICY], ROLE => ATTACH, "NoSuchEntity", NO_ROLE;
    [], ROLE => INLINE, "NoSuchEntity", NO_ROLE;
    [], ROLE => "TagRole RoleName=r Tags.member.1.Key=k Tags.member.1.Value=v", "NoSuchEntity", NO_ROLE;
    [], ROLE => "UpdateRole RoleName=r", "NoSuchEntity", NO_ROLE;
    [], ROLE => "UpdateAssumeRolePolicy RoleName=r PolicyDocument=TRUST", "NoSuchEntity", NO_ROLE;
    [], ROLE => "DeleteRole RoleName=r", "NoSuchEntity", NO_ROLE;
    [CREATE_POLICY], ROLE => BOUND, "NoSuchEntity", NO_ROLE;
    [PROFILE], ROLE => ADD, "NoSuchEntity", NO_ROLE;
    [ROLE], PROFILE => ADD, "NoSuchEntity", NO_PROFILE;
    [], PROFILE => "TagInstanceProfile InstanceProfileName=i Tags.member.1.Key=k Tags.member.1.Value=v", "NoSuchEntity", NO_PROFILE;
    [], PROFILE => "DeleteInstanceProfile InstanceProfileName=i", "NoSuchEntity", NO_PROFILE;
    [ROLE], CREATE_POLICY => ATTACH, "NoSuchEntity", "Policy arn:aws:iam::111122223333:policy/p does not exist or is not attachable.";
    [ROLE], CREATE_POLICY => BOUND, "NoSuchEntity", "Scope ARN: arn:aws:iam::111122223333:policy/p does not exist or is not attachable.";
    [], CREATE_POLICY => "CreateRole RoleName=r AssumeRolePolicyDocument=TRUST PermissionsBoundary=POLICY", "NoSuchEntity", "Scope ARN: arn:aws:iam::111122223333:policy/p does not exist or is not attachable.";
    [], CREATE_POLICY => VERSION, "NoSuchEntity", NO_POLICY;
    [], CREATE_POLICY => "TagPolicy PolicyArn=POLICY Tags.member.1.Key=k Tags.member.1.Value=v", "NoSuchEntity", NO_POLICY;
    [], CREATE_POLICY => "DeletePolicy PolicyArn=POLICY", "NoSuchEntity", NO_POLICY;
    [CREATE_POLICY], VERSION => "SetDefaultPolicyVersion PolicyArn=POLICY VersionId=v2", "NoSuchEntity", "Policy arn:aws:iam::111122223333:policy/p version v2 does not exist or is not attachable.";
    [CREATE_POLICY], VERSION => "DeletePolicyVersion PolicyArn=POLICY VersionId=v2", "NoSuchEntity", "Policy arn:aws:iam::111122223333:policy/p version v2 does not exist or is not attachable.";
    // What was added a moment ago is not there.
    [ROLE, CREATE_POLICY], ATTACH => DETACH, "NoSuchEntity", NO_POLICY;
    [ROLE], INLINE => "DeleteRolePolicy RoleName=r PolicyName=x", "NoSuchEntity", "The role policy with name x cannot be found.";
    // What was deleted a moment ago still has its name.
    [ROLE], "DeleteRole RoleName=r" => ROLE, "EntityAlreadyExists", "Role with name r already exists.";
    [CREATE_POLICY], "DeletePolicy PolicyArn=POLICY" => CREATE_POLICY, "EntityAlreadyExists", "A policy called p already exists. Duplicate names are not allowed.";
    [PROFILE], "DeleteInstanceProfile InstanceProfileName=i" => PROFILE, "EntityAlreadyExists", "Instance Profile i already exists.";
    // What was removed a moment ago is still in use.
    [ROLE, CREATE_POLICY, ATTACH], DETACH => "DeleteRole RoleName=r", "DeleteConflict", "Cannot delete entity, must detach all policies first.";
    [ROLE, CREATE_POLICY, ATTACH], DETACH => "DeletePolicy PolicyArn=POLICY", "DeleteConflict", "Cannot delete a policy attached to entities.";
    [ROLE, INLINE], "DeleteRolePolicy RoleName=r PolicyName=x" => "DeleteRole RoleName=r", "DeleteConflict", "Cannot delete entity, must delete policies first.";
    [ROLE, PROFILE, ADD], REMOVE => "DeleteRole RoleName=r", "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.";
    [ROLE, PROFILE, ADD], REMOVE => "DeleteInstanceProfile InstanceProfileName=i", "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.";
    [CREATE_POLICY, VERSION], "DeletePolicyVersion PolicyArn=POLICY VersionId=v2" => "DeletePolicy PolicyArn=POLICY", "DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.";
    [CREATE_POLICY, VERSION], "SetDefaultPolicyVersion PolicyArn=POLICY VersionId=v2" => "DeletePolicyVersion PolicyArn=POLICY VersionId=v1", "DeleteConflict", "Cannot delete the default version of a policy.";
    // What was removed a moment ago still takes the room.
    [ROLE, PROFILE, ADD], REMOVE => ADD, "LimitExceeded", ONE_ROLE;
    [CREATE_POLICY, VERSION, VERSION, VERSION, VERSION], "DeletePolicyVersion PolicyArn=POLICY VersionId=v2" => VERSION, "LimitExceeded", "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.";
};

#[tokio::test]
async fn a_write_does_not_see_the_write_before_it() {
    for Pair {
        before,
        first,
        second,
        code,
        said,
    } in PAIRS
    {
        let emulator = Emulator::new(Config::default());
        all(&emulator, before).await;
        emulator.set_write_lag(HOUR);
        all(&emulator, &[first]).await;
        let between = emulator.snapshot();
        let refusal = call(&emulator, second).await.err();
        let expected = Some(((*code).to_owned(), (*said).to_owned()));
        assert_eq!(refusal, expected, "{second} after {first}");
        assert_eq!(
            emulator.snapshot(),
            between,
            "{second} has changed something"
        );
        emulator.set_write_lag(Duration::ZERO);
        all(&emulator, &[second]).await;
    }
}

#[tokio::test]
async fn what_both_stores_allow_takes_effect_at_once() {
    let emulator = Emulator::new(Config::default());
    all(&emulator, &[ROLE, CREATE_POLICY]).await;
    emulator.set_write_lag(HOUR);
    all(&emulator, &[ATTACH, ATTACH, INLINE, INLINE]).await;
    let role = &emulator.snapshot().roles["r"];
    assert_eq!(role.attached.len(), 1);
    assert_eq!(role.inline.len(), 1);
    assert_eq!(emulator.seen(), emulator.snapshot(), "reads have no lag");
}

#[tokio::test]
async fn a_write_has_to_be_possible_now_as_well() {
    let emulator = Emulator::new(Config::default());
    all(&emulator, &[ROLE]).await;
    emulator.set_write_lag(HOUR);
    all(&emulator, &["DeleteRole RoleName=r"]).await;
    // The older store still has the role.
    let refusal = call(&emulator, INLINE).await.unwrap_err();
    assert_eq!(refusal, ("NoSuchEntity".to_owned(), NO_ROLE.to_owned()));
    assert!(emulator.snapshot().roles.is_empty());
}

#[tokio::test]
async fn only_refusals_about_what_iam_holds_come_from_the_older_store() {
    let emulator = Emulator::new(Config::default());
    emulator.set_write_lag(HOUR);
    all(&emulator, &[ROLE]).await;
    // The older store refuses such a principal as MalformedPolicyDocument, as it has no such role.
    let trust = TRUST.replace(
        r#""Service":"ec2.amazonaws.com""#,
        r#""AWS":"arn:aws:iam::111122223333:role/r""#,
    );
    let trusting = format!("CreateRole RoleName=other AssumeRolePolicyDocument={trust}");
    all(&emulator, &[&trusting]).await;
}

#[tokio::test]
async fn the_two_lags_do_not_touch_each_other() {
    let emulator = Emulator::new(Config::default());
    emulator.set_lag(HOUR);
    all(&emulator, &[ROLE, INLINE]).await;
    assert!(emulator.seen().roles.is_empty(), "reads are behind");
    emulator.set_write_lag(HOUR);
    emulator.set_lag(Duration::ZERO);
    assert_eq!(emulator.seen().roles.len(), 1, "reads are no longer behind");
    let refusal = call(&emulator, "DeleteRolePolicy RoleName=r PolicyName=x")
        .await
        .unwrap_err();
    assert_eq!(refusal.0, "NoSuchEntity", "writes are");
}

/// A policy that allows to write what is tagged.
const TAGGED: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/owner":"me"}}}}"#;

#[tokio::test]
async fn policies_see_the_store_of_the_write_lag_where_there_is_one() {
    const TAG: &str = "TagRole RoleName=r Tags.member.1.Key=owner Tags.member.1.Value=me";
    let enforced = || Enforced {
        access_key_id: "AKIATEST".to_owned(),
        principal_arn: "arn:aws:iam::111122223333:role/me".parse().unwrap(),
        policy: TAGGED.parse().unwrap(),
        boundary: None,
        scps: Vec::new(),
    };
    for (lag, write_lag, allowed) in [
        (Duration::ZERO, Duration::ZERO, true),
        (HOUR, Duration::ZERO, false),
        (Duration::ZERO, HOUR, false),
        (HOUR, HOUR, false),
    ] {
        let emulator = Emulator::new(Config::default());
        all(&emulator, &[ROLE]).await;
        emulator.set_lag(lag);
        emulator.set_write_lag(write_lag);
        all(&emulator, &[TAG]).await;
        emulator.set_enforced(vec![enforced()]);
        let code = call(&emulator, INLINE).await.err().map(|(code, _)| code);
        let expected = (!allowed).then(|| "AccessDenied".to_owned());
        assert_eq!(code, expected, "lag {lag:?}, write lag {write_lag:?}");
    }
    // The tag is older than the write lag but not than the lag of reads.
    let emulator = Emulator::new(Config::default());
    all(&emulator, &[ROLE]).await;
    emulator.set_lag(HOUR);
    all(&emulator, &[TAG]).await;
    emulator.set_write_lag(Duration::from_nanos(1));
    emulator.set_enforced(vec![enforced()]);
    all(&emulator, &[INLINE]).await;
}

#[tokio::test]
async fn the_settings_set_it() {
    let emulator = Emulator::new(Config::default());
    let set = |json: &str| emulator.set(serde_json::from_str::<Settings>(json).unwrap());
    set(r#"{"write_lag_ms": 3600000}"#);
    all(&emulator, &[ROLE]).await;
    assert_eq!(call(&emulator, INLINE).await.unwrap_err().0, "NoSuchEntity");
    set(r#"{"lag_ms": 0}"#);
    assert!(
        call(&emulator, INLINE).await.is_err(),
        "what is left out stays"
    );
    set(r#"{"write_lag_ms": 0}"#);
    all(&emulator, &[INLINE]).await;
}
