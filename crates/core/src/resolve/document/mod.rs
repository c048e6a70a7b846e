//! IAM policy documents as values. In: a validated spec; out: the role's policy, its trust policy
//! and the counterparts that lie outside IAM. No IO.

mod counterparts;
mod policy;
mod trust;

use std::borrow::Cow;
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
    /// The statements, in order.
    pub statements: Vec<Statement>,
}

/// One statement. Those of managed roles only allow and have no Sid, as on AWS's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    #[serde(rename = "Sid", skip_serializing_if = "Option::is_none")]
    sid: Option<Cow<'static, str>>,
    #[serde(rename = "Effect")]
    effect: Effect,
    /// Who; only in trust policies and counterparts.
    #[serde(rename = "Principal", skip_serializing_if = "Option::is_none")]
    principal: Option<Principal>,
    /// Such as `ssm:UpdateInstanceInformation`.
    #[serde(rename = "Action")]
    actions: Vec<String>,
    #[serde(rename = "Resource", skip_serializing_if = "Resources::is_empty")]
    resources: Resources,
    /// All must hold.
    #[serde(rename = "Condition", skip_serializing_if = "Conditions::is_empty")]
    conditions: Conditions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Effect {
    Allow,
    Deny,
}

/// ARNs or `*`; empty only in trust policies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Resources {
    values: Vec<String>,
    /// Whether one of them is a list, too. AWS's page writes it without.
    is_list: bool,
}

impl Resources {
    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl Serialize for Resources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.values.as_slice() {
            [one] if !self.is_list => serializer.serialize_str(one),
            values => values.serialize(serializer),
        }
    }
}

/// Who a statement speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Principal {
    /// A service, such as `ec2.amazonaws.com`.
    Service(String),
    /// A role's ARN.
    #[serde(rename = "AWS")]
    Aws(String),
    /// The ARN of an identity provider.
    Federated(String),
}

impl Statement {
    /// Allows `actions` on `resources`.
    pub fn allow<A: Into<String>, R: Into<String>>(
        actions: impl IntoIterator<Item = A>,
        resources: impl IntoIterator<Item = R>,
    ) -> Self {
        Self {
            sid: None,
            effect: Effect::Allow,
            principal: None,
            actions: actions.into_iter().map(Into::into).collect(),
            resources: Resources {
                values: resources.into_iter().map(Into::into).collect(),
                is_list: false,
            },
            conditions: Conditions::new(),
        }
    }

    /// Denies `actions` on `resources`.
    pub fn deny<A: Into<String>, R: Into<String>>(
        actions: impl IntoIterator<Item = A>,
        resources: impl IntoIterator<Item = R>,
    ) -> Self {
        Self {
            effect: Effect::Deny,
            ..Self::allow(actions, resources)
        }
    }

    /// The same with a name, unique in its document.
    #[must_use]
    pub fn sid(mut self, sid: impl Into<Cow<'static, str>>) -> Self {
        self.sid = Some(sid.into());
        self
    }

    /// The same, with its resources as a list even where there is one.
    #[must_use]
    pub fn with_list(mut self) -> Self {
        self.resources.is_list = true;
        self
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

    /// The same, laid out for people.
    pub fn to_pretty_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Its size as IAM counts it: in characters, without white space.
    pub fn size(&self) -> usize {
        let text = self.to_json();
        text.chars().filter(|c| !c.is_whitespace()).count()
    }
}

/// JSON text of a value made of strings and lists, which can't fail to serialize.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
