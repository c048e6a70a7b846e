//! The documents around the controller's policy: the trust of its role, and the SCP that keeps others off the
//! tags that prove ownership. Values in, documents out. No IO.

use smr_core::account::Account;
use smr_core::ownership::KEYS;
use smr_core::resolve::document::{Document, Principal};

use super::statement::{allow, deny};

/// The controller's ServiceAccount.
pub(super) struct ServiceAccount<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
}

/// IRSA: the cluster's OIDC provider vouches for the ServiceAccount.
pub(super) fn trust_irsa(account: &Account, provider: &str, who: &ServiceAccount) -> Document {
    let ServiceAccount { namespace, name } = who;
    let arn = format!(
        "arn:{}:iam::{}:oidc-provider/{provider}",
        account.partition, account.id
    );
    let statement = allow("Irsa", &["sts:AssumeRoleWithWebIdentity"], Vec::new())
        .principal(Principal::Federated(arn))
        .when(
            "StringEquals",
            &format!("{provider}:aud"),
            ["sts.amazonaws.com"],
        )
        .when(
            "StringEquals",
            &format!("{provider}:sub"),
            [format!("system:serviceaccount:{namespace}:{name}")],
        );
    Document {
        statements: vec![statement],
    }
}

/// EKS Pod Identity, narrowed by the tags that it sends.
pub(super) fn trust_pod_identity(eks_cluster: Option<&str>, who: &ServiceAccount) -> Document {
    let tag = |name: &str| format!("aws:RequestTag/{name}");
    let mut statement = allow(
        "PodIdentity",
        &["sts:AssumeRole", "sts:TagSession"],
        Vec::new(),
    )
    .principal(Principal::Service("pods.eks.amazonaws.com".to_owned()))
    .when(
        "StringEquals",
        &tag("kubernetes-namespace"),
        [who.namespace],
    )
    .when(
        "StringEquals",
        &tag("kubernetes-service-account"),
        [who.name],
    );
    if let Some(cluster) = eks_cluster {
        statement = statement.when("StringEquals", &tag("eks-cluster-name"), [cluster]);
    }
    Document {
        statements: vec![statement],
    }
}

/// Nobody but the controllers sets or removes the tags that prove ownership. The consent tag is
/// not among them: people set it.
pub(super) fn scp(controllers: &[String]) -> Document {
    let actions = [
        "iam:CreateRole",
        "iam:CreatePolicy",
        "iam:CreateInstanceProfile",
        "iam:TagRole",
        "iam:TagPolicy",
        "iam:TagInstanceProfile",
        "iam:UntagRole",
        "iam:UntagPolicy",
        "iam:UntagInstanceProfile",
    ];
    let statement = deny("KeepOffOwnershipTags", &actions, vec!["*".to_owned()])
        // Keys of role tags are the same whatever their case.
        .when("ForAnyValue:StringEqualsIgnoreCase", "aws:TagKeys", KEYS)
        .when("ArnNotLike", "aws:PrincipalArn", controllers);
    Document {
        statements: vec![statement],
    }
}
