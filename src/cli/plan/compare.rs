//! `--from`: two sets of manifests in, what changes between them out. Reads files only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value as Json;
use smr_api::Mode;
use smr_core::account::Account;
use smr_core::deletion::Usage;
use smr_core::limits::Limits;
use smr_core::observed::Observed;
use smr_core::plan::Recorded;
use smr_core::ports::Clock as _;
use smr_core::preview::converged;
use smr_core::resolve::Resolved;

use super::super::CliError;
use super::super::load::{self, LoadError, Loaded, Namespace};
use super::super::manifests::{self, Given};
use super::entry::{self, Entry, Sound, UID_TO_BE};
use super::{Report, Task, clash, rename};
use crate::clock::SystemClock;
use smr_api::Key;

/// What applying the new manifests over the old ones does, where the old ones have converged.
pub(super) fn plan(task: Task, old: PathBuf) -> Result<Report, CliError> {
    let account = task.account.given_or_any()?;
    let namespace = Namespace::of_flag(task.namespace.as_deref())?;
    let old = manifests::read(&[old], Given::AsApplied).map_err(LoadError::from)?;
    let mut new = task.manifests;
    let mut notes = super::account_note(&account);
    if old.documents.is_empty() {
        new = new.or_none().map_err(LoadError::from)?;
        notes.push(format!(
            "there is no SessionManagerRole in {} (--from): every object is shown as new",
            old.places
        ));
    }
    // What contradicts the flag was not applied with it.
    let earlier_namespace = Namespace::Default(namespace.name());
    let mut before: BTreeMap<Key, Loaded> = BTreeMap::new();
    for loaded in load::check(old.documents, earlier_namespace, |_| None)? {
        before.entry(loaded.key.clone()).or_insert(loaded);
    }
    let earlier = |key: &Key| -> Option<Json> {
        before
            .get(key)?
            .object
            .as_ref()
            .ok()
            .map(|checked| checked.json.clone())
    };
    let after = load::check(new.documents, namespace, earlier)?;
    let mut entries = Vec::new();
    for loaded in after {
        let former = before.remove(&loaded.key);
        entries.push(changed(former, loaded, &account, &task.limits));
    }
    // What is left was there and is not any more.
    entries.extend(
        before
            .into_values()
            .map(|former| removed(former, &account, &task.limits)),
    );
    Ok(Report {
        mode: super::Mode::From,
        notes,
        account: Some(account),
        renames: rename::all(&entries, &task.limits.cluster.name),
        cluster: task.limits.cluster.name,
        entries: clash::refused(entries),
        skipped: new.skipped,
    })
}

fn changed(former: Option<Loaded>, loaded: Loaded, account: &Account, limits: &Limits) -> Entry {
    let Some(former) = former else {
        return entry::on_empty_account(loaded, account, limits);
    };
    let former = sound_and_wanted(former, account, limits);
    let sound = match entry::sound(loaded) {
        Ok(sound) => sound,
        Err(entry) => return *entry,
    };
    let wanted = match sound.resolve(UID_TO_BE, None, account, limits, None) {
        Ok(wanted) => wanted,
        Err(entry) => return *entry,
    };
    let Ok((_, was)) = former else {
        let mut entry = sound.entry(entry::outlook(
            &wanted,
            &Observed::default(),
            &Recorded::default(),
        ));
        entry.notes.push(
            "the manifest before was not valid or paused: shown as if it were new".to_owned(),
        );
        return entry;
    };
    let (state, recorded) = converged(&was);
    sound.entry(entry::outlook(&wanted, &state, &recorded))
}

fn removed(former: Loaded, account: &Account, limits: &Limits) -> Entry {
    let (sound, was) = match sound_and_wanted(former, account, limits) {
        Ok(found) => found,
        Err(mut entry) => {
            // Nothing that is in force is wrong with it.
            entry.verdict = entry::Verdict::Planned(Box::default());
            entry.notes.push(
                "the manifest before was not valid or paused: what its removal does can't be told"
                    .to_owned(),
            );
            return *entry;
        }
    };
    if was.valid.mode == Mode::Observe {
        // It never wrote anything, and does not begin to at its end.
        return sound.entry(entry::release(&was));
    }
    let (state, recorded) = converged(&was);
    let users = Usage {
        role_in_profiles: state
            .instance_profile
            .iter()
            .map(|p| p.name.clone())
            .collect(),
        ..Usage::default()
    };
    let policy = was.valid.deletion_policy;
    let now = SystemClock::new().now();
    let outlook = entry::deletion(&was, &state, &recorded, &users, policy, now);
    sound.entry(outlook)
}

fn sound_and_wanted(
    loaded: Loaded,
    account: &Account,
    limits: &Limits,
) -> Result<(Sound, Resolved), Box<Entry>> {
    let sound = entry::sound(loaded)?;
    let wanted = sound.resolve(UID_TO_BE, None, account, limits, None)?;
    Ok((sound, wanted))
}
