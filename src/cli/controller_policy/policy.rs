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
/// Everything that changes something, of those that the controller calls.
const WRITES: [&str; 9] = [
    "iam:Add*",
    "iam:Attach*",
    "iam:CreatePolicyVersion",
    "iam:De*",
    "iam:Put*",
    "iam:Remove*",
    "iam:Tag*",
    "iam:Untag*",
    "iam:Update*",
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
        let whole = |statement| self.in_our_name(statement);
        statements.into_iter().map(whole).collect()
    }

    /// With all tags of this cluster in the request.
    fn in_our_name(&self, statement: Statement) -> Statement {
        let statement = self.as_ours(statement);
        match &self.cluster_uid {
            Some(uid) => statement.when("StringEquals", &request(CLUSTER_UID), [uid]),
            None => statement,
        }
    }

    /// With this cluster's tag in the request.
    fn as_ours(&self, statement: Statement) -> Statement {
        statement.when("StringEquals", &request(CLUSTER), [&self.cluster])
    }

    /// On what has this cluster's tag.
    fn on_ours(&self, statement: Statement) -> Statement {
        statement.when("StringEquals", &resource(CLUSTER), [&self.cluster])
    }

    /// A creation with tags needs Tag* too, which AWS does not publish: nothing exists then, so no
    /// resource tag is there. What is ours can be tagged, but not handed to another cluster.
    fn tagging(&self) -> Vec<Statement> {
        let managed = ["role", "policy", "instance-profile"]
            .map(|kind| self.managed(kind))
            .concat();
        let ours = self.all_of_ours();
        let mut statements = vec![
            self.as_ours(allow("TagAtCreation", &TAG, managed)).when(
                "StringEqualsIfExists",
                &resource(CLUSTER),
                [&self.cluster],
            ),
            self.on_ours(allow("TagOurs", &TAG, ours.clone())).when(
                "StringEqualsIfExists",
                &request(CLUSTER),
                [&self.cluster],
            ),
            self.on_ours(allow("UntagOurs", &UNTAG, ours)),
        ];
        if !self.adopt.is_empty() {
            let adopt = self.in_our_name(allow("Adopt", &TAG, self.adopt.clone()));
            let consent = format!("{}/*", self.cluster);
            statements.push(adopt.when("StringLike", &resource(ADOPTABLE_BY), [consent]));
        }
        statements
    }

    fn changing(&self) -> Vec<Statement> {
        let roles = || self.ours("role");
        let others = [self.ours("policy"), self.ours("instance-profile")].concat();
        // With several boundaries, what may be adopted lies below one of their paths.
        let bounded_roles = |paths: &[String]| match self.boundaries.len() {
            0 | 1 => roles(),
            _ => self.below("role", paths),
        };
        let granting = [
            "iam:AttachRolePolicy",
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
            "iam:PutRolePermissionsBoundary",
        ];
        let grant = self.bounded("GrantToRoles", &granting, bounded_roles);
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

    /// What holds whatever else someone attaches to the controller's role. Each is said once, and not in every
    /// statement that allows something: IAM takes 6,144 characters.
    fn guarding(&self) -> Vec<Statement> {
        let everywhere = || vec!["*".to_owned()];
        let attachable = self.ours("policy").into_iter();
        let attachable: Vec<String> = attachable.chain(self.additional.clone()).collect();
        let mut statements = vec![
            deny("AttachNoOthers", &["iam:AttachRolePolicy"], everywhere()).when(
                "ArnNotLike",
                "iam:PolicyARN",
                attachable,
            ),
        ];
        statements.extend(self.keeping_the_boundary());
        if let Some(uid) = &self.cluster_uid {
            // What was made before there was such a tag has none.
            let other = |sid, actions: &[&str], key: &str| {
                deny(sid, actions, everywhere())
                    .when("StringNotEquals", key, [uid])
                    .when("Null", key, ["false"])
            };
            statements.push(other("OtherCluster", &WRITES, &resource(CLUSTER_UID)));
            statements.push(other(
                "OtherClustersTag",
                &["iam:Create*", "iam:Tag*"],
                &request(CLUSTER_UID),
            ));
        }
        if !(self.tag_keys.is_empty() || self.tag_keys.iter().any(|key| key == "*")) {
            let own = format!("{PREFIX}*");
            let keys = self.tag_keys.iter().chain([&own]);
            statements.push(
                deny("OtherTagKeys", &["iam:Create*", "iam:Tag*"], everywhere()).when(
                    "ForAnyValue:StringNotLike",
                    "aws:TagKeys",
                    keys,
                ),
            );
        }
        statements
    }

    /// The cap stays on, stays the one of its path, and stays as it is.
    fn keeping_the_boundary(&self) -> Vec<Statement> {
        if self.boundaries.is_empty() {
            return Vec::new();
        }
        let everywhere = || vec!["*".to_owned()];
        let policy_writes = [
            "iam:CreatePolicyVersion",
            "iam:SetDefaultPolicyVersion",
            "iam:DeletePolicyVersion",
            "iam:DeletePolicy",
            "iam:TagPolicy",
            "iam:UntagPolicy",
        ];
        let boundaries = self.boundaries.iter().map(|bound| bound.arn.clone());
        let mut statements = vec![
            deny(
                "KeepBoundary",
                &["iam:DeleteRolePermissionsBoundary"],
                everywhere(),
            ),
            deny("KeepBoundaryPolicy", &policy_writes, boundaries.collect()),
        ];
        let put = ["iam:PutRolePermissionsBoundary"];
        statements.extend(match self.boundaries.as_slice() {
            [one] => vec![deny("NoOtherBoundary", &put, everywhere()).when(
                "StringNotEquals",
                BOUNDARY,
                [&one.arn],
            )],
            several => (several.iter().enumerate())
                .map(|(number, bound)| {
                    let sid = format!("NoOtherBoundary{}", number + 1);
                    deny(sid, &put, self.below("role", &bound.paths)).when(
                        "StringNotEquals",
                        BOUNDARY,
                        [&bound.arn],
                    )
                })
                .collect(),
        });
        statements
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
