//! One object as the oracle knows it: what the API server holds enters, specs and how long IAM has been as
//! they say leave. No IO.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use iam_emulator::Snapshot;
use serde_json::Value;
use smr_api::{PAUSED_ANNOTATION, SessionManagerRoleSpec};

use super::OwnedName;
use super::calls::{own_names, tags};
use super::wanted::{Account, read, wanted};
use crate::asked::{Asked, Subject};

/// Older generations are of no interest to anybody.
const GENERATIONS: usize = 4;

/// Whether something is so, such as that IAM is as a spec says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Matched {
    /// It never was.
    #[default]
    Never,
    /// It is now.
    Now,
    /// It was until then.
    Until(Duration),
}

impl Matched {
    fn looked_at(self, now: Duration, is: bool) -> Self {
        match self {
            _ if is => Self::Now,
            Self::Now => Self::Until(now),
            before => before,
        }
    }

    /// How long ago it was so, if ever.
    fn ago(self, now: Duration) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Now => Some(Duration::ZERO),
            Self::Until(at) => Some(now.saturating_sub(at)),
        }
    }
}

/// One object.
#[derive(Clone, Debug)]
pub struct Known {
    /// Which.
    pub subject: Subject,
    /// The version that the API server holds.
    pub version: String,
    /// The generation that the API server holds.
    pub generation: i64,
    /// Whether the API server still has it.
    pub is_there: bool,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Its status.
    pub status: Value,
    /// What it asked for, by generation, and how IAM is beside it.
    specs: BTreeMap<i64, (Asked, Matched)>,
    /// Whether something that is not its own has one of its names.
    others: Matched,
    /// Since when IAM is not as it says now.
    pub differs_since: Option<Duration>,
    /// Since when its spec and its pause are as they are.
    pub steady_since: Duration,
}

impl Known {
    /// Reads what the API server holds.
    pub fn read(role: &Value, partition: &'static str, now: Duration) -> Result<Self, String> {
        let metadata = &role["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default();
        let subject = Subject::new(text("namespace"), text("name"), text("uid"));
        let spec: SessionManagerRoleSpec = serde_json::from_value(role["spec"].clone())
            .map_err(|error| format!("{} has no spec: {error}", subject.owner()))?;
        let generation = metadata["generation"].as_i64().unwrap_or_default();
        let asked = Asked {
            partition,
            subject: subject.clone(),
            spec,
        };
        Ok(Self {
            subject,
            version: text("resourceVersion").to_owned(),
            generation,
            is_there: true,
            is_deleting: !metadata["deletionTimestamp"].is_null(),
            is_paused: !metadata["annotations"][PAUSED_ANNOTATION].is_null(),
            status: role["status"].clone(),
            specs: BTreeMap::from([(generation, (asked, Matched::Never))]),
            others: Matched::Never,
            differs_since: None,
            steady_since: now,
        })
    }

    /// Takes over what is new.
    pub fn update(&mut self, read: Self) {
        let differs_since = self
            .differs_since
            .filter(|_| self.generation == read.generation);
        let is_same = self.generation == read.generation && self.is_paused == read.is_paused;
        let steady_since = if is_same {
            self.steady_since
        } else {
            read.steady_since
        };
        let mut specs = std::mem::take(&mut self.specs);
        for (generation, spec) in read.specs {
            specs.entry(generation).or_insert(spec);
        }
        while specs.len() > GENERATIONS {
            specs.pop_first();
        }
        *self = Self {
            specs,
            others: self.others,
            differs_since,
            steady_since,
            ..read
        };
    }

    /// What it asks for now.
    pub fn asked(&self) -> Option<&Asked> {
        self.specs.get(&self.generation).map(|(asked, _)| asked)
    }

    /// What it asked for lately.
    pub fn all_asked(&self) -> impl Iterator<Item = &Asked> {
        self.specs.values().map(|(asked, _)| asked)
    }

    /// Whether one of its objects in IAM would have this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.all_asked()
            .any(|asked| asked.names().iter().any(|own| own == name))
    }

    /// Whether IAM is as it says, and since when not.
    pub fn compare(&mut self, now: Duration, iam: &Snapshot) {
        for (asked, matched) in self.specs.values_mut() {
            let is = read(asked, iam).map(Account::stamped) == Some(wanted(asked, iam));
            *matched = matched.looked_at(now, is);
        }
        let held_by_others = (self.names().iter())
            .any(|name| tags(iam, name).is_some_and(|tags| !self.subject.is_stamped(tags)));
        self.others = self.others.looked_at(now, held_by_others);
        let is = self
            .specs
            .get(&self.generation)
            .is_some_and(|(_, is)| *is == Matched::Now);
        self.differs_since = if is {
            None
        } else {
            self.differs_since.or(Some(now))
        };
    }

    /// Whether nothing may be written to IAM for it.
    pub fn is_left_alone(&self) -> bool {
        let mode = self.asked().and_then(|asked| asked.spec.mode);
        self.is_paused || mode == Some(smr_api::Mode::Observe)
    }

    /// Whether IAM is as it says now.
    pub fn is_as_asked(&self) -> bool {
        self.differs_since.is_none()
    }

    /// How long ago IAM was as this generation says, if ever; `None` where the generation is not known.
    pub fn matched(&self, generation: i64, now: Duration) -> Option<Option<Duration>> {
        Some(self.specs.get(&generation)?.1.ago(now))
    }

    /// How long ago something that is not its own had one of its names, if ever.
    pub fn held_by_others(&self, now: Duration) -> Option<Duration> {
        self.others.ago(now)
    }

    /// The three names in IAM that it asks for, or asked for lately.
    fn names(&self) -> BTreeSet<OwnedName> {
        self.all_asked().flat_map(own_names).collect()
    }

    /// A condition's status and reason.
    pub fn condition(&self, type_: &str) -> Option<(&str, &str)> {
        condition(&self.status, type_)
    }
}

/// A condition's status and reason in a status.
pub fn condition<'a>(status: &'a Value, type_: &str) -> Option<(&'a str, &'a str)> {
    let conditions = status["conditions"].as_array()?;
    let found = conditions.iter().find(|c| c["type"] == type_)?;
    Some((found["status"].as_str()?, found["reason"].as_str()?))
}
