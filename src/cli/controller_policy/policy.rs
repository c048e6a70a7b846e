//! The controller's own policy, and what of it only looks. In: account, paths, cluster, boundary;
//! out: a document. No IO. Which condition keys AWS sends with which action is in AWS's service
//! authorization reference; resource tags of policies and profiles come as aws:ResourceTag only.

use smr_core::account::Account;
use smr_core::ownership::{ADOPTABLE_BY, CLUSTER};
use smr_core::resolve::document::{Document, Statement};

use super::statement::{allow, deny};

/// What the policy is made of.
pub(super) struct Scope {
    pub account: Account,
    pub paths: Vec<String>,
    pub cluster: String,
    pub boundary: Option<String>,
    /// Policies of others that may be attached; `*` stands for any characters.
    pub additional: Vec<String>,
    /// Objects of others that may be taken over with consent.
    pub adopt: Vec<String>,
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

    /// Everything of a kind below the managed paths.
    fn managed(&self, kind: &str) -> Vec<String> {
        self.paths
            .iter()
            .map(|path| self.arn(&format!("{kind}{path}*")))
            .collect()
    }

    /// The same, and what may be adopted.
    fn ours(&self, kind: &str) -> Vec<String> {
        let prefix = self.arn(&format!("{kind}/"));
        let adopted = self
            .adopt
            .iter()
            .filter(|arn| arn.starts_with(&prefix))
            .cloned();
        self.managed(kind).into_iter().chain(adopted).collect()
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

    /// Only with the ownership tag, and roles only with the boundary.
    fn creating(&self) -> Vec<Statement> {
        let role = allow("CreateRole", &["iam:CreateRole"], self.managed("role")).when(
            "StringEquals",
            &request_tag(),
            [&self.cluster],
        );
        let others = [self.managed("policy"), self.managed("instance-profile")].concat();
        let actions = ["iam:CreatePolicy", "iam:CreateInstanceProfile"];
        vec![
            self.bounded(role),
            allow("Create", &actions, others).when("StringEquals", &request_tag(), [&self.cluster]),
        ]
    }

    /// A creation with tags needs Tag* too, which AWS does not publish: nothing exists then, so no
    /// resource tag is there. What is ours can be tagged, but not handed to another cluster.
    fn tagging(&self) -> Vec<Statement> {
        let managed = ["role", "policy", "instance-profile"]
            .map(|kind| self.managed(kind))
            .concat();
        let mut statements = vec![
            allow("TagAtCreation", &TAG, managed)
                .when("StringEquals", &request_tag(), [&self.cluster])
                .when("StringEqualsIfExists", &resource_tag(), [&self.cluster]),
            allow("TagOurs", &TAG, self.all_of_ours())
                .when("StringEquals", &resource_tag(), [&self.cluster])
                .when("StringEqualsIfExists", &request_tag(), [&self.cluster]),
            allow("UntagOurs", &UNTAG, self.all_of_ours()).when(
                "StringEquals",
                &resource_tag(),
                [&self.cluster],
            ),
        ];
        if !self.adopt.is_empty() {
            statements.push(
                allow("Adopt", &TAG, self.adopt.clone())
                    .when("StringEquals", &request_tag(), [&self.cluster])
                    .when(
                        "StringLike",
                        &format!("aws:ResourceTag/{ADOPTABLE_BY}"),
                        [format!("{}/*", self.cluster)],
                    ),
            );
        }
        statements
    }

    fn changing(&self) -> Vec<Statement> {
        let ours =
            |statement: Statement| statement.when("StringEquals", &resource_tag(), [&self.cluster]);
        let roles = || self.ours("role");
        let attachable: Vec<String> = self
            .ours("policy")
            .into_iter()
            .chain(self.additional.clone())
            .collect();
        let others = [self.ours("policy"), self.ours("instance-profile")].concat();
        vec![
            ours(allow(
                "ChangeRoles",
                &[
                    "iam:UpdateRole",
                    "iam:DeleteRole",
                    "iam:DeleteRolePolicy",
                    "iam:DetachRolePolicy",
                ],
                roles(),
            )),
            self.bounded(ours(allow(
                "GrantToRoles",
                &[
                    "iam:PutRolePolicy",
                    "iam:UpdateAssumeRolePolicy",
                    "iam:PutRolePermissionsBoundary",
                ],
                roles(),
            ))),
            self.bounded(ours(allow(
                "AttachToRoles",
                &["iam:AttachRolePolicy"],
                roles(),
            )))
            .when("ArnLike", "iam:PolicyARN", attachable),
            ours(allow(
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
        ]
    }

    /// The cap stays on, and stays as it is, whatever else someone attaches to the controller.
    fn guarding(&self) -> Vec<Statement> {
        let Some(boundary) = &self.boundary else {
            return Vec::new();
        };
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
            deny("KeepBoundaryPolicy", &writes, vec![boundary.clone()]),
        ]
    }

    fn bounded(&self, statement: Statement) -> Statement {
        match &self.boundary {
            Some(boundary) => statement.when("StringEquals", BOUNDARY, [boundary]),
            None => statement,
        }
    }
}

fn request_tag() -> String {
    format!("aws:RequestTag/{CLUSTER}")
}

fn resource_tag() -> String {
    format!("aws:ResourceTag/{CLUSTER}")
}
