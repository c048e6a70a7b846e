//! IAM's own words: what it says with each refusal that people and programs read, and where that was
//! seen. Calls enter in process, refusals leave; no IO.
//!
//! A program may tell refusals apart by these words, and people search for them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test ends there.

use iam_emulator::{Config, Emulator};

mod query;

use query::{
    ADD, ATTACH, BOUND, CREATE_POLICY, DETACH, INLINE, PROFILE, REMOVE, ROLE, VERSION, all, call,
};

/// InSyncCache of AWS that LocalStack's tests have recorded in 2025 and 2026 and published
/// (localstack/localstack, `tests/aws/services/iam/*.snapshot.json`).
const RECORDED: &str = "recorded";

/// One refusal.
struct Row {
    before: &'static [&'static str],
    call: &'static str,
    code: &'static str,
    said: &'static str,
    /// Recorded, quoted by people in public, or guessed, and then from which other row.
    seen: &'static str,
}

macro_rules! rows {
    ($($before:expr, $call:expr => $code:literal, $said:expr, $seen:expr;)*) => {
        &[$(Row { before: &$before, call: $call, code: $code, said: $said, seen: $seen }),*]
    };
}

const GET_VERSION: &str = "GetPolicyVersion PolicyArn=POLICY VersionId=v1";
const SET_VERSION: &str = "SetDefaultPolicyVersion PolicyArn=POLICY VersionId=v1";
const DELETE_VERSION: &str = "DeletePolicyVersion PolicyArn=POLICY VersionId=v1";
const DELETE_POLICY: &str = "DeletePolicy PolicyArn=POLICY";
const DELETE_ROLE: &str = "DeleteRole RoleName=r";
const BOUNDED: &str =
    "CreateRole RoleName=r AssumeRolePolicyDocument=TRUST PermissionsBoundary=POLICY";
const CORE: &str =
    "AttachRolePolicy RoleName=r PolicyArn=arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

const NO_ROLE: &str = "The role with name r cannot be found.";
const NO_PROFILE: &str = "Instance Profile i cannot be found.";
const NO_POLICY: &str = "Policy arn:aws:iam::111122223333:policy/p was not found.";
const NO_VERSION: &str =
    "Policy arn:aws:iam::111122223333:policy/p version v1 does not exist or is not attachable.";
const NO_INLINE: &str = "The role policy with name x cannot be found.";
const NOT_ATTACHABLE: &str =
    "Policy arn:aws:iam::111122223333:policy/p does not exist or is not attachable.";
const NO_SCOPE: &str =
    "Scope ARN: arn:aws:iam::111122223333:policy/p does not exist or is not attachable.";
const IN_PROFILE: &str = "Cannot delete entity, must remove roles from instance profile first.";
const IN_USE: &str = "Cannot delete a policy attached to entities.";

#[rustfmt::skip] // A table.
const ROWS: &[Row] = rows! {
    // A role that is not there.
    [], "GetRole RoleName=r" => "NoSuchEntity", NO_ROLE, RECORDED;
    [], "UpdateRole RoleName=r" => "NoSuchEntity", NO_ROLE, RECORDED;
    [], DELETE_ROLE => "NoSuchEntity", NO_ROLE, RECORDED;
    [], "TagRole RoleName=r Tags.member.1.Key=k Tags.member.1.Value=v" => "NoSuchEntity", NO_ROLE, RECORDED;
    [], "UntagRole RoleName=r TagKeys.member.1=k" => "NoSuchEntity", NO_ROLE, RECORDED;
    [], "ListRoleTags RoleName=r" => "NoSuchEntity", NO_ROLE, RECORDED;
    [], INLINE => "NoSuchEntity", NO_ROLE, RECORDED;
    [CREATE_POLICY], BOUND => "NoSuchEntity", NO_ROLE, RECORDED;
    [PROFILE], ADD => "NoSuchEntity", NO_ROLE, RECORDED;
    [PROFILE], REMOVE => "NoSuchEntity", NO_ROLE, RECORDED;
    [CREATE_POLICY], ATTACH => "NoSuchEntity", NO_ROLE, "guessed: as every other call on a role";
    // An instance profile that is not there, or does not hold the role.
    [], "GetInstanceProfile InstanceProfileName=i" => "NoSuchEntity", NO_PROFILE, RECORDED;
    [], "DeleteInstanceProfile InstanceProfileName=i" => "NoSuchEntity", NO_PROFILE, RECORDED;
    [], "TagInstanceProfile InstanceProfileName=i Tags.member.1.Key=k Tags.member.1.Value=v" => "NoSuchEntity", NO_PROFILE, RECORDED;
    [ROLE], ADD => "NoSuchEntity", NO_PROFILE, RECORDED;
    [ROLE], REMOVE => "NoSuchEntity", NO_PROFILE, RECORDED;
    [ROLE, PROFILE], REMOVE => "NoSuchEntity", "Role r in Instance Profile i cannot be found.", RECORDED;
    // A policy that is not there: it is said in four ways.
    [ROLE], ATTACH => "NoSuchEntity", NOT_ATTACHABLE, RECORDED;
    [ROLE], BOUND => "NoSuchEntity", NO_SCOPE, RECORDED;
    [], BOUNDED => "NoSuchEntity", NO_SCOPE, RECORDED;
    [ROLE, CREATE_POLICY], DETACH => "NoSuchEntity", NO_POLICY, RECORDED;
    [], DELETE_POLICY => "NoSuchEntity", NO_POLICY, RECORDED;
    [], "TagPolicy PolicyArn=POLICY Tags.member.1.Key=k Tags.member.1.Value=v" => "NoSuchEntity", NO_POLICY, RECORDED;
    [], "UntagPolicy PolicyArn=POLICY TagKeys.member.1=k" => "NoSuchEntity", NO_POLICY, RECORDED;
    [], "GetPolicy PolicyArn=POLICY" => "NoSuchEntity", NO_POLICY, "quoted: transcripts of the AWS CLI";
    [], VERSION => "NoSuchEntity", NO_POLICY, "guessed: as TagPolicy and DeletePolicy";
    [], GET_VERSION => "NoSuchEntity", NO_VERSION, RECORDED;
    [], SET_VERSION => "NoSuchEntity", NO_VERSION, RECORDED;
    [], DELETE_VERSION => "NoSuchEntity", NO_VERSION, "guessed: as GetPolicyVersion and SetDefaultPolicyVersion";
    [CREATE_POLICY, VERSION, SET_VERSION], "DeletePolicyVersion PolicyArn=POLICY VersionId=v9" => "NoSuchEntity", "Policy arn:aws:iam::111122223333:policy/p version v9 does not exist or is not attachable.", RECORDED;
    // Neither an inline policy nor a boundary.
    [ROLE], "GetRolePolicy RoleName=r PolicyName=x" => "NoSuchEntity", NO_INLINE, RECORDED;
    [ROLE], "DeleteRolePolicy RoleName=r PolicyName=x" => "NoSuchEntity", NO_INLINE, RECORDED;
    [ROLE], "DeleteRolePermissionsBoundary RoleName=r" => "NoSuchEntity", "The role with name r does not have a permissions boundary.", "guessed: from no other row; the controller never calls it";
    // Names that are taken.
    [ROLE], ROLE => "EntityAlreadyExists", "Role with name r already exists.", RECORDED;
    [CREATE_POLICY], CREATE_POLICY => "EntityAlreadyExists", "A policy called p already exists. Duplicate names are not allowed.", RECORDED;
    [PROFILE], PROFILE => "EntityAlreadyExists", "Instance Profile i already exists.", RECORDED;
    // What is in the way of a deletion.
    [ROLE, CREATE_POLICY, ATTACH], DELETE_ROLE => "DeleteConflict", "Cannot delete entity, must detach all policies first.", RECORDED;
    [ROLE, INLINE], DELETE_ROLE => "DeleteConflict", "Cannot delete entity, must delete policies first.", RECORDED;
    [ROLE, PROFILE, ADD], DELETE_ROLE => "DeleteConflict", IN_PROFILE, "quoted: cloud-custodian/cloud-custodian#6340, rebuy-de/aws-nuke#702";
    [ROLE, PROFILE, ADD], "DeleteInstanceProfile InstanceProfileName=i" => "DeleteConflict", IN_PROFILE, RECORDED;
    [ROLE, CREATE_POLICY, ATTACH], DELETE_POLICY => "DeleteConflict", IN_USE, "quoted: hashicorp/terraform-provider-aws#32906, rebuy-de/aws-nuke#294";
    [CREATE_POLICY, BOUNDED], DELETE_POLICY => "DeleteConflict", IN_USE, "quoted: gruntwork-io/cloud-nuke#972, in its reporter's words";
    [CREATE_POLICY, VERSION], DELETE_POLICY => "DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.", "quoted: rebuy-de/aws-nuke#1, ubicloud/ubicloud#6244";
    [CREATE_POLICY], DELETE_VERSION => "DeleteConflict", "Cannot delete the default version of a policy.", RECORDED;
    // Quotas.
    [CREATE_POLICY, VERSION, VERSION, VERSION, VERSION], VERSION => "LimitExceeded", "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.", RECORDED;
    [ROLE, PROFILE, ADD], ADD => "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", RECORDED;
    [ROLE, CREATE_POLICY, ATTACH], CORE => "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 1", "quoted: the manuals of AWS CDK and Palette, with 10";
    // What nothing can be meant by.
    [ROLE], "AttachRolePolicy RoleName=r PolicyArn=longpolicynamebutnoarn" => "ValidationError", "ARN longpolicynamebutnoarn is not valid.", RECORDED;
    [ROLE], "PutRolePermissionsBoundary RoleName=r PermissionsBoundary=arn:aws:iam::111122223333:not_a_policy/invalid" => "InvalidInput", "ARN arn:aws:iam::111122223333:not_a_policy/invalid is not valid.", RECORDED;
    [ROLE], "TagRole RoleName=r Tags.member.1.Key=k Tags.member.1.Value=v Tags.member.2.Key=K Tags.member.2.Value=v" => "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.", RECORDED;
    [CREATE_POLICY], "TagPolicy PolicyArn=POLICY Tags.member.1.Key=k Tags.member.1.Value=v Tags.member.2.Key=k Tags.member.2.Value=v" => "InvalidInput", "Duplicate tag keys found.", RECORDED;
};

#[tokio::test]
async fn refusals_are_in_iams_own_words() {
    for row in ROWS {
        let emulator = Emulator::new(Config::default());
        emulator.set_quota(|quotas| quotas.attached_policies_per_role = 1);
        all(&emulator, row.before).await;
        let refusal = call(&emulator, row.call).await.err();
        let expected = Some((row.code.to_owned(), row.said.to_owned()));
        let what = format!("{} after {:?}: {}", row.call, row.before, row.seen);
        assert_eq!(refusal, expected, "{what}");
    }
}
