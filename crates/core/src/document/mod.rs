//! IAM policy documents as values. In: a validated spec; out: the role's policy, its trust policy
//! and the counterparts that lie outside IAM. No IO.

mod counterparts;
mod policy;
mod trust;

use std::collections::BTreeMap;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

pub use counterparts::counterparts;
pub use policy::role_policy;
pub use trust::trust_policy;

/// Operator → condition key → values.
pub type Conditions = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// A policy document, version 2012-10-17.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The statements, in the order of AWS's page.
    pub statements: Vec<Statement>,
}

/// One statement that allows something; we never write a Deny.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    #[serde(rename = "Effect")]
    effect: Allow,
    /// Who; only in trust policies and counterparts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    /// Such as `ssm:UpdateInstanceInformation`.
    #[serde(rename = "Action")]
    pub actions: Vec<String>,
    /// ARNs or `*`; empty only in trust policies.
    #[serde(
        rename = "Resource",
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "one_or_many"
    )]
    pub resources: Vec<String>,
    /// All must hold.
    #[serde(rename = "Condition", skip_serializing_if = "Conditions::is_empty")]
    pub conditions: Conditions,
}

/// The only effect we write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
enum Allow {
    #[default]
    Allow,
}

/// Who a statement speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Principal {
    /// A service, such as `ec2.amazonaws.com`.
    Service(String),
    /// A role's ARN.
    #[serde(rename = "AWS")]
    Aws(String),
}

impl Statement {
    /// Allows `actions` on `resources`.
    pub fn allow<A: Into<String>, R: Into<String>>(
        actions: impl IntoIterator<Item = A>,
        resources: impl IntoIterator<Item = R>,
    ) -> Self {
        Self {
            actions: actions.into_iter().map(Into::into).collect(),
            resources: resources.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// The same, for this principal only.
    #[must_use]
    pub fn principal(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }

    /// The same, where the condition holds too.
    #[must_use]
    pub fn when<V: Into<String>>(
        mut self,
        operator: &str,
        key: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.conditions
            .entry(operator.to_owned())
            .or_default()
            .insert(key.to_owned(), values.into_iter().map(Into::into).collect());
        self
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("Document", 2)?;
        document.serialize_field("Version", "2012-10-17")?;
        document.serialize_field("Statement", &self.statements)?;
        document.end()
    }
}

impl Document {
    /// The JSON text that goes to IAM, without white space.
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

/// JSON text of a value made of strings and lists, which can't fail to serialize.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// One resource is written as AWS's page writes it: without a list.
fn one_or_many<S: Serializer>(values: &Vec<String>, serializer: S) -> Result<S::Ok, S::Error> {
    match values.as_slice() {
        [one] => serializer.serialize_str(one),
        _ => values.serialize(serializer),
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
