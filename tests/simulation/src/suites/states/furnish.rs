//! Others bring IAM into the state of a case: a case and the world enter, calls of somebody with rights leave.
//! No IO.

use std::collections::BTreeMap;

use aws_sdk_iam::types::Tag;
use iam_emulator::Snapshot;
use serde_json::{Value, json};

use super::case::{Attached, Case, Document, Held, Trust, Whose};
use crate::asked::{Asked, CLUSTER, CLUSTER_UID, PATH};
use crate::deeds::{Deed, Kind, LAMBDA, READ_S3, Target};
use crate::world::World;

/// IAM's limit of versions of one policy.
const VERSIONS: usize = 5;
/// An instance profile of somebody else.
pub const ELSEWHERE: &str = "elsewhere";
/// A role of somebody else.
pub const ADMIN: &str = "admin";

/// Whoever furnishes.
pub struct Furnisher<'a> {
    /// The state.
    pub case: &'a Case,
    /// The object.
    pub asked: &'a Asked,
    /// The world.
    pub world: &'a World,
    /// The three objects as a controller would make them for this object.
    pub model: &'a Snapshot,
}

/// Tags as they have to be for such an object.
pub fn tags(whose: Whose, asked: &Asked) -> BTreeMap<String, String> {
    let own = asked.subject.owner();
    let uid = asked.subject.uid.as_str();
    let ours = [
        ("cluster", CLUSTER),
        ("cluster-uid", CLUSTER_UID),
        ("owner", &own),
        ("uid", uid),
    ];
    let consent = format!("{CLUSTER}/{own}");
    let mut all: BTreeMap<&str, &str> = ours.into();
    match whose {
        Whose::Ours => {}
        Whose::OursUnstamped => drop(all.remove("cluster-uid")),
        Whose::OldUid => drop(all.insert("uid", "of-another-time")),
        Whose::OldUidUnstamped => {
            all.remove("cluster-uid");
            all.insert("uid", "of-another-time");
        }
        Whose::AnotherObject => all.extend([("owner", "team/other"), ("uid", "of-the-other")]),
        Whose::AnotherNamespace => all.extend([("owner", "other/web"), ("uid", "of-the-other")]),
        Whose::AnotherCluster => all.extend([("cluster", "prod"), ("cluster-uid", "uid-of-prod")]),
        Whose::AnotherClusterUid => drop(all.insert("cluster-uid", "uid-of-another")),
        Whose::Nobody => all.clear(),
        Whose::NoCluster => {
            all.remove("cluster");
            all.remove("cluster-uid");
        }
        Whose::Retained => all = [("retained-from", consent.as_str())].into(),
        Whose::Consenting => all = [("adoptable-by", consent.as_str())].into(),
        Whose::ConsentingToAnother => all = [("adoptable-by", "test/team/other")].into(),
    }
    let mut named: BTreeMap<String, String> = (all.into_iter())
        .map(|(key, value)| (format!("sessionmanager.dev/{key}"), value.to_owned()))
        .collect();
    named.insert("cost-center".to_owned(), "7".to_owned());
    if whose == Whose::Nobody {
        named.insert("theirs".to_owned(), "1".to_owned());
    }
    named
}

fn list(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(|pair| tag(pair).unwrap()).collect()
}

impl Furnisher<'_> {
    /// Does all of it.
    pub async fn furnish(&self) {
        for kind in [Kind::Profile, Kind::Role, Kind::Policy] {
            if self.case.of(kind).is_none() || self.case.is_anew(kind) {
                self.remove(kind).await;
            }
        }
        self.role().await;
        self.policy().await;
        self.profile().await;
        self.attach().await;
        self.hold().await;
        self.world.witness.look();
    }

    async fn remove(&self, kind: Kind) {
        let target = Target {
            asked: self.asked,
            someone: &self.world.someone,
            emulator: &self.world.iam,
            created: &Snapshot::default(),
        };
        // Where it is not there, there is nothing to remove.
        Deed::Gone(kind).is_done(target).await;
    }

    fn path(&self, kind: Kind) -> &'static str {
        if self.case.is_at_root(kind) {
            "/"
        } else {
            PATH
        }
    }

    async fn role(&self) {
        let Some(whose) = self.case.of(Kind::Role) else {
            return;
        };
        let iam = &self.world.someone;
        let [name, _, _] = self.asked.names();
        let model = &self.model.roles[&name];
        let is_right = self.case.details.trust == Trust::Equal;
        let trust = if is_right {
            model.trust.as_str()
        } else {
            LAMBDA
        };
        let tags = tags(whose, self.asked);
        let now = self.world.iam.snapshot();
        let Some(found) = now.roles.get(&name) else {
            let create = iam
                .create_role()
                .role_name(name)
                .path(self.path(Kind::Role));
            let create = create.assume_role_policy_document(trust);
            let create = create.set_description(model.description.clone());
            let create = create.set_tags(Some(list(&tags)));
            create.send().await.unwrap();
            return;
        };
        for key in found.tags.keys().filter(|key| !tags.contains_key(*key)) {
            let untag = iam.untag_role().role_name(&name).tag_keys(key);
            untag.send().await.unwrap();
        }
        let tag = iam.tag_role().role_name(&name);
        tag.set_tags(Some(list(&tags))).send().await.unwrap();
        let update = iam.update_assume_role_policy().role_name(&name);
        update.policy_document(trust).send().await.unwrap();
    }

    fn document(&self, equal: &str) -> String {
        match self.case.details.document {
            Document::Equal => equal.to_owned(),
            Document::Different => READ_S3.to_owned(),
            Document::TooMuch => {
                let mut document: Value = serde_json::from_str(equal).unwrap();
                let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
                document["Statement"].as_array_mut().unwrap().push(all);
                document.to_string()
            }
        }
    }

    /// The ARN of the policy in IAM now.
    fn policy_arn(&self) -> Option<String> {
        let [_, name, _] = self.asked.names();
        let now = self.world.iam.snapshot();
        now.policies.get(&name).map(|policy| policy.arn.clone())
    }

    async fn policy(&self) {
        let Some(whose) = self.case.of(Kind::Policy) else {
            return;
        };
        let iam = &self.world.someone;
        let [_, name, _] = self.asked.names();
        let model = &self.model.policies[&name];
        let document = self.document(&model.document);
        let tags = tags(whose, self.asked);
        let now = self.world.iam.snapshot();
        if let Some(found) = now.policies.get(&name) {
            for key in found.tags.keys().filter(|key| !tags.contains_key(*key)) {
                let untag = iam.untag_policy().policy_arn(&found.arn).tag_keys(key);
                untag.send().await.unwrap();
            }
            let tag = iam.tag_policy().policy_arn(&found.arn);
            tag.set_tags(Some(list(&tags))).send().await.unwrap();
            if self.case.details.document != Document::Equal {
                let version = iam.create_policy_version().policy_arn(&found.arn);
                let version = version.policy_document(document).set_as_default(true);
                version.send().await.unwrap();
            }
        } else {
            let create = iam
                .create_policy()
                .policy_name(&name)
                .path(self.path(Kind::Policy));
            let create = create.policy_document(document);
            let create = create.set_description(model.description.clone());
            let create = create.set_tags(Some(list(&tags)));
            create.send().await.unwrap();
        }
        self.versions().await;
    }

    /// As many versions as the case wants.
    async fn versions(&self) {
        let iam = &self.world.someone;
        let [_, name, _] = self.asked.names();
        let now = self.world.iam.snapshot();
        let found = &now.policies[&name];
        if self.case.details.is_full {
            for _ in found.versions.len()..VERSIONS {
                let version = iam.create_policy_version().policy_arn(&found.arn);
                let version = version.policy_document(READ_S3).set_as_default(false);
                version.send().await.unwrap();
            }
            return;
        }
        let versions = found.versions.iter();
        for version in versions.filter(|version| version.id != found.default_version) {
            let delete = iam.delete_policy_version().policy_arn(&found.arn);
            delete.version_id(&version.id).send().await.unwrap();
        }
    }

    async fn profile(&self) {
        let Some(whose) = self.case.of(Kind::Profile) else {
            return;
        };
        let iam = &self.world.someone;
        let [_, _, name] = self.asked.names();
        let tags = tags(whose, self.asked);
        let now = self.world.iam.snapshot();
        let Some(found) = now.instance_profiles.get(&name) else {
            let create = iam.create_instance_profile().path(self.path(Kind::Profile));
            let create = create.instance_profile_name(name);
            let create = create.set_tags(Some(list(&tags)));
            create.send().await.unwrap();
            return;
        };
        for key in found.tags.keys().filter(|key| !tags.contains_key(*key)) {
            let untag = iam.untag_instance_profile().instance_profile_name(&name);
            untag.tag_keys(key).send().await.unwrap();
        }
        let tag = iam.tag_instance_profile().instance_profile_name(&name);
        tag.set_tags(Some(list(&tags))).send().await.unwrap();
    }

    async fn attach(&self) {
        let Some(arn) = self.policy_arn() else {
            return;
        };
        let iam = &self.world.someone;
        let [role, _, _] = self.asked.names();
        let attached = self.case.details.attached;
        if self.case.of(Kind::Role).is_some() {
            // Attaching or detaching twice is no harm.
            if attached == Attached::Nowhere {
                let detach = iam.detach_role_policy().role_name(role);
                let _ = detach.policy_arn(&arn).send().await;
            } else {
                let attach = iam.attach_role_policy().role_name(role);
                attach.policy_arn(&arn).send().await.unwrap();
            }
        }
        if attached == Attached::ElsewhereToo {
            let attach = iam.attach_role_policy().role_name(ADMIN);
            attach.policy_arn(arn).send().await.unwrap();
        }
    }

    async fn hold(&self) {
        let [role, _, profile] = self.asked.names();
        let held = self.case.details.held;
        let now = self.world.iam.snapshot();
        let has_role = now.roles.contains_key(&role);
        if let Some(found) = now.instance_profiles.get(&profile) {
            let wanted = match held {
                Held::Role | Held::RoleElsewhereToo => has_role.then_some(role.as_str()),
                Held::Nothing => None,
                Held::Another => Some(ADMIN),
            };
            self.hold_in(&profile, found.role.as_deref(), wanted).await;
        }
        if held == Held::RoleElsewhereToo && has_role {
            let create = self.world.someone.create_instance_profile();
            let create = create.instance_profile_name(ELSEWHERE);
            create.send().await.unwrap();
            self.hold_in(ELSEWHERE, None, Some(&role)).await;
        }
    }

    async fn hold_in(&self, profile: &str, found: Option<&str>, wanted: Option<&str>) {
        if found == wanted {
            return;
        }
        let iam = &self.world.someone;
        if let Some(found) = found {
            let remove = iam.remove_role_from_instance_profile();
            let remove = remove.instance_profile_name(profile).role_name(found);
            remove.send().await.unwrap();
        }
        if let Some(wanted) = wanted {
            let add = iam.add_role_to_instance_profile();
            let add = add.instance_profile_name(profile).role_name(wanted);
            add.send().await.unwrap();
        }
    }
}
