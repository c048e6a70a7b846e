//! Carrying a plan out in a pass: steps in; the state after them, and how far it went, out. Does
//! network IO through the edge to AWS. Someone may pause the object between two stages.

use smr_api::Pause;
use smr_core::account::Account;
use smr_core::names::Names;
use smr_core::observed::Observed;
use smr_core::plan::Plan;
use smr_core::refusal::Failed;
use smr_core::step::Step;
use smr_core::writes::IamName;
use tracing::debug;

use super::{Context, Pass, PassError};
use crate::controller::queue::Priority;
use smr_iam::Iam;

/// How far a plan was carried out.
pub(super) enum Applied {
    Whole,
    /// Up to the stage of these; there is at least one.
    Failed(Vec<Failed>),
    /// Up to where someone paused the object.
    Paused,
}

impl Applied {
    /// The steps that failed.
    pub(super) fn failed(&self) -> &[Failed] {
        match self {
            Self::Failed(failed) => failed,
            Self::Whole | Self::Paused => &[],
        }
    }

    /// An error where someone paused the object meanwhile.
    pub(super) fn or_paused(&self) -> Result<(), PassError> {
        match self {
            Self::Whole | Self::Failed(_) => Ok(()),
            Self::Paused => Err(PassError::Paused),
        }
    }
}

impl Pass<'_> {
    /// Carries a plan out on `state`. Objects that wait for a name that it frees get a pass. Between
    /// its stages someone may pause the object.
    pub(super) async fn apply(
        &mut self,
        iam: &Iam,
        account: &Account,
        names: &Names,
        plan: &Plan,
        state: &mut Observed,
    ) -> Applied {
        let recent = &self.context.recent;
        for steps in &plan.stages {
            let newest = self.context.store.get(&self.object.key());
            if newest.is_some_and(|o| o.uid() == self.object.uid() && o.pause() != Pause::No) {
                return Applied::Paused;
            }
            let applied = (iam.apply_stage(account, names, steps, state, recent)).await;
            if steps.iter().any(Step::frees_a_name) {
                self.context.wake_those_waiting_for(names);
            }
            if let Err(failed) = applied {
                for failed in &failed {
                    let action = failed.step.action();
                    debug!(failure = %failed.failure, decision = ?failed.decision, action, "a step failed");
                }
                return Applied::Failed(failed);
            }
        }
        Applied::Whole
    }
}

impl Context {
    /// Something else held a name of these objects and holds it no longer.
    fn wake_those_waiting_for(&self, freed: &Names) {
        let freed = IamName::all_of(freed);
        for object in self.store.waiting_for_a_name() {
            let (subject, spec) = (object.subject(), object.spec.as_ref().ok());
            let names = Names::resolve(&subject, spec, object.written_status(), &self.limits, None);
            if IamName::all_of(&names)
                .iter()
                .any(|name| freed.contains(name))
            {
                debug!(owner = subject.owner(), "a name that it waits for is free");
                self.metrics.queue_added();
                self.queue.add(object.key(), Priority::Edit);
            }
        }
    }
}
