//! Policy documents as this test understands them: what a statement allows, asked of single requests, and
//! the many texts in which the same can be written. Values only; no IO. Nothing of it is the product's.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// A document.
#[derive(Clone, Debug)]
pub struct Doc(pub Vec<Stmt>);

/// A statement. What is `None` is not written.
#[derive(Clone, Debug)]
pub struct Stmt {
    pub allows: bool,
    pub principal: Option<Part>,
    pub action: Part,
    pub resource: Option<Part>,
    pub conditions: Vec<Cond>,
}

/// `Action` or `NotAction`, and so on.
#[derive(Clone, Debug)]
pub struct Part {
    pub not: bool,
    pub values: Vec<&'static str>,
}

/// One test of the request's context.
#[derive(Clone, Debug)]
pub struct Cond {
    pub operator: &'static str,
    pub key: &'static str,
    pub values: Vec<&'static str>,
}

/// Someone asks for something.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub principal: &'static str,
    pub action: &'static str,
    pub resource: &'static str,
    /// The value of the key `k`, where the request has one.
    pub k: Option<&'static str>,
}

/// Every request that is asked.
pub fn requests() -> Vec<Request> {
    let mut all = Vec::new();
    for principal in ["AWS 111122223333", "AWS u", "Service ec2.amazonaws.com"] {
        for action in ["a:b", "a:c", "x:y"] {
            for resource in ["r/x", "r/Y", "q"] {
                for k in [None, Some("x"), Some("xy"), Some("true")] {
                    all.push(Request {
                        principal,
                        action,
                        resource,
                        k,
                    });
                }
            }
        }
    }
    all
}

impl Doc {
    /// Whether the document as a whole lets the request through.
    pub fn allows(&self, request: Request) -> bool {
        let says = |allows: bool| {
            let mut of_it = self.0.iter().filter(|s| s.allows == allows);
            of_it.any(|s| s.speaks_of(request))
        };
        says(true) && !says(false)
    }

    /// The document as a text: `pen` decides in which of the forms that mean the same.
    pub fn written(&self, pen: &mut Pen) -> String {
        let mut statements = Vec::new();
        for statement in &self.0 {
            // Two statements that share all but the action say what one says.
            let all = &statement.action.values;
            if !statement.action.not && all.len() > 1 && pen.one_in(3) {
                for part in [&all[..1], &all[1..]] {
                    let mut half = statement.clone();
                    half.action.values = part.to_vec();
                    statements.push(half.written(pen));
                }
            } else {
                statements.push(statement.written(pen));
            }
        }
        if let Some(first) = statements.first().cloned()
            && pen.one_in(6)
        {
            statements.push(first);
        }
        pen.shuffle(&mut statements);
        let statements = match statements.as_slice() {
            [one] if pen.one_in(2) => one.clone(),
            many => pen.list(many),
        };
        let mut members = vec![
            ("Version", r#""2012-10-17""#.to_owned()),
            ("Statement", statements),
        ];
        if pen.one_in(4) {
            members.push(("Id", r#""mine""#.to_owned()));
        }
        let text = pen.object(members);
        pen.spaced(&text)
    }
}

impl Stmt {
    fn retest(&mut self, others: &[Cond]) {
        for (own, other) in self.conditions.iter_mut().zip(others) {
            own.values.clone_from(&other.values);
        }
    }

    fn speaks_of(&self, request: Request) -> bool {
        let is_in = |part: &Option<Part>, value: &str| part.as_ref().is_none_or(|p| p.has(value));
        is_in(&self.principal, request.principal)
            && self.action.has(request.action)
            && is_in(&self.resource, request.resource)
            && self.conditions.iter().all(|c| c.holds(request.k))
    }

    fn written(&self, pen: &mut Pen) -> String {
        let effect = if self.allows { "Allow" } else { "Deny" };
        let mut members = vec![("Effect", format!("\"{effect}\""))];
        let name = |part: &Part, plain, negated| if part.not { negated } else { plain };
        if let Some(part) = &self.principal {
            let text = pen.principal(&part.values);
            members.push((name(part, "Principal", "NotPrincipal"), text));
        }
        let in_any_case: Vec<String> = (self.action.values.iter())
            .map(|action| pen.any_case(action))
            .collect();
        let actions = pen.values(&in_any_case);
        members.push((name(&self.action, "Action", "NotAction"), actions));
        if let Some(part) = &self.resource {
            let text = pen.values(&owned(&part.values));
            members.push((name(part, "Resource", "NotResource"), text));
        }
        if !self.conditions.is_empty() {
            let each = self.conditions.iter().map(|condition| {
                let values = pen.values(&owned(&condition.values));
                let key = pen.any_case(condition.key);
                (condition.operator, pen.object(vec![(key.as_str(), values)]))
            });
            let each = each.collect();
            members.push(("Condition", pen.object(each)));
        }
        if pen.one_in(3) {
            members.push(("Sid", r#""s1""#.to_owned()));
        }
        pen.object(members)
    }
}

impl Part {
    fn has(&self, value: &str) -> bool {
        self.values.iter().any(|pattern| glob(pattern, value)) != self.not
    }
}

impl Cond {
    fn holds(&self, found: Option<&str>) -> bool {
        let is_not = self.operator.contains("Not");
        let Some(found) = found else { return is_not };
        let is_met = |value: &&str| match self.operator {
            "StringLike" | "StringNotLike" | "ArnEquals" => glob(value, found),
            _ => *value == found,
        };
        self.values.iter().any(is_met) != is_not
    }
}

/// `*` and `?`, tried in every way: the texts of this test are short.
fn glob(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return text.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    let next = text.chars().next();
    let behind = next.map_or("", |c| &text[c.len_utf8()..]);
    match first {
        '*' => glob(rest, text) || next.is_some() && glob(pattern, behind),
        '?' => next.is_some() && glob(rest, behind),
        c => next == Some(c) && glob(rest, behind),
    }
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// Decides between forms that mean the same. The same number decides the same.
pub struct Pen(pub u64);

impl Pen {
    fn below(&mut self, n: usize) -> usize {
        // xorshift64*: not for anything but this.
        self.0 |= 1;
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    fn space(&mut self) -> &'static str {
        ["", "", "", " ", "\r\n", "\t"][self.below(6)]
    }

    fn spaced(&mut self, text: &str) -> String {
        format!("{}{text}{}", self.space(), self.space())
    }

    fn any_case(&mut self, text: &str) -> String {
        if self.one_in(3) {
            return text.to_ascii_uppercase();
        }
        text.to_owned()
    }

    /// A text, some of its characters as their number.
    fn text(&mut self, text: &str) -> String {
        if self.one_in(4) {
            let each = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
            return format!("\"{}\"", each.collect::<String>());
        }
        if text == "true" && self.one_in(2) {
            return text.to_owned();
        }
        serde_json::to_string(text).unwrap()
    }

    fn list(&mut self, items: &[String]) -> String {
        let mut text = "[".to_owned();
        for (at, item) in items.iter().enumerate() {
            text += if at == 0 { "" } else { "," };
            text += &self.spaced(item);
        }
        text + "]"
    }

    fn values(&mut self, values: &[String]) -> String {
        let mut texts: Vec<String> = values.iter().map(|v| self.text(v)).collect();
        if let [one] = texts.as_slice()
            && self.one_in(2)
        {
            return one.clone();
        }
        if let Some(first) = texts.first().cloned()
            && self.one_in(4)
        {
            texts.push(first);
        }
        self.shuffle(&mut texts);
        self.list(&texts)
    }

    fn principal(&mut self, values: &[&str]) -> String {
        if values == ["AWS *"] && self.one_in(2) {
            return r#""*""#.to_owned();
        }
        let mut members = Vec::new();
        for kind in ["AWS", "Service"] {
            let of_kind = values.iter().filter_map(|v| v.strip_prefix(kind));
            let each = of_kind.map(|id| match id.trim() {
                "111122223333" if self.one_in(2) => "arn:aws:iam::111122223333:root".to_owned(),
                id => id.to_owned(),
            });
            let each: Vec<String> = each.collect();
            if !each.is_empty() {
                members.push((kind, self.values(&each)));
            }
        }
        self.object(members)
    }

    fn object(&mut self, mut members: Vec<(&str, String)>) -> String {
        self.shuffle(&mut members);
        let mut text = "{".to_owned();
        for (at, (name, value)) in members.into_iter().enumerate() {
            text += if at == 0 { "" } else { "," };
            let name = format!("\"{name}\"");
            text += &self.spaced(&name);
            text.push(':');
            text += &self.spaced(&value);
        }
        text + "}"
    }
}

fn part(values: &'static [&'static str]) -> impl Strategy<Value = Part> {
    (prop::bool::weighted(0.15), subsequence(values, 1..=2))
        .prop_map(|(not, values)| Part { not, values })
}

fn conditions() -> impl Strategy<Value = Vec<Cond>> {
    let operators = &[
        "StringLike",
        "StringNotLike",
        "StringEquals",
        "StringNotEquals",
        "ArnEquals",
        "Bool",
    ];
    let one = (
        select(&operators[..]),
        subsequence(&["x", "x*", "xy", "*", "?y", "true"][..], 1..=2),
    );
    let one = one.prop_map(|(operator, values)| Cond {
        operator,
        key: "k",
        values,
    });
    prop::collection::vec(one, 0..=2).prop_map(|mut all| {
        // The same operator twice would be the same key twice.
        all.sort_by_key(|c| c.operator);
        all.dedup_by_key(|c| c.operator);
        all
    })
}

fn statement(of_trust: bool) -> impl Strategy<Value = Stmt> {
    let principal = part(&[
        "AWS *",
        "AWS 111122223333",
        "AWS u",
        "Service ec2.amazonaws.com",
    ]);
    let resource = part(&["r/x", "r/*", "r/Y", "*", "q"]);
    (
        prop::bool::weighted(0.75),
        principal,
        part(&["a:b", "a:c", "a:*", "*", "x:?"]),
        resource,
        conditions(),
    )
        .prop_map(
            move |(allows, principal, action, resource, conditions)| Stmt {
                allows,
                principal: of_trust.then_some(principal),
                action,
                resource: (!of_trust).then_some(resource),
                conditions,
            },
        )
}

/// Documents of a role's policies, or of its trust.
pub fn docs(of_trust: bool) -> impl Strategy<Value = Doc> {
    prop::collection::vec(statement(of_trust), 1..4).prop_map(Doc)
}

/// Two documents that differ here and there, so that they often nearly say the same.
pub fn neighbours(of_trust: bool) -> impl Strategy<Value = (Doc, Doc)> {
    let edit = (any::<prop::sample::Index>(), statement(of_trust), 0..10_u8);
    (docs(of_trust), edit).prop_map(|(doc, (at, other, edit))| {
        let mut next = doc.clone();
        let at = at.index(next.0.len());
        match edit {
            0 => next.0[at].allows = !next.0[at].allows,
            1 => next.0[at].conditions = other.conditions,
            2 => next.0[at].action = other.action,
            3 => next.0[at].resource = other.resource,
            4 => next.0[at].principal = other.principal,
            5 => drop(next.0.remove(at)),
            6 => next.0.push(other),
            // The same tests for other values: one may let more through, or less.
            7 | 8 => next.0[at].retest(&other.conditions),
            _ => next.0[at] = other,
        }
        (doc, next)
    })
}
