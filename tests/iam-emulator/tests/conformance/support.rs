//! What the rows are made of: a client, unique names, objects to start from. Does IO.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_iam::Client;
use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput;
use aws_sdk_iam::types::{EntityType, InstanceProfile, Policy, Role, Tag};

/// Why a row does not hold.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What a row comes to.
pub type Check = Result<(), Failure>;

/// One behaviour.
pub struct Row {
    /// A name for lists of deviations.
    pub id: &'static str,
    /// What AWS documents.
    pub says: &'static str,
    /// Where.
    pub source: &'static str,
    /// Whether it is so.
    pub check: fn(Aws) -> Pin<Box<dyn Future<Output = Check> + Send>>,
}

/// A table of rows: `"id": "What AWS says." @ "where" => |aws| { checks }`.
macro_rules! rows {
    ($($id:literal: $says:literal @ $source:literal => |$aws:ident| $body:block)*) => {
        pub const ROWS: &[crate::support::Row] = &[$(crate::support::Row {
            id: $id,
            says: $says,
            source: $source,
            check: |$aws| Box::pin(async move {
                $body
                Ok::<(), crate::support::Failure>(())
            }),
        }),*];
    };
}

/// Fails the row unless a condition holds.
macro_rules! hold {
    ($condition:expr) => {
        if !$condition {
            return Err(format!("not so: {}", stringify!($condition)).into());
        }
    };
}

/// Fails the row unless two values are the same.
macro_rules! same {
    ($left:expr, $right:expr) => {
        // A match, as temporaries live to its end.
        match (&$left, &$right) {
            (left, right) => {
                if left != right {
                    return Err(format!("{} is {left:?}, not {right:?}", stringify!($left)).into());
                }
            }
        }
    };
}

pub(crate) use {hold, rows, same};

/// EC2's trust.
pub const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// Another trust.
pub const SSM_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// A policy.
pub const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssmmessages:OpenDataChannel","ssm:UpdateInstanceInformation"],"Resource":"*"}]}"#;
/// Another policy.
pub const OTHER: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}"#;

/// A policy document of exactly so many characters, none of them white space.
pub fn document_of(size: usize) -> String {
    let (head, tail) = (
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::"#,
        r#""}]}"#,
    );
    format!("{head}{}{tail}", "b".repeat(size - head.len() - tail.len()))
}

/// A trust policy of exactly so many characters, none of them white space.
pub fn trust_of(size: usize) -> String {
    let (head, tail) = (
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":""#,
        r#""}}}]}"#,
    );
    format!("{head}{}{tail}", "1".repeat(size - head.len() - tail.len()))
}

/// The client of one row, and names that no other row has.
#[derive(Clone)]
pub struct Aws {
    /// IAM, without retries.
    pub iam: Client,
    /// STS, without retries.
    pub sts: aws_sdk_sts::Client,
    prefix: String,
}

impl Aws {
    /// A client for a row.
    pub async fn new(endpoint: &str, row: usize) -> Self {
        // Known for the whole run and new in the next: a stand-in may outlive both.
        static RUN: std::sync::OnceLock<u128> = std::sync::OnceLock::new();
        let run = RUN.get_or_init(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_millis()
                % 100_000_000
        });
        let config = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(
                "AKIACONFORMANCE00000",
                "s",
                None,
                None,
                "row",
            ))
            .retry_config(RetryConfig::disabled())
            .load()
            .await;
        Self {
            iam: Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            prefix: format!("c{run}.{row}"),
        }
    }

    /// A name of this row's own.
    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }

    /// A path of this row's own.
    pub fn path(&self) -> String {
        format!("/{}/", self.prefix)
    }

    /// A name of this row's own that is so long.
    pub fn long_name(&self, length: usize) -> String {
        format!("{:x<length$}", self.name(""))
    }

    /// Creates a role and says its name.
    pub async fn role(&self, what: &str) -> Result<String, Failure> {
        let name = self.name(what);
        self.create_role(&name).send().await?;
        Ok(name)
    }

    /// The start of a CreateRole.
    pub fn create_role(
        &self,
        name: &str,
    ) -> aws_sdk_iam::operation::create_role::builders::CreateRoleFluentBuilder {
        self.iam
            .create_role()
            .role_name(name)
            .assume_role_policy_document(TRUST)
    }

    /// Creates a policy and says its ARN.
    pub async fn policy(&self, what: &str) -> Result<String, Failure> {
        let answer = self.create_policy(&self.name(what)).send().await?;
        let policy = answer.policy.ok_or("no policy in the answer")?;
        Ok(policy.arn.ok_or("no ARN in the answer")?)
    }

    /// The start of a CreatePolicy.
    pub fn create_policy(
        &self,
        name: &str,
    ) -> aws_sdk_iam::operation::create_policy::builders::CreatePolicyFluentBuilder {
        self.iam
            .create_policy()
            .policy_name(name)
            .policy_document(DOCUMENT)
    }

    /// The start of a CreatePolicyVersion.
    pub fn create_version(
        &self,
        arn: &str,
    ) -> aws_sdk_iam::operation::create_policy_version::builders::CreatePolicyVersionFluentBuilder
    {
        self.iam
            .create_policy_version()
            .policy_arn(arn)
            .policy_document(OTHER)
    }

    /// Creates a profile and says its name.
    pub async fn profile(&self, what: &str) -> Result<String, Failure> {
        let name = self.name(what);
        self.iam
            .create_instance_profile()
            .instance_profile_name(&name)
            .send()
            .await?;
        Ok(name)
    }

    /// Creates a role inside a profile, both of one name, and says it.
    pub async fn role_in_profile(&self, what: &str) -> Result<String, Failure> {
        let name = self.role(what).await?;
        self.profile(what).await?;
        self.add(&name, &name).send().await?;
        Ok(name)
    }

    /// The start of an AddRoleToInstanceProfile.
    pub fn add(
        &self,
        role: &str,
        profile: &str,
    ) -> aws_sdk_iam::operation::add_role_to_instance_profile::builders::AddRoleToInstanceProfileFluentBuilder
    {
        self.iam
            .add_role_to_instance_profile()
            .role_name(role)
            .instance_profile_name(profile)
    }

    /// The start of an AttachRolePolicy.
    pub fn attach(
        &self,
        role: &str,
        arn: &str,
    ) -> aws_sdk_iam::operation::attach_role_policy::builders::AttachRolePolicyFluentBuilder {
        self.iam
            .attach_role_policy()
            .role_name(role)
            .policy_arn(arn)
    }

    /// Reads a role.
    pub async fn get_role(&self, name: &str) -> Result<Role, Failure> {
        let answer = self.iam.get_role().role_name(name).send().await?;
        Ok(answer.role.ok_or("no role in the answer")?)
    }

    /// Reads a policy.
    pub async fn get_policy(&self, arn: &str) -> Result<Policy, Failure> {
        let answer = self.iam.get_policy().policy_arn(arn).send().await?;
        Ok(answer.policy.ok_or("no policy in the answer")?)
    }

    /// Reads a profile.
    pub async fn get_profile(&self, name: &str) -> Result<InstanceProfile, Failure> {
        let answer = self
            .iam
            .get_instance_profile()
            .instance_profile_name(name)
            .send()
            .await?;
        Ok(answer.instance_profile.ok_or("no profile in the answer")?)
    }

    /// The names and ARNs attached to a role.
    pub async fn attached(&self, role: &str) -> Result<Vec<(String, String)>, Failure> {
        let answer = self
            .iam
            .list_attached_role_policies()
            .role_name(role)
            .send()
            .await?;
        let policies = answer.attached_policies.unwrap_or_default();
        Ok(policies
            .into_iter()
            .map(|p| {
                (
                    p.policy_name.unwrap_or_default(),
                    p.policy_arn.unwrap_or_default(),
                )
            })
            .collect())
    }

    /// Puts an inline policy.
    pub fn put(
        &self,
        role: &str,
        policy: &str,
    ) -> aws_sdk_iam::operation::put_role_policy::builders::PutRolePolicyFluentBuilder {
        self.iam
            .put_role_policy()
            .role_name(role)
            .policy_name(policy)
            .policy_document(DOCUMENT)
    }

    /// Every page of GetAccountAuthorizationDetails with a filter.
    pub async fn details(
        &self,
        filter: EntityType,
    ) -> Result<Vec<GetAccountAuthorizationDetailsOutput>, Failure> {
        let mut pages = Vec::new();
        let mut marker = None;
        loop {
            let page = self
                .iam
                .get_account_authorization_details()
                .filter(filter.clone())
                .max_items(1000)
                .set_marker(marker)
                .send()
                .await?;
            marker = page.marker().map(str::to_owned);
            pages.push(page);
            if marker.is_none() {
                return Ok(pages);
            }
        }
    }
}

/// A tag.
pub fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

/// So many different tags.
pub fn tags(count: usize) -> Vec<Tag> {
    (0..count)
        .map(|number| tag(&format!("key{number}"), "value"))
        .collect()
}

/// Tags as sorted pairs.
pub fn pairs(tags: &[Tag]) -> Vec<(&str, &str)> {
    let mut pairs: Vec<_> = tags.iter().map(|tag| (tag.key(), tag.value())).collect();
    pairs.sort_unstable();
    pairs
}

/// A document as IAM answers it, decoded and parsed.
pub fn parsed(document: Option<&str>) -> Result<serde_json::Value, Failure> {
    let document = document.ok_or("no document")?;
    let text = percent_encoding::percent_decode_str(document).decode_utf8()?;
    Ok(serde_json::from_str(&text)?)
}

/// The meaning of a document that the rows send.
pub fn json(document: &str) -> serde_json::Value {
    serde_json::from_str(document).unwrap()
}

/// Whether a document is percent-encoded as RFC 3986 has it: nothing but unreserved characters.
pub fn is_encoded(document: Option<&str>) -> bool {
    document.is_some_and(|document| {
        document.starts_with("%7B")
            && document
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._~%".contains(c))
    })
}

/// Fails the row unless the call is refused with this code and HTTP status.
pub fn refused<T, E>(
    answer: Result<T, SdkError<E, aws_sdk_iam::config::http::HttpResponse>>,
    status: u16,
    code: &str,
) -> Check
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    refused_as(answer, &[(status, code)])
}

/// Fails the row unless the call is refused with one of these statuses and codes.
pub fn refused_as<T, E>(
    answer: Result<T, SdkError<E, aws_sdk_iam::config::http::HttpResponse>>,
    expected: &[(u16, &str)],
) -> Check
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let Err(error) = answer else {
        return Err(format!("accepted, not {expected:?}").into());
    };
    let status = error
        .raw_response()
        .map(|raw| raw.status().as_u16())
        .unwrap_or_default();
    let code = error.code().unwrap_or_default();
    if expected.contains(&(status, code)) {
        return Ok(());
    }
    let error = in_words(&error);
    Err(format!("refused as {status} {code}, not {expected:?}: {error}").into())
}

/// `ValidationError`, which every parameter that the model forbids gets.
pub fn invalid<T, E>(
    answer: Result<T, SdkError<E, aws_sdk_iam::config::http::HttpResponse>>,
) -> Check
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    refused(answer, 400, "ValidationError")
}

/// An error and what caused it.
pub fn in_words(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        words = format!("{words}: {cause}");
        next = cause.source();
    }
    words
}
