//! What the deletion of one object did, over all of its passes. In: plans and what IAM held before
//! and after them; out: its events, each once. Values only; no IO.

use std::collections::BTreeSet;

use smr_api::Deed;
use smr_core::Tags;
use smr_core::account::Account;
use smr_core::names::Names;
use smr_core::observed::Observed;
use smr_core::ownership::UID;
use smr_core::plan::Plan;
use smr_core::refusal::Failed;
use smr_core::step::Step;
use smr_core::summary::Event;

/// What was done so far, and which events say so already.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Deletions {
    deleted: BTreeSet<String>,
    retained: BTreeSet<String>,
    not_ours: BTreeSet<String>,
    untouched: Option<Event>,
    published: Vec<Event>,
}

impl Deletions {
    /// A plan was carried out on `before`, which left `after`; `failed` of it did not succeed.
    pub fn carried_out(
        &mut self,
        plan: &Plan,
        (account, names): (&Account, &Names),
        (before, after): (&Observed, &Observed),
        failed: &[Failed],
    ) {
        for step in plan.steps() {
            // A call without an answer may have had its effect.
            let unanswered =
                (failed.iter()).any(|f| f.step == *step && f.failure.may_have_had_effect());
            let arn = step.arn(account, names);
            let (was, is) = (before.tags(step.kind()), after.tags(step.kind()));
            let owned = |tags: &Tags| tags.contains_key(UID);
            if matches!(step, Step::Untag { .. }) {
                if unanswered || (was.is_some_and(owned) && !is.is_some_and(owned)) {
                    self.retained.insert(arn);
                }
            } else if step.frees_a_name() && (unanswered || (was.is_some() && is.is_none())) {
                self.deleted.insert(arn);
            }
        }
    }

    /// What is still there in the end, and was not left there on purpose, is not ours.
    pub fn leaves(&mut self, left: &Observed) {
        let role = left.role.as_ref().map(|r| &r.arn);
        let policy = left.policy.as_ref().map(|p| &p.arn);
        let profile = left.instance_profile.as_ref().map(|p| &p.arn);
        let arns = [role, policy, profile].into_iter().flatten();
        self.not_ours = arns
            .filter(|arn| !self.retained.contains(*arn))
            .cloned()
            .collect();
    }

    /// Nothing is deleted, and this says so.
    pub fn leaves_as_it_is(&mut self, event: Event) {
        self.untouched = Some(event);
    }

    /// What was not published yet, and now is: a finalizer that could not be removed brings another
    /// pass, in which nothing is left to do.
    pub fn events(&mut self) -> Vec<Event> {
        let fresh: Vec<Event> = (self.all().into_iter())
            .filter(|event| !self.published.contains(event))
            .collect();
        self.published.extend(fresh.iter().cloned());
        fresh
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn all(&self) -> Vec<Event> {
        if let Some(untouched) = &self.untouched {
            return vec![untouched.clone()];
        }
        let list = |arns: &BTreeSet<String>| arns.iter().cloned().collect::<Vec<_>>().join(", ");
        let mut events = Vec::new();
        if !self.deleted.is_empty() {
            let note = format!("deleted {}", list(&self.deleted));
            events.push(Event::normal(Deed::Deleted, note));
        }
        if !self.retained.is_empty() {
            let note = format!("left in IAM without our tags: {}", list(&self.retained));
            events.push(Event::normal(Deed::Retained, note));
        }
        if !self.not_ours.is_empty() {
            let note = format!(
                "left as it is, for it is not ours: {}",
                list(&self.not_ours)
            );
            events.push(Event::normal(Deed::Released, note));
        } else if events.is_empty() {
            let note = "nothing in IAM is ours: nothing to delete";
            events.push(Event::normal(Deed::Released, note));
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use smr_core::account::Partition;
    use smr_core::names::ObjectRef;
    use smr_core::observed::ObservedPolicy;
    use smr_core::ownership::KEYS;
    use smr_core::step::Target;

    use super::*;

    #[test]
    fn what_loses_our_tags_on_purpose_is_retained() {
        let account = Account {
            id: "111122223333".to_owned(),
            partition: Partition::Aws,
        };
        let subject = ObjectRef {
            namespace: "team".to_owned(),
            name: "web".to_owned(),
            uid: "u".to_owned(),
        };
        let limits = smr_core::limits::Limits::new("test");
        let names = Names::resolve(&subject, None, None, &limits, None);
        let arn = names.policy_arn(&account);
        let tagged = |tags: Tags| Observed {
            policy: Some(ObservedPolicy {
                arn: arn.clone(),
                id: "ANPA".to_owned(),
                name: "team.web".to_owned(),
                tags,
                created: None,
                default_version: "v1".to_owned(),
                document: String::new(),
                versions: ["v1".to_owned()].into(),
            }),
            ..Observed::default()
        };
        let before = tagged([(UID.to_owned(), "u".to_owned())].into());
        let after = tagged(Tags::new());
        let keys = KEYS.map(str::to_owned).to_vec();
        let target = Target::Policy(arn.clone());
        let plan = Plan {
            stages: vec![vec![Step::Untag { target, keys }]],
        };
        let mut deletions = Deletions::default();
        deletions.carried_out(&plan, (&account, &names), (&before, &after), &[]);
        deletions.leaves(&after);
        let events: Vec<_> = deletions
            .events()
            .into_iter()
            .map(|event| event.note)
            .collect();
        assert_eq!(events, [format!("left in IAM without our tags: {arn}")]);
    }
}
