//! Faults that are put into the program on purpose, to see that the suites catch them. Values only; no IO.

/// One fault: a text in one file of the program, and what it becomes.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// What it is called.
    pub name: &'static str,
    /// Where, from the root of the repository.
    pub file: &'static str,
    /// What stands there, once.
    pub from: &'static str,
    /// What it becomes.
    pub to: &'static str,
}

const fn bug(name: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Bug {
    Bug {
        name,
        file,
        from,
        to,
    }
}

/// All of them.
pub const BUGS: [Bug; 20] = [
    bug(
        "every object of the name is taken for ours",
        "crates/core/src/ownership.rs",
        "if names_us(identity, tags) && (this_object || as_recorded) {",
        "if this_object || as_recorded || !as_recorded {",
    ),
    bug(
        "a deletion does not ask whose it is",
        "crates/core/src/deletion/mod.rs",
        "matches!(standing, Ownership::Ours(_))",
        "matches!(standing, Ownership::Ours(_) | Ownership::NotOurs(_))",
    ),
    bug(
        "the policy of the former type goes at once",
        "crates/core/src/plan/policy.rs",
        "Some(since) if in_place && since >= POLICY_OVERLAP => {",
        "_ if in_place || !in_place => {",
    ),
    bug(
        "no version makes room for another",
        "crates/core/src/plan/policy.rs",
        "if found.versions.len() >= VERSIONS_MAX",
        "if found.versions.len() > VERSIONS_MAX",
    ),
    bug(
        "a refused write counts as a write",
        "crates/iam/src/write.rs",
        "Err(failure) => refused.push((step, failure)),",
        "Err(failure) => { answered.took_effect(step, &Reply::Done); refused.push((step, failure)); }",
    ),
    bug(
        "a conflict after a detach is for a person",
        "crates/core/src/refusal.rs",
        "FailureClass::InUse => matches!(write, Write::Removed | Write::NewDefault),",
        "FailureClass::InUse => matches!(write, Write::NewDefault) && false,",
    ),
    bug(
        "an earlier incarnation is taken for somebody else's",
        "crates/core/src/recent/reading.rs",
        "(_, Some(read)) => former.iter().flatten().any(|f| f.id() == read.id()),",
        "(_, Some(_)) => false,",
    ),
    bug(
        "stale parts prove that IAM matches",
        "crates/core/src/decide/mod.rs",
        "if self.seen.stale_parts && !self.known.is_published() {",
        "if false {",
    ),
    bug(
        "stale parts prove that the new policy is in place",
        "crates/core/src/decide/known.rs",
        "        if seen.stale_parts {\n            return None;\n        }\n",
        "        let _ = seen;\n",
    ),
    bug(
        "a status goes to whatever object has the name",
        "src/controller/publish/cluster.rs",
        "                \"resourceVersion\": object.metadata.resource_version,\n            },\n            \"status\": status,",
        "            },\n            \"status\": status,",
    ),
    bug(
        "a replica that leads no more writes to IAM",
        "crates/iam/src/gate.rs",
        "!self.stopping.is_cancelled() && self.may_write.may_write(ATTEMPT_TIMEOUT)",
        "!self.stopping.is_cancelled()",
    ),
    bug(
        "the Lease is given back with a write in flight",
        "src/controller/run.rs",
        "let quiet = drained && gate.writes_in_flight() == 0;",
        "let quiet = drained || !drained;",
    ),
    bug(
        "work in flight is not waited for",
        "src/controller/run.rs",
        "const DRAIN: Duration = Duration::from_secs(7);",
        "const DRAIN: Duration = Duration::ZERO;",
    ),
    bug(
        "the budget is not waited for",
        "crates/iam/src/gate.rs",
        "let _token = budget.acquire(self.priority, &self.namespace).await;",
        "let _token = tokio::time::timeout(Duration::ZERO, budget.acquire(self.priority, &self.namespace)).await;",
    ),
    bug(
        "a status is written at every pass",
        "src/controller/publish/mod.rs",
        "if before != Some(&status) {\n            let known",
        "if before.is_some() || before.is_none() {\n            let known",
    ),
    bug(
        "mode Observe writes",
        "crates/core/src/decide/mod.rs",
        "Ok(planned) if goal.valid.mode == Mode::Observe => Decision::End(round.observed(planned)),",
        "Ok(planned) if goal.valid.mode == Mode::Observe && planned.plan.is_empty() => Decision::End(round.observed(planned)),",
    ),
    bug(
        "what a sweep finds gets no pass",
        "src/controller/sweep.rs",
        "            self.ask([key], Priority::Repair);\n        }\n        why.is_none()",
        "        }\n        why.is_none()",
    ),
    bug(
        "the finalizer goes before what is in IAM",
        "src/controller/pass/delete.rs",
        "Some(first) => Ok(Round::End(self.failed(first, first.decision).await?)),",
        "Some(_) => { self.release().await?; Ok(Round::End(Requeue::OnChange)) }",
    ),
    bug(
        "the owner's uid is never stamped",
        "crates/core/src/plan/tags.rs",
        "    let mut set = to_set(kind, wanted, found, findings);\n",
        "    let mut set = to_set(kind, wanted, found, findings);\n    set.remove(crate::ownership::UID);\n",
    ),
    bug(
        "a pass that fails is not tried again",
        "src/controller/pass/mod.rs",
        "            Requeue::BackOff => PassResult::after(state.back_off(), Priority::Repair),",
        "            Requeue::BackOff => PassResult::AWAIT_CHANGE,",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A fault that does not fit the program any more would show nothing.
    #[test]
    fn each_fits_the_program() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        for bug in BUGS {
            let text = std::fs::read_to_string(format!("{root}/{}", bug.file)).unwrap();
            assert_eq!(
                text.matches(bug.from).count(),
                1,
                "{}: {}",
                bug.name,
                bug.file
            );
            assert_ne!(bug.from, bug.to);
        }
    }
}
