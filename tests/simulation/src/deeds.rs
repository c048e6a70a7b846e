//! What others do in IAM with rights of their own: every field that is ours is added to, changed
//! and taken away. An arbitrary deed in, calls of the SDK out.

mod edit;

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::Tag;
use proptest::prelude::*;
use serde_json::{Value, json};

use iam_emulator::{Emulator, Snapshot};

pub use self::edit::Edit;
use self::edit::{DOCUMENT, TRUST};
use crate::asked::{Asked, CLUSTER, PATH, POLICIES};

/// A policy that is not ours.
pub const READ_S3: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
/// A trust policy that is not ours.
pub const LAMBDA: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// The objects that others lay hands on.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Whose objects.
    pub asked: &'a Asked,
    /// The others' access to IAM.
    pub someone: &'a aws_sdk_iam::Client,
    /// IAM.
    pub emulator: &'a Emulator,
    /// The account right after the controller had made the objects.
    pub created: &'a Snapshot,
}

impl Target<'_> {
    /// Whether it still is the one that the controller made.
    fn is_as_created(&self, kind: Kind) -> bool {
        let [role, policy, profile] = self.asked.names();
        let id = |snapshot: &Snapshot| match kind {
            Kind::Role => snapshot.roles.get(&role).map(|r| r.id.clone()),
            Kind::Policy => snapshot.policies.get(&policy).map(|p| p.id.clone()),
            Kind::Profile => {
                let profile = snapshot.instance_profiles.get(&profile);
                profile.map(|p| p.id.clone())
            }
        };
        id(self.created) == id(&self.emulator.snapshot())
    }
}

/// Which of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The role.
    Role,
    /// The policy.
    Policy,
    /// The instance profile.
    Profile,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Role => "role",
            Self::Policy => "policy",
            Self::Profile => "instance profile",
        })
    }
}

/// One thing that others do.
#[derive(Clone, Debug)]
pub enum Deed {
    /// The policy says something else.
    Document(Edit),
    /// Back to the first version of the policy.
    OldVersion,
    /// Versions that fill the policy up.
    SpareVersions(u8),
    /// A policy of the other type beside ours; with the same text or not.
    OtherType(bool),
    /// The trust policy says something else.
    Trust(Edit),
    /// Another description.
    Description(&'static str),
    /// Another length of sessions, in seconds.
    SessionDuration(i32),
    /// Another boundary, or none.
    Boundary(bool),
    /// A tag is set.
    Tag(Kind, &'static str, &'static str),
    /// A tag is removed.
    Untag(Kind, &'static str),
    /// The tag of an object of the same name, or none.
    EarlierUid(Kind, bool),
    /// A policy of AWS is attached.
    Attach(usize),
    /// Some policy is detached.
    Detach(usize),
    /// Another inline policy.
    Inline(&'static str),
    /// Our inline policy is removed.
    NoInline,
    /// The instance profile holds another role, or none.
    ProfileRole(bool),
    /// One of the objects is deleted.
    Gone(Kind),
    /// One of the objects is deleted and made again, by hand.
    MadeAnew(Kind),
}

/// Any of them.
pub fn deeds() -> impl Strategy<Value = Deed> {
    let kind = || prop::sample::select(vec![Kind::Role, Kind::Policy, Kind::Profile]);
    let key = || prop::sample::select(vec!["a", "b", "c", "Team", "TEAM", "theirs", "cost-center"]);
    let value = prop::sample::select(vec!["", "2", "another"]);
    prop_oneof![
        4 => prop::sample::select(&DOCUMENT[..]).prop_map(Deed::Document),
        1 => Just(Deed::OldVersion),
        1 => (1..5_u8).prop_map(Deed::SpareVersions),
        1 => any::<bool>().prop_map(Deed::OtherType),
        3 => prop::sample::select(&TRUST[..]).prop_map(Deed::Trust),
        1 => prop::sample::select(vec!["", "theirs"]).prop_map(Deed::Description),
        1 => (3600..=43200).prop_map(Deed::SessionDuration),
        1 => any::<bool>().prop_map(Deed::Boundary),
        3 => (kind(), key(), value).prop_map(|(kind, key, value)| Deed::Tag(kind, key, value)),
        2 => (kind(), key()).prop_map(|(kind, key)| Deed::Untag(kind, key)),
        1 => (kind(), any::<bool>()).prop_map(|(kind, gone)| Deed::EarlierUid(kind, gone)),
        2 => (0..POLICIES.len()).prop_map(Deed::Attach),
        2 => any::<usize>().prop_map(Deed::Detach),
        1 => prop::sample::select(vec!["extra", "more"]).prop_map(Deed::Inline),
        1 => Just(Deed::NoInline),
        2 => any::<bool>().prop_map(Deed::ProfileRole),
        1 => kind().prop_map(Deed::Gone),
        1 => kind().prop_map(Deed::MadeAnew),
    ]
}

/// Whether IAM took it; some deeds can't be done any more after others.
macro_rules! took {
    ($call:expr) => {
        taken($call.send().await)
    };
}

fn taken<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<T, SdkError<E, R>>,
) -> bool {
    const IN_THE_WAY: [&str; 5] = [
        "DeleteConflict",
        "NoSuchEntity",
        "EntityAlreadyExists",
        "LimitExceeded",
        "MalformedPolicyDocument",
    ];
    match answer {
        Ok(_) => true,
        Err(error) if error.code().is_some_and(|code| IN_THE_WAY.contains(&code)) => false,
        Err(error) => panic!("IAM did not understand: {error:?}"),
    }
}

impl Deed {
    /// What they are called.
    pub const NAMES: [&str; 18] = [
        "Document",
        "OldVersion",
        "SpareVersions",
        "OtherType",
        "Trust",
        "Description",
        "SessionDuration",
        "Boundary",
        "Tag",
        "Untag",
        "EarlierUid",
        "Attach",
        "Detach",
        "Inline",
        "NoInline",
        "ProfileRole",
        "Gone",
        "MadeAnew",
    ];

    /// What it is called.
    pub fn name(&self) -> &'static str {
        let debug = format!("{self:?}");
        let name = debug.split('(').next().unwrap_or_default();
        Self::NAMES
            .into_iter()
            .find(|known| *known == name)
            .unwrap()
    }

    /// Does it; whether IAM took it.
    pub async fn is_done(&self, world: Target<'_>) -> bool {
        let iam = &world.someone;
        let [role, policy, profile] = world.asked.names();
        let own = world.asked.policy_arn(PATH, &policy);
        match *self {
            Self::Document(edit) => document(world, edit).await,
            Self::OldVersion => {
                took!(
                    iam.set_default_policy_version()
                        .policy_arn(own)
                        .version_id("v1")
                )
            }
            Self::SpareVersions(count) => {
                let mut done = false;
                for _ in 0..count {
                    let version = iam.create_policy_version().policy_arn(&own);
                    done |= took!(version.policy_document(READ_S3).set_as_default(false));
                }
                done
            }
            Self::OtherType(same) if world.asked.inline() => {
                let text = if same { current(world) } else { None };
                let text = text.unwrap_or_else(|| READ_S3.to_owned());
                let create = iam.create_policy().path(PATH).policy_name(policy);
                let create = create
                    .policy_document(text)
                    .set_tags(Some(ours(world.asked)));
                took!(create) && took!(iam.attach_role_policy().role_name(role).policy_arn(own))
            }
            Self::OtherType(same) => {
                let text = if same { current(world) } else { None };
                let text = text.unwrap_or_else(|| READ_S3.to_owned());
                let put = iam.put_role_policy().role_name(role).policy_name(policy);
                took!(put.policy_document(text))
            }
            Self::Trust(edit) => {
                let snapshot = world.emulator.snapshot();
                let Some(found) = snapshot.roles.get(&role) else {
                    return false;
                };
                let text = edit.on(&found.trust, "sts:TagSession", &LAMBDA_STATEMENT);
                took!(
                    iam.update_assume_role_policy()
                        .role_name(role)
                        .policy_document(text)
                )
            }
            Self::Description(text) => {
                took!(
                    iam.update_role_description()
                        .role_name(role)
                        .description(text)
                )
            }
            Self::SessionDuration(seconds) => {
                let update = iam.update_role().role_name(role).description("theirs");
                took!(update.max_session_duration(seconds))
            }
            Self::Boundary(true) => {
                let arn = world.asked.policy_arn("/", "theirs");
                took!(
                    iam.put_role_permissions_boundary()
                        .role_name(role)
                        .permissions_boundary(arn)
                )
            }
            Self::Boundary(false) => took!(iam.delete_role_permissions_boundary().role_name(role)),
            Self::Tag(kind, key, value) => tag(world, kind, key, value).await,
            Self::Untag(kind, key) => untag(world, kind, key).await,
            // On one made anew it would be someone else's by the rules: refused, not repaired.
            Self::EarlierUid(kind, _) if !world.is_as_created(kind) => false,
            Self::EarlierUid(kind, true) => untag(world, kind, "sessionmanager.dev/uid").await,
            Self::EarlierUid(kind, false) => {
                tag(world, kind, "sessionmanager.dev/uid", "of-another-time").await
            }
            Self::Attach(n) => {
                let arn = world.asked.managed_by_aws(POLICIES[n]);
                took!(iam.attach_role_policy().role_name(role).policy_arn(arn))
            }
            Self::Detach(n) => {
                let snapshot = world.emulator.snapshot();
                let Some(found) = snapshot.roles.get(&role).filter(|r| !r.attached.is_empty())
                else {
                    return false;
                };
                let arn = found.attached.iter().nth(n % found.attached.len()).unwrap();
                took!(iam.detach_role_policy().role_name(role).policy_arn(arn))
            }
            Self::Inline(name) => {
                let put = iam.put_role_policy().role_name(role).policy_name(name);
                took!(put.policy_document(READ_S3))
            }
            Self::NoInline => took!(iam.delete_role_policy().role_name(role).policy_name(policy)),
            Self::ProfileRole(other) => {
                let remove = iam.remove_role_from_instance_profile().role_name(role);
                let done = took!(remove.instance_profile_name(&profile));
                let add = iam.add_role_to_instance_profile().role_name("admin");
                (other && took!(add.instance_profile_name(profile))) || done
            }
            Self::Gone(kind) => gone(world, kind).await,
            Self::MadeAnew(kind) => gone(world, kind).await && made_anew(world, kind).await,
        }
    }
}

/// The statement that trusts someone else.
static LAMBDA_STATEMENT: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| {
    serde_json::from_str::<Value>(LAMBDA).unwrap()["Statement"][0].clone()
});

/// The text of the policy, wherever it is.
fn current(world: Target<'_>) -> Option<String> {
    let [role, policy, _] = world.asked.names();
    let snapshot = world.emulator.snapshot();
    if world.asked.inline() {
        snapshot.roles.get(&role)?.inline.get(&policy).cloned()
    } else {
        snapshot.policies.get(&policy).map(|p| p.document.clone())
    }
}

async fn document(world: Target<'_>, edit: Edit) -> bool {
    let iam = &world.someone;
    let [role, policy, _] = world.asked.names();
    let Some(text) = current(world) else {
        return false;
    };
    let admin = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let text = edit.on(&text, "s3:GetObject", &admin);
    if world.asked.inline() {
        let put = iam.put_role_policy().role_name(role).policy_name(policy);
        return took!(put.policy_document(text));
    }
    let version = iam.create_policy_version().set_as_default(true);
    let version = version.policy_arn(world.asked.policy_arn(PATH, &policy));
    took!(version.policy_document(text))
}

fn new_tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

/// The tags of ownership, as a creation of ours sets them.
fn ours(asked: &Asked) -> Vec<Tag> {
    vec![
        new_tag("sessionmanager.dev/cluster", CLUSTER),
        new_tag("sessionmanager.dev/owner", &asked.subject.owner()),
        new_tag("sessionmanager.dev/uid", &asked.subject.uid),
    ]
}

async fn tag(world: Target<'_>, kind: Kind, key: &str, value: &str) -> bool {
    let iam = &world.someone;
    let [role, policy, profile] = world.asked.names();
    let own = world.asked.policy_arn(PATH, &policy);
    let tag = new_tag(key, value);
    match kind {
        Kind::Role => took!(iam.tag_role().role_name(role).tags(tag)),
        Kind::Policy => took!(iam.tag_policy().policy_arn(own).tags(tag)),
        Kind::Profile => {
            took!(
                iam.tag_instance_profile()
                    .instance_profile_name(profile)
                    .tags(tag)
            )
        }
    }
}

async fn untag(world: Target<'_>, kind: Kind, key: &str) -> bool {
    let iam = &world.someone;
    let [role, policy, profile] = world.asked.names();
    let own = world.asked.policy_arn(PATH, &policy);
    match kind {
        Kind::Role => took!(iam.untag_role().role_name(role).tag_keys(key)),
        Kind::Policy => took!(iam.untag_policy().policy_arn(own).tag_keys(key)),
        Kind::Profile => {
            took!(
                iam.untag_instance_profile()
                    .instance_profile_name(profile)
                    .tag_keys(key)
            )
        }
    }
}

/// Deletes one of the three, and first what IAM wants to be gone before.
async fn gone(world: Target<'_>, kind: Kind) -> bool {
    let iam = &world.someone;
    let [role, policy, profile] = world.asked.names();
    let own = world.asked.policy_arn(PATH, &policy);
    let snapshot = world.emulator.snapshot();
    match kind {
        Kind::Role => {
            let Some(found) = snapshot.roles.get(&role) else {
                return false;
            };
            for profile in &found.instance_profiles {
                let remove = iam.remove_role_from_instance_profile().role_name(&role);
                if !took!(remove.instance_profile_name(profile)) {
                    return false;
                }
            }
            for arn in &found.attached {
                if !took!(iam.detach_role_policy().role_name(&role).policy_arn(arn)) {
                    return false;
                }
            }
            for name in found.inline.keys() {
                if !took!(iam.delete_role_policy().role_name(&role).policy_name(name)) {
                    return false;
                }
            }
            took!(iam.delete_role().role_name(role))
        }
        Kind::Policy => {
            let Some(found) = snapshot.policies.get(&policy) else {
                return false;
            };
            if snapshot
                .roles
                .get(&role)
                .is_some_and(|r| r.attached.contains(&own))
                && !took!(iam.detach_role_policy().role_name(role).policy_arn(&own))
            {
                return false;
            }
            for version in found
                .versions
                .iter()
                .filter(|v| v.id != found.default_version)
            {
                let delete = iam.delete_policy_version().policy_arn(&own);
                if !took!(delete.version_id(&version.id)) {
                    return false;
                }
            }
            took!(iam.delete_policy().policy_arn(own))
        }
        Kind::Profile => {
            let Some(found) = snapshot.instance_profiles.get(&profile) else {
                return false;
            };
            if let Some(role) = &found.role {
                let remove = iam.remove_role_from_instance_profile().role_name(role);
                if !took!(remove.instance_profile_name(&profile)) {
                    return false;
                }
            }
            took!(iam.delete_instance_profile().instance_profile_name(profile))
        }
    }
}

/// As the controller would have made it before a crash, but with nothing right in it.
async fn made_anew(world: Target<'_>, kind: Kind) -> bool {
    let iam = &world.someone;
    let [role, policy, profile] = world.asked.names();
    match kind {
        Kind::Role => {
            let create = iam.create_role().path(PATH).role_name(role);
            let create = create.assume_role_policy_document(LAMBDA);
            took!(create.set_tags(Some(ours(world.asked))))
        }
        Kind::Policy => {
            let create = iam.create_policy().path(PATH).policy_name(policy);
            let create = create.policy_document(READ_S3).description("theirs");
            took!(create.set_tags(Some(ours(world.asked))))
        }
        Kind::Profile => {
            let create = iam.create_instance_profile().path(PATH);
            took!(
                create
                    .instance_profile_name(profile)
                    .set_tags(Some(ours(world.asked)))
            )
        }
    }
}
