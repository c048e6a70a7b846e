//! `smr controller-policy`: flags in, one JSON document for AWS out. No IO but for printing.

mod boundary;
mod bounds;
mod cloudformation;
mod others;
mod parts;
mod policy;
mod statement;

use std::io::Write as _;

use clap::{Args as ClapArgs, ValueEnum};
use smr_api::forms;
use smr_core::account::{Account, Arn, Partition, is_account_id};
use smr_core::resolve::document::Document;

use self::boundary::{CapArgs, boundary, warning};
use self::cloudformation::{Stack, Trust};
use self::others::ServiceAccount;
use self::parts::in_parts;
use self::policy::Scope;
use self::statement::{MANAGED_POLICY_MAX, SCP_MAX, TRUST_POLICY_MAX};
use super::limits::{checked_uid, cluster, texts};
use super::{CliError, flag};

const EXAMPLES: &str = "\
Examples:
  The boundary first, then the controller's policy that demands it:
    smr controller-policy --document boundary --account-id 111122223333 --cluster-name production
    smr controller-policy --account-id 111122223333 --cluster-name production \\
      --permissions-boundary-arn arn:aws:iam::111122223333:policy/session-manager-boundary

  What smr plan needs, for a pipeline that only looks:
    smr controller-policy --account-id 111122223333 --cluster-name production --read-only

  Who may be the controller: by EKS Pod Identity, or by IRSA:
    smr controller-policy --document trust --account-id 111122223333 --cluster-name production
    smr controller-policy --document trust --account-id 111122223333 --cluster-name production \\
      --oidc-provider oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE

  All of it in one step: a CloudFormation template with boundary, policy and role:
    smr controller-policy --format cloudformation --account-id 111122223333 --cluster-name production \\
      --permissions-boundary-arn arn:aws:iam::111122223333:policy/session-manager-boundary \\
      --eks-cluster production > session-manager-role.json
    aws cloudformation deploy --stack-name session-manager-role --template-file session-manager-role.json \\
      --capabilities CAPABILITY_NAMED_IAM

docs/controller-iam.md explains each document.";

const BOUNDARIES: &str = "--permissions-boundary-arn";

/// Flags of `smr controller-policy`.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Which document [default: policy]
    #[arg(long, value_enum)]
    document: Option<Kind>,
    /// One document, or a CloudFormation template with boundary, policy, role and, with --eks-cluster,
    /// the Pod Identity association
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The AWS account, 12 digits
    #[arg(long, value_name = "DIGITS")]
    account_id: String,
    /// The AWS partition: aws, aws-cn, aws-us-gov or aws-eusc
    #[arg(long, default_value = "aws")]
    partition: String,
    /// The IAM path of the managed objects; nothing else may live below it (repeatable: the
    /// controller's --default-path and each --allow-path)
    #[arg(long, default_value = "/session-manager/", value_delimiter = ',')]
    path: Vec<String>,
    /// Name of the cluster, as the controller has it
    #[arg(long, env = "SMR_CLUSTER_NAME")]
    cluster_name: String,
    /// UID of the namespace kube-system, or what --cluster-uid of the controller says. Then the policy is
    /// for this cluster only, also where another one has its name
    #[arg(long, env = "SMR_CLUSTER_UID", value_name = "UID")]
    cluster_uid: Option<String>,
    /// The permissions boundary that every managed role must have. Repeatable: then the first boundary is for
    /// the first --path, the second for the second, and so on
    #[arg(
        long,
        env = "SMR_PERMISSIONS_BOUNDARY_ARN",
        value_name = "ARN",
        value_delimiter = ','
    )]
    permissions_boundary_arn: Vec<String>,
    /// Do without a boundary: then who holds the policy is in effect an administrator
    #[arg(long, conflicts_with = "permissions_boundary_arn")]
    without_boundary: bool,
    /// A policy that may be attached to managed roles, * stands for any characters (repeatable: each
    /// --allow-additional-policy of the controller)
    #[arg(long, value_name = "ARN", value_delimiter = ',')]
    additional_policy_arn: Vec<String>,
    /// An existing role, policy or instance profile that may be adopted with consent (repeatable)
    #[arg(long, value_name = "ARN", value_delimiter = ',')]
    adopt_arn: Vec<String>,
    /// A tag key that the controller may set, * stands for any characters (repeatable: each --allow-tag-key
    /// and the key of each --tag of the controller) [default: any]
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    tag_key: Vec<String>,
    /// Only what looking needs: for smr plan, and for objects in mode Observe
    #[arg(long)]
    read_only: bool,
    /// The policy's first, second, ... part, where it is too large to be one policy. All parts together are
    /// the policy: attach each of them to the controller's role
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=10))]
    part: Option<u8>,
    /// The controller's credentials come from EKS Pod Identity. --document trust takes this where
    /// nothing else is said
    #[arg(long, conflicts_with = "oidc_provider")]
    pod_identity: bool,
    /// The controller's credentials come from IRSA: the cluster's OIDC provider without https://
    #[arg(long, value_name = "HOST/PATH")]
    oidc_provider: Option<String>,
    /// For Pod Identity: the name of the EKS cluster, where only one may. A template needs it
    #[arg(long, value_name = "NAME", conflicts_with = "oidc_provider")]
    eks_cluster: Option<String>,
    /// The controller's ServiceAccount, which the trust policy names
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        default_value = "session-manager-role/session-manager-role"
    )]
    service_account: String,
    /// With --document scp, which needs it: the role of a controller, with its path; * stands for any
    /// characters (repeatable)
    #[arg(long, value_name = "ARN", value_delimiter = ',')]
    controller_role_arn: Vec<String>,
    #[command(flatten)]
    cap: CapArgs,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One document for AWS
    #[default]
    Json,
    /// A template of all that the controller needs in AWS
    Cloudformation,
}

/// One document of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// What the controller may do
    #[default]
    Policy,
    /// What the managed roles can do at most (their permissions boundary)
    Boundary,
    /// Who may be the controller: the trust policy of its role
    Trust,
    /// Keeps others off the tags that prove ownership (a service control policy)
    Scp,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let text = text(args)?;
    args.warn();
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// What is printed.
pub(super) fn text(args: &Args) -> Result<String, CliError> {
    if !args.controller_role_arn.is_empty() && args.document != Some(Kind::Scp) {
        return Err(flag(
            "--controller-role-arn",
            "only the SCP names controllers: add --document scp, or leave --controller-role-arn out",
        ));
    }
    args.refuse_cap_elsewhere()?;
    Ok(match args.format {
        Format::Json => args.one_document()?.to_pretty_json(),
        Format::Cloudformation => format!("{:#}", args.template()?),
    })
}

/// The document, where AWS takes one of its size.
fn fitting(document: Document, max: usize) -> Result<Document, CliError> {
    let size = document.size();
    if size > max {
        let problem = format!(
            "the document has {size} characters without white space, AWS takes {max}: give fewer of --path, --additional-policy-arn, --adopt-arn and --controller-role-arn, or shorter ones with *"
        );
        return Err(flag("--document", problem));
    }
    Ok(document)
}

impl Args {
    fn one_document(&self) -> Result<Document, CliError> {
        let kind = self.document.unwrap_or_default();
        for (name, is_given) in [
            ("--read-only", self.read_only),
            ("--part", self.part.is_some()),
        ] {
            if is_given && kind != Kind::Policy {
                return Err(flag(
                    name,
                    "goes with --document policy only: leave one of the two out",
                ));
            }
        }
        let (document, max) = match kind {
            Kind::Policy => return self.one_part(self.policy()?),
            Kind::Boundary => (self.cap()?, MANAGED_POLICY_MAX),
            Kind::Trust => (self.trust()?, TRUST_POLICY_MAX),
            Kind::Scp => (self.scp()?, SCP_MAX),
        };
        fitting(document, max)
    }

    fn template(&self) -> Result<serde_json::Value, CliError> {
        if self.document.is_some() {
            return Err(flag(
                "--document",
                "a template has the boundary, the policy and the trust policy: leave --document out, or --format cloudformation",
            ));
        }
        if self.read_only {
            return Err(flag(
                "--read-only",
                "a template is for the controller's own role, which writes: leave --read-only out, or --format cloudformation",
            ));
        }
        if self.part.is_some() {
            return Err(flag(
                "--part",
                "a template has all parts of the policy: leave --part out, or --format cloudformation",
            ));
        }
        let boundaries = self.boundaries()?;
        let boundary = match boundaries.as_slice() {
            [] => None,
            [bound] => {
                // Another account's, such as AWS's own, is there already.
                let arn = &bound.arn;
                let is_own = Arn::parse(arn).is_some_and(|arn| arn.account == self.account_id);
                let document = is_own.then(|| fitting(self.cap()?, MANAGED_POLICY_MAX));
                Some((arn.as_str(), document.transpose()?))
            }
            [_, _, ..] => {
                return Err(flag(
                    BOUNDARIES,
                    "a template makes one boundary, and several differ: print the documents one by one with --document",
                ));
            }
        };
        let trust = || fitting(self.trust()?, TRUST_POLICY_MAX);
        let trust = match (&self.oidc_provider, &self.eks_cluster, self.pod_identity) {
            (Some(_), ..) => Trust::Oidc(trust()?),
            (None, Some(eks_cluster), _) => Trust::PodIdentity {
                document: trust()?,
                eks_cluster,
                who: self.service_account()?,
            },
            (None, None, true) => {
                return Err(flag(
                    "--pod-identity",
                    "the association in a template names the EKS cluster: add --eks-cluster NAME",
                ));
            }
            (None, None, false) => Trust::Parameter,
        };
        Ok(cloudformation::template(&Stack {
            cluster: &self.cluster_name,
            policy: in_parts(self.policy()?)?,
            boundary,
            trust,
        }))
    }

    /// Says on standard error what doing without a boundary means.
    fn warn(&self) {
        let is_policy = matches!(self.document, None | Some(Kind::Policy)) && !self.read_only;
        if self.without_boundary && is_policy {
            eprintln!(
                "smr: without a permissions boundary, whoever holds this policy is in effect an administrator of account {}: \
                 they can write a policy that allows anything and attach it to a role below {}. \
                 'smr controller-policy --document boundary' prints a boundary.",
                self.account_id,
                self.path.join(", ")
            );
        }
    }

    fn account(&self) -> Result<Account, CliError> {
        let id = &self.account_id;
        if !is_account_id(id) {
            return Err(flag("--account-id", format!("'{id}' must be 12 digits")));
        }
        let partition: Partition =
            self.partition
                .parse()
                .map_err(|error: smr_core::account::AccountError| {
                    flag("--partition", error.to_string())
                })?;
        Ok(Account {
            id: id.clone(),
            partition,
        })
    }

    fn policy(&self) -> Result<Document, CliError> {
        let scope = Scope {
            account: self.account()?,
            paths: texts("--path", &forms::PATH, self.path.clone())?,
            cluster: cluster(self.cluster_name.clone())?,
            cluster_uid: (self.cluster_uid.clone())
                .map(|uid| checked_uid("--cluster-uid", uid))
                .transpose()?,
            boundaries: self.boundaries()?,
            tag_keys: self.tag_keys()?,
            additional: self.additional_policy_arn.clone(),
            adopt: self.adopt_arn.clone(),
        };
        if self.read_only {
            return Ok(policy::read_only(&scope));
        }
        self.check(&scope)?;
        Ok(policy::policy(&scope))
    }

    /// The boundary's document. What it leaves open is said on standard error.
    fn cap(&self) -> Result<Document, CliError> {
        let account = self.account()?;
        let cap = self.cap.checked(&account)?;
        if let Some(warning) = warning(&account, &cap) {
            eprintln!("smr: {warning}");
        }
        Ok(boundary(&account, &cap))
    }

    fn refuse_cap_elsewhere(&self) -> Result<(), CliError> {
        let has_boundary =
            self.document == Some(Kind::Boundary) || self.format == Format::Cloudformation;
        match self.cap.is_given().filter(|_| !has_boundary) {
            None => Ok(()),
            Some(name) => Err(flag(
                name,
                format!("narrows the boundary: add --document boundary, or leave {name} out"),
            )),
        }
    }

    fn tag_keys(&self) -> Result<Vec<String>, CliError> {
        texts("--tag-key", &forms::TAG_KEY_PATTERN, self.tag_key.clone())
    }

    fn check(&self, scope: &Scope) -> Result<(), CliError> {
        if scope.boundaries.is_empty() && !self.without_boundary {
            return Err(flag(
                BOUNDARIES,
                "is needed: without a boundary, who holds this policy is in effect an administrator. 'smr controller-policy --document boundary' prints one; --without-boundary does without",
            ));
        }
        if scope.paths.iter().any(|path| path == "/") {
            return Err(flag(
                "--path",
                "can't be /: everything in the account would count as managed, choose a path such as /session-manager/",
            ));
        }
        let managed = |arn: &str| {
            let path = Arn::parse(arn).map(|arn| arn.path).unwrap_or_default();
            scope.paths.iter().any(|below| path.starts_with(below))
        };
        if let Some(bound) = scope.boundaries.iter().find(|bound| managed(&bound.arn)) {
            return Err(flag(
                BOUNDARIES,
                format!(
                    "{} lies below a managed path, where the controller may change policies: create the boundary under another path",
                    bound.arn
                ),
            ));
        }
        for arn in &scope.additional {
            let is_policy = arn
                .split(':')
                .nth(5)
                .is_some_and(|resource| resource.starts_with("policy/"));
            if !is_policy {
                return Err(flag(
                    "--additional-policy-arn",
                    format!(
                        "'{arn}' is not the ARN of managed policies, such as arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"
                    ),
                ));
            }
        }
        for arn in &scope.adopt {
            let fits = Arn::parse(arn).is_some_and(|parsed| {
                ["role", "policy", "instance-profile"].contains(&parsed.kind)
                    && parsed.account == scope.account.id
            });
            if !fits || arn.contains('*') {
                return Err(flag(
                    "--adopt-arn",
                    format!(
                        "'{arn}' is not the full ARN of a role, policy or instance profile of account {}",
                        scope.account.id
                    ),
                ));
            }
            if scope.boundaries.len() > 1 && !managed(arn) {
                return Err(flag(
                    "--adopt-arn",
                    format!(
                        "{arn} lies below none of --path, so it is not known which of the boundaries it must have: add its path and its boundary"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn service_account(&self) -> Result<ServiceAccount<'_>, CliError> {
        let parts = self.service_account.split_once('/');
        match parts.filter(|(a, b)| !a.is_empty() && !b.is_empty()) {
            Some((namespace, name)) => Ok(ServiceAccount { namespace, name }),
            None => Err(flag(
                "--service-account",
                format!(
                    "'{}' must have the form NAMESPACE/NAME",
                    self.service_account
                ),
            )),
        }
    }

    fn trust(&self) -> Result<Document, CliError> {
        let account = self.account()?;
        let who = self.service_account()?;
        Ok(match &self.oidc_provider {
            Some(provider) => {
                let provider = provider
                    .trim_start_matches("https://")
                    .trim_end_matches('/');
                others::trust_irsa(&account, provider, &who)
            }
            None => others::trust_pod_identity(self.eks_cluster.as_deref(), &who),
        })
    }

    fn scp(&self) -> Result<Document, CliError> {
        if self.controller_role_arn.is_empty() {
            return Err(flag(
                "--controller-role-arn",
                format!(
                    "is needed: the SCP would keep the controllers off their own tags. Give the role of each controller, in each account, with its path, such as arn:{}:iam::{}:role/session-manager-role",
                    self.account()?.partition,
                    self.account_id
                ),
            ));
        }
        let is_role = |arn: &&String| Arn::parse(arn).is_some_and(|arn| arn.kind == "role");
        if let Some(arn) = self.controller_role_arn.iter().find(|arn| !is_role(arn)) {
            let problem = format!("'{arn}' is not the ARN of a role");
            return Err(flag("--controller-role-arn", problem));
        }
        Ok(others::scp(&self.controller_role_arn))
    }
}

#[cfg(test)]
mod tests;
