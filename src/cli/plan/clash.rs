//! Manifests that ask for one name in IAM: the entries of a plan in, those that can't have the name refused,
//! out. No IO.

use std::collections::BTreeMap;

use super::super::clashes::{WayOut, clashes};
use super::super::load::Placed;
use super::entry::{Action, Entry, Verdict};
use smr_manifest::schema::Problem;

/// Two manifests that ask for one name in IAM can't both have it. The one that has it keeps its plan;
/// those that would be created are refused, as all are where nobody can be said to have it.
pub(super) fn refused(mut entries: Vec<Entry>) -> Vec<Entry> {
    let lives = |entry: &Entry| match &entry.verdict {
        Verdict::Planned(outlook) => !matches!(
            outlook.action,
            None | Some(Action::Delete | Action::Release)
        ),
        Verdict::Invalid(_) | Verdict::Paused | Verdict::WrongAccount { .. } => false,
    };
    let asks = entries.iter().enumerate().filter_map(|(index, entry)| {
        let Verdict::Planned(outlook) = &entry.verdict else {
            return None;
        };
        Some((index, outlook.wanted.as_deref()?)).filter(|_| lives(entry))
    });
    let clashes = clashes(asks);
    let has_it = |index: usize| matches!(entries[index].action(), Action::None | Action::Change);
    let other = |index: usize| {
        let Entry { key, place, .. } = &entries[index];
        (key.clone(), place.clone())
    };
    let mut problems: BTreeMap<usize, Vec<Placed>> = BTreeMap::new();
    let mut notes: Vec<(usize, String)> = Vec::new();
    for clash in clashes {
        let have_it = clash.indices().filter(|index| has_it(*index)).count();
        for holder in clash.holders() {
            let index = holder.index;
            let is_had_by_another = have_it > usize::from(has_it(index));
            let way_out = match (has_it(index), is_had_by_another) {
                (false, false) => WayOut::Rename,
                (false, true) => WayOut::RenameThis,
                (true, true) => WayOut::Recreate,
                (true, false) => {
                    notes.push((index, clash.problem(holder, other, WayOut::RenameOthers)));
                    continue;
                }
            };
            // IAM was read and says so already.
            if entries[index].action().is_wrong() {
                continue;
            }
            problems.entry(index).or_default().push(Placed {
                place: entries[index].place.clone(),
                problem: Problem {
                    field: clash.field().to_owned(),
                    message: clash.problem(holder, other, way_out),
                },
            });
        }
    }
    for (index, note) in notes {
        entries[index].notes.push(note);
    }
    for (index, problems) in problems {
        entries[index].verdict = Verdict::Invalid(problems);
    }
    entries
}
