//! Someone else's hand in IAM: one change to what belongs to an object enters, the calls that make
//! it leave, over the wire. Does network IO; none of the controller's code.

use aws_sdk_iam::Client;
use serde_json::Value;

use super::iam::{LAMBDA_TRUST, READ_S3, tag};
use super::reading::decoded;

/// Stands for the ARN of the object's own managed policy.
pub const OWN: &str = "OWN";

/// Which of the three.
#[derive(Clone, Copy)]
pub enum On {
    Role,
    Policy,
    Profile,
}

/// One change. Texts that name the object's own things have `OWN`.
#[derive(Clone, Copy)]
pub enum Change {
    /// The trust policy is edited.
    Trust(fn(&mut Value)),
    /// The managed policy's document is edited: a new default version.
    Document(fn(&mut Value)),
    /// The own inline policy is edited, or made anew where it is not there.
    OwnInline(fn(&mut Value)),
    /// An earlier version is made the default again.
    Version(&'static str),
    Description(&'static str),
    Session(i32),
    Boundary(&'static str),
    NoBoundary,
    Tag(On, &'static str, &'static str),
    Untag(On, &'static str),
    Attach(&'static str),
    Detach(&'static str),
    PutInline(&'static str),
    DeleteInline(&'static str),
    /// The instance profile is emptied.
    Empty,
    /// The role is exchanged for another one, which is made for that.
    OtherRole(&'static str),
    DeleteRole,
    DeletePolicy,
    DeleteProfile,
}

/// Someone who knows the object's IAM name, which all three have.
pub struct Hand<'a> {
    pub iam: &'a Client,
    pub account: &'a str,
    pub name: &'a str,
}

impl Hand<'_> {
    fn arn(&self, arn: &str) -> String {
        let (account, name) = (self.account, self.name);
        match arn {
            OWN => format!("arn:aws:iam::{account}:policy/session-manager/{name}"),
            arn => arn.replace("ACCOUNT", account),
        }
    }

    pub async fn make(&self, change: &Change) {
        let Self { iam, name, .. } = *self;
        match *change {
            Change::Trust(edit) => {
                let role = iam.get_role().role_name(name).send().await.unwrap();
                let trust = role.role.unwrap().assume_role_policy_document.unwrap();
                let update = iam.update_assume_role_policy().role_name(name);
                let update = update.policy_document(edited(&trust, edit));
                update.send().await.unwrap();
            }
            Change::Document(edit) => self.document(edit).await,
            Change::OwnInline(edit) => {
                let get = iam.get_role_policy().role_name(name).policy_name(name);
                let found = get.send().await.map(|a| a.policy_document);
                let document = edited(&found.unwrap_or_else(|_| READ_S3.to_owned()), edit);
                let put = iam.put_role_policy().role_name(name).policy_name(name);
                put.policy_document(document).send().await.unwrap();
            }
            Change::Version(version) => {
                let set = iam.set_default_policy_version().policy_arn(self.arn(OWN));
                set.version_id(version).send().await.unwrap();
            }
            Change::Description(description) => {
                let role = iam.get_role().role_name(name).send().await.unwrap();
                let session = role.role.unwrap().max_session_duration;
                let update = iam.update_role().role_name(name).description(description);
                update
                    .set_max_session_duration(session)
                    .send()
                    .await
                    .unwrap();
            }
            Change::Session(seconds) => {
                let role = iam.get_role().role_name(name).send().await.unwrap();
                let description = role.role.unwrap().description;
                let update = iam.update_role().role_name(name);
                let update = update.max_session_duration(seconds);
                update.set_description(description).send().await.unwrap();
            }
            Change::Boundary(arn) => {
                let put = iam.put_role_permissions_boundary().role_name(name);
                put.permissions_boundary(self.arn(arn))
                    .send()
                    .await
                    .unwrap();
            }
            Change::NoBoundary => {
                let delete = iam.delete_role_permissions_boundary().role_name(name);
                delete.send().await.unwrap();
            }
            Change::Tag(on, key, value) => self.tag(on, key, value).await,
            Change::Untag(on, key) => self.untag(on, key).await,
            Change::Attach(arn) => {
                let attach = iam.attach_role_policy().role_name(name);
                attach.policy_arn(self.arn(arn)).send().await.unwrap();
            }
            Change::Detach(arn) => self.detach(&self.arn(arn)).await,
            Change::PutInline(policy) => {
                let put = iam.put_role_policy().role_name(name).policy_name(policy);
                put.policy_document(READ_S3).send().await.unwrap();
            }
            Change::DeleteInline(policy) => {
                let policy = if policy == OWN { name } else { policy };
                let delete = iam.delete_role_policy().role_name(name);
                delete.policy_name(policy).send().await.unwrap();
            }
            Change::Empty => self.empty().await,
            Change::OtherRole(other) => {
                let create = iam.create_role().role_name(other);
                let create = create.assume_role_policy_document(LAMBDA_TRUST);
                create.send().await.unwrap();
                self.empty().await;
                let add = iam.add_role_to_instance_profile();
                let add = add.instance_profile_name(name).role_name(other);
                add.send().await.unwrap();
            }
            Change::DeleteRole => self.delete_role().await,
            Change::DeletePolicy => self.delete_policy().await,
            Change::DeleteProfile => {
                self.empty().await;
                let delete = iam.delete_instance_profile();
                delete.instance_profile_name(name).send().await.unwrap();
            }
        }
    }

    async fn document(&self, edit: fn(&mut Value)) {
        let arn = self.arn(OWN);
        let policy = self.iam.get_policy().policy_arn(&arn).send().await.unwrap();
        let version = policy.policy.unwrap().default_version_id.unwrap();
        let get = self.iam.get_policy_version().policy_arn(&arn);
        let found = get.version_id(version).send().await.unwrap();
        let document = found.policy_version.unwrap().document.unwrap();
        let create = self.iam.create_policy_version().policy_arn(&arn);
        let create = create.policy_document(edited(&document, edit));
        create.set_as_default(true).send().await.unwrap();
    }

    async fn tag(&self, on: On, key: &str, value: &str) {
        let (iam, tag) = (self.iam, tag(key, value));
        match on {
            On::Role => drop(
                iam.tag_role()
                    .role_name(self.name)
                    .tags(tag)
                    .send()
                    .await
                    .unwrap(),
            ),
            On::Policy => {
                let call = iam.tag_policy().policy_arn(self.arn(OWN));
                call.tags(tag).send().await.unwrap();
            }
            On::Profile => {
                let call = iam.tag_instance_profile().instance_profile_name(self.name);
                call.tags(tag).send().await.unwrap();
            }
        }
    }

    async fn untag(&self, on: On, key: &str) {
        let iam = self.iam;
        match on {
            On::Role => {
                let call = iam.untag_role().role_name(self.name);
                call.tag_keys(key).send().await.unwrap();
            }
            On::Policy => {
                let call = iam.untag_policy().policy_arn(self.arn(OWN));
                call.tag_keys(key).send().await.unwrap();
            }
            On::Profile => {
                let call = iam.untag_instance_profile();
                let call = call.instance_profile_name(self.name);
                call.tag_keys(key).send().await.unwrap();
            }
        }
    }

    async fn detach(&self, arn: &str) {
        let detach = self.iam.detach_role_policy().role_name(self.name);
        let detached = detach.policy_arn(arn).send().await;
        detached.unwrap_or_else(|error| panic!("{arn} from {}: {error:?}", self.name));
    }

    async fn empty(&self) {
        let remove = self.iam.remove_role_from_instance_profile();
        let remove = remove.instance_profile_name(self.name).role_name(self.name);
        remove.send().await.unwrap();
    }

    /// As IAM wants it: nothing may be on it or around it.
    async fn delete_role(&self) {
        let Self { iam, name, .. } = *self;
        let profiles = iam.list_instance_profiles_for_role().role_name(name);
        for profile in profiles.send().await.unwrap().instance_profiles {
            let remove = iam.remove_role_from_instance_profile().role_name(name);
            let remove = remove.instance_profile_name(profile.instance_profile_name);
            remove.send().await.unwrap();
        }
        let attached = iam.list_attached_role_policies().role_name(name);
        let attached = attached.send().await.unwrap().attached_policies;
        for policy in attached.unwrap_or_default() {
            self.detach(&policy.policy_arn.unwrap()).await;
        }
        let inline = iam.list_role_policies().role_name(name).send().await;
        for policy in inline.unwrap().policy_names {
            let delete = iam.delete_role_policy().role_name(name);
            delete.policy_name(policy).send().await.unwrap();
        }
        iam.delete_role().role_name(name).send().await.unwrap();
    }

    async fn delete_policy(&self) {
        let arn = self.arn(OWN);
        self.detach(&arn).await;
        let versions = self.iam.list_policy_versions().policy_arn(&arn);
        let versions = versions.send().await.unwrap().versions;
        for version in versions.unwrap_or_default() {
            if !version.is_default_version {
                let delete = self.iam.delete_policy_version().policy_arn(&arn);
                let delete = delete.set_version_id(version.version_id);
                delete.send().await.unwrap();
            }
        }
        let delete = self.iam.delete_policy().policy_arn(&arn);
        delete.send().await.unwrap();
    }
}

fn edited(document: &str, edit: fn(&mut Value)) -> String {
    let mut document = serde_json::from_str(&decoded(document)).unwrap();
    edit(&mut document);
    document.to_string()
}
