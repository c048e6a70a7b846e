//! The controller's own policy, and what of it only looks. In: account, paths, cluster, boundary;
//! out: a document. No IO. Which condition keys AWS sends with which action is in AWS's service
//! authorization reference; resource tags of policies and profiles come as aws:ResourceTag only.

use std::borrow::Cow;

use smr_core::account::Account;
use smr_core::ownership::{ADOPTABLE_BY, CLUSTER, CLUSTER_UID, PREFIX};
use smr_core::resolve::document::{Document, Statement};

use super::statement::{allow, deny};

/// What the policy is made of.
pub(super) struct Scope {
    pub account: Account,
    pub paths: Vec<String>,
    pub cluster: String,
    /// The UID that tells this cluster from another one of its name.
    pub cluster_uid: Option<String>,
    /// None: the policy does without.
    pub boundaries: Vec<Bound>,
    /// Policies of others that may be attached; `*` stands for any characters.
    pub additional: Vec<String>,
    /// Objects of others that may be taken over with consent.
    pub adopt: Vec<String>,
    /// Tag keys that the controller may set besides its own; `*` stands for any characters. Empty: any.
    pub tag_keys: Vec<String>,
}

/// A permissions boundary, and the paths below which roles must have it.
pub(super) struct Bound {
    pub arn: String,
    pub paths: Vec<String>,
}

const READ: [&str; 12] = [
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListRolePolicies",
    "iam:ListAttachedRolePolicies",
    "iam:ListInstanceProfilesForRole",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListPolicyVersions",
    "iam:ListPolicyTags",
    "iam:ListEntitiesForPolicy",
    "iam:GetInstanceProfile",
    "iam:ListInstanceProfileTags",
];
/// These can't be narrowed.
const LIST: [&str; 4] = [
    "iam:ListRoles",
    "iam:ListPolicies",
    "iam:ListInstanceProfiles",
    "iam:GetAccountAuthorizationDetails",
];
const TAG: [&str; 3] = ["iam:TagRole", "iam:TagPolicy", "iam:TagInstanceProfile"];
const UNTAG: [&str; 3] = [
    "iam:UntagRole",
    "iam:UntagPolicy",
    "iam:UntagInstanceProfile",
];
const BOUNDARY: &str = "iam:PermissionsBoundary";

/// Looks at everything, as a foreign object of a wanted name must be named; changes nothing.
pub(super) fn read_only(scope: &Scope) -> Document {
    Document {
        statements: scope.reading(),
    }
}

/// All that the controller does, and no more.
pub(super) fn policy(scope: &Scope) -> Document {
    let mut statements = scope.reading();
    statements.extend(scope.creating());
    statements.extend(scope.tagging());
    statements.extend(scope.changing());
    statements.extend(scope.guarding());
    Document { statements }
}

impl Scope {
    fn arn(&self, resource: &str) -> String {
        format!(
            "arn:{}:iam::{}:{resource}",
            self.account.partition, self.account.id
        )
    }

    fn below(&self, kind: &str, paths: &[String]) -> Vec<String> {
        let arn = |path: &String| self.arn(&format!("{kind}{path}*"));
        paths.iter().map(arn).collect()
    }

    /// Everything of a kind below the managed paths.
    fn managed(&self, kind: &str) -> Vec<String> {
        self.below(kind, &self.paths)
    }

    /// What may be adopted of a kind.
    fn adopted(&self, kind: &str) -> impl Iterator<Item = String> {
        let prefix = self.arn(&format!("{kind}/"));
        let of_kind = move |arn: &&String| arn.starts_with(&prefix);
        self.adopt.iter().filter(of_kind).cloned()
    }

    /// Both.
    fn ours(&self, kind: &str) -> Vec<String> {
        self.managed(kind)
            .into_iter()
            .chain(self.adopted(kind))
            .collect()
    }

    fn all_of_ours(&self) -> Vec<String> {
        ["role", "policy", "instance-profile"]
            .iter()
            .flat_map(|kind| self.ours(kind))
            .collect()
    }

    fn reading(&self) -> Vec<Statement> {
        let all = ["role/*", "policy/*", "instance-profile/*"]
            .map(|kind| self.arn(kind))
            .to_vec();
        vec![
            allow("Read", &READ, all),
            allow("List", &LIST, vec!["*".to_owned()]),
        ]
    }

    /// Only with the ownership tags, and roles only with the boundary of their path.
    fn creating(&self) -> Vec<Statement> {
        let others = [self.managed("policy"), self.managed("instance-profile")].concat();
        let actions = ["iam:CreatePolicy", "iam:CreateInstanceProfile"];
        let mut statements = self.bounded("CreateRole", &["iam:CreateRole"], |paths| {
            self.below("role", paths)
        });
        statements.push(allow("Create", &actions, others));
        statements
            .into_iter()
            .map(|statement| self.with_known_keys(self.as_ours(statement)))
            .collect()
    }

    /// With this cluster's tags in the request.
    fn as_ours(&self, statement: Statement) -> Statement {
        let statement = statement.when("StringEquals", &request(CLUSTER), [&self.cluster]);
        match &self.cluster_uid {
            Some(uid) => statement.when("StringEquals", &request(CLUSTER_UID), [uid]),
            None => statement,
        }
    }

    /// On what has this cluster's tags. What was made before there was a UID in the tags has none.
    fn on_ours(&self, statement: Statement) -> Statement {
        let statement = statement.when("StringEquals", &resource(CLUSTER), [&self.cluster]);
        match &self.cluster_uid {
            Some(uid) => statement.when("StringEqualsIfExists", &resource(CLUSTER_UID), [uid]),
            None => statement,
        }
    }

    /// With no tag keys but those that the operator lists, and our own.
    fn with_known_keys(&self, statement: Statement) -> Statement {
        if self.tag_keys.is_empty() || self.tag_keys.iter().any(|key| key == "*") {
            return statement;
        }
        let own = format!("{PREFIX}*");
        let keys = self.tag_keys.iter().chain([&own]);
        statement.when("ForAllValues:StringLike", "aws:TagKeys", keys)
    }

    /// A creation with tags needs Tag* too, which AWS does not publish: nothing exists then, so no
    /// resource tag is there. What is ours can be tagged, but not handed to another cluster.
    fn tagging(&self) -> Vec<Statement> {
        let managed = ["role", "policy", "instance-profile"]
            .map(|kind| self.managed(kind))
            .concat();
        let mut at_creation = self.as_ours(allow("TagAtCreation", &TAG, managed));
        let mut ours = self.on_ours(allow("TagOurs", &TAG, self.all_of_ours()));
        for (key, value) in self.stamp() {
            at_creation = at_creation.when("StringEqualsIfExists", &resource(key), [value]);
            ours = ours.when("StringEqualsIfExists", &request(key), [value]);
        }
        let mut statements = vec![
            self.with_known_keys(at_creation),
            self.with_known_keys(ours),
            self.on_ours(allow("UntagOurs", &UNTAG, self.all_of_ours())),
        ];
        if !self.adopt.is_empty() {
            let adopt = self.as_ours(allow("Adopt", &TAG, self.adopt.clone()));
            let consent = format!("{}/*", self.cluster);
            let adopt = adopt.when("StringLike", &resource(ADOPTABLE_BY), [consent]);
            statements.push(self.with_known_keys(adopt));
        }
        statements
    }

    /// The tags that name this cluster.
    fn stamp(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let uid = self.cluster_uid.as_ref().map(|uid| (CLUSTER_UID, uid));
        std::iter::once((CLUSTER, &self.cluster)).chain(uid)
    }

    fn changing(&self) -> Vec<Statement> {
        let roles = || self.ours("role");
        let attachable: Vec<String> = self
            .ours("policy")
            .into_iter()
            .chain(self.additional.clone())
            .collect();
        let others = [self.ours("policy"), self.ours("instance-profile")].concat();
        // With several boundaries, what may be adopted lies below one of their paths.
        let bounded_roles = |paths: &[String]| match self.boundaries.len() {
            0 | 1 => roles(),
            _ => self.below("role", paths),
        };
        let granting = [
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
            "iam:PutRolePermissionsBoundary",
        ];
        let grant = self.bounded("GrantToRoles", &granting, bounded_roles);
        let attach = self.bounded("AttachToRoles", &["iam:AttachRolePolicy"], bounded_roles);
        let mut statements = vec![self.on_ours(allow(
            "ChangeRoles",
            &[
                "iam:UpdateRole",
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
            ],
            roles(),
        ))];
        statements.extend(grant.into_iter().map(|s| self.on_ours(s)));
        statements.extend(attach.into_iter().map(|s| {
            self.on_ours(s)
                .when("ArnLike", "iam:PolicyARN", attachable.clone())
        }));
        statements.extend([
            self.on_ours(allow(
                "ChangeOthers",
                &[
                    "iam:CreatePolicyVersion",
                    "iam:DeletePolicyVersion",
                    "iam:DeletePolicy",
                    "iam:AddRoleToInstanceProfile",
                    "iam:RemoveRoleFromInstanceProfile",
                    "iam:DeleteInstanceProfile",
                ],
                others,
            )),
            // For AddRoleToInstanceProfile. Tag conditions are not reliable here, AWS says: the path it is.
            allow("PassToEc2", &["iam:PassRole"], roles()).when(
                "StringEquals",
                "iam:PassedToService",
                // In China it may be either form.
                match self.account.partition.as_str() {
                    "aws-cn" => vec!["ec2.amazonaws.com", "ec2.amazonaws.com.cn"],
                    _ => vec!["ec2.amazonaws.com"],
                },
            ),
        ]);
        statements
    }

    /// The cap stays on, and stays as it is, whatever else someone attaches to the controller.
    fn guarding(&self) -> Vec<Statement> {
        if self.boundaries.is_empty() {
            return Vec::new();
        }
        let boundaries = self.boundaries.iter().map(|bound| bound.arn.clone());
        let writes = [
            "iam:CreatePolicyVersion",
            "iam:SetDefaultPolicyVersion",
            "iam:DeletePolicyVersion",
            "iam:DeletePolicy",
            "iam:TagPolicy",
            "iam:UntagPolicy",
        ];
        vec![
            deny(
                "KeepBoundary",
                &["iam:DeleteRolePermissionsBoundary"],
                vec!["*".to_owned()],
            ),
            deny("KeepBoundaryPolicy", &writes, boundaries.collect()),
        ]
    }

    /// A statement for each boundary, on the roles below its paths while they have it: none of them can be used
    /// to switch a role from one boundary to another.
    fn bounded(
        &self,
        sid: &'static str,
        actions: &[&str],
        resources: impl Fn(&[String]) -> Vec<String>,
    ) -> Vec<Statement> {
        let several = self.boundaries.len() > 1;
        let bounded = |(number, bound): (usize, &Bound)| {
            let sid = if several {
                Cow::Owned(format!("{sid}{}", number + 1))
            } else {
                Cow::Borrowed(sid)
            };
            allow(sid, actions, resources(&bound.paths)).when(
                "StringEquals",
                BOUNDARY,
                [&bound.arn],
            )
        };
        if self.boundaries.is_empty() {
            return vec![allow(sid, actions, resources(&self.paths))];
        }
        self.boundaries.iter().enumerate().map(bounded).collect()
    }
}

fn request(tag: &str) -> String {
    format!("aws:RequestTag/{tag}")
}

fn resource(tag: &str) -> String {
    format!("aws:ResourceTag/{tag}")
}
