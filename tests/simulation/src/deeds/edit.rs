//! Changes of a policy document: one change and a text in, another text out. No IO.

use serde_json::{Value, json};

use crate::asked::ACCOUNT;

/// A change of a document.
#[derive(Clone, Copy, Debug)]
pub enum Edit {
    /// One more action.
    AddAction,
    /// One action less.
    DropAction,
    /// One more statement.
    AddStatement,
    /// A statement that denies.
    AddDeny,
    /// One statement less.
    DropStatement,
    /// Other resources.
    Resource,
    /// One more condition.
    AddCondition,
    /// No condition.
    DropCondition,
    /// Another condition.
    Condition,
    /// Another principal.
    Principal,
    /// Order, and scalars for lists: the same meaning.
    Reorder,
    /// Another document.
    Replace,
}

/// What is done to a policy.
pub(super) const DOCUMENT: [Edit; 11] = [
    Edit::AddAction,
    Edit::DropAction,
    Edit::AddStatement,
    Edit::AddDeny,
    Edit::DropStatement,
    Edit::Resource,
    Edit::AddCondition,
    Edit::DropCondition,
    Edit::Condition,
    Edit::Reorder,
    Edit::Replace,
];
/// What is done to a trust policy.
pub(super) const TRUST: [Edit; 8] = [
    Edit::AddAction,
    Edit::AddStatement,
    Edit::AddCondition,
    Edit::DropCondition,
    Edit::Condition,
    Edit::Principal,
    Edit::Reorder,
    Edit::Replace,
];

impl Edit {
    /// A document changed so, with an action or a statement of the kind that it takes.
    pub(super) fn on(self, text: &str, action: &str, statement: &Value) -> String {
        let mut document: Value = serde_json::from_str(text).unwrap();
        if document["Statement"].is_object() {
            document["Statement"] = json!([document["Statement"]]);
        }
        let statements = document["Statement"].as_array_mut().unwrap();
        let last = statements.last_mut().unwrap();
        match self {
            Self::AddAction | Self::DropAction => {
                let mut actions = match &last["Action"] {
                    Value::Array(many) => many.clone(),
                    one => vec![one.clone()],
                };
                if matches!(self, Self::AddAction) {
                    actions.push(action.into());
                } else if actions.len() > 1 {
                    actions.pop();
                } else {
                    actions = vec![action.into()];
                }
                last["Action"] = actions.into();
            }
            Self::AddStatement => statements.push(statement.clone()),
            Self::AddDeny => {
                let mut deny = last.clone();
                deny["Effect"] = "Deny".into();
                statements.insert(0, deny);
            }
            Self::DropStatement => {
                statements.remove(0);
            }
            Self::Resource => last["Resource"] = json!(["arn:aws:s3:::elsewhere/*", "*"]),
            Self::AddCondition => {
                last["Condition"]["Bool"] = json!({"aws:SecureTransport": "true"});
            }
            Self::DropCondition => {
                last.as_object_mut().unwrap().remove("Condition");
            }
            Self::Condition => {
                last["Condition"] = json!({"StringEquals": {"aws:SourceAccount": "999900001111"}});
            }
            Self::Principal => last["Principal"] = json!({"AWS": ACCOUNT}),
            Self::Reorder => {
                statements.reverse();
                for statement in statements {
                    if let Value::Array(actions) = &mut statement["Action"] {
                        actions.reverse();
                        if actions.len() == 1 {
                            statement["Action"] = actions[0].clone();
                        }
                    }
                }
            }
            Self::Replace => document["Statement"] = statement.clone(),
        }
        document.to_string()
    }
}
