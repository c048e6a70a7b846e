//! All that an emulator holds, to be stored and to be loaded by another one: unlike a snapshot it
//! leaves nothing out. The store enters and leaves as values that serde writes; no IO.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::emulator::Emulator;
use crate::store::{Account, Policy, Profile, Role};

/// Everything, by account id. Settings, faults and the log of calls are not part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dump {
    /// How many unique ids have been given out.
    ids: u64,
    accounts: BTreeMap<String, AccountDump>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountDump {
    roles: Vec<Role>,
    policies: Vec<Policy>,
    profiles: Vec<Profile>,
}

impl AccountDump {
    fn of(account: &Account) -> Self {
        Self {
            roles: account.roles.values().map(|r| (**r).clone()).collect(),
            policies: account.policies.values().map(|p| (**p).clone()).collect(),
            profiles: account.profiles.values().map(|p| (**p).clone()).collect(),
        }
    }

    /// The account keeps its indexes of policy uses as roles are put.
    fn into_account(self) -> Account {
        let mut account = Account::default();
        (self.policies.into_iter()).for_each(|policy| account.put_policy(policy));
        (self.profiles.into_iter()).for_each(|profile| account.put_profile(profile));
        (self.roles.into_iter()).for_each(|role| account.put_role(role));
        account
    }
}

impl Emulator {
    /// What all accounts hold now, whatever the lag.
    pub fn dump(&self) -> Dump {
        let state = self.state();
        let accounts = state.history.current().iter();
        Dump {
            ids: self.ids().given(),
            accounts: accounts
                .map(|(id, account)| (id.clone(), AccountDump::of(account)))
                .collect(),
        }
    }

    /// Replaces what all accounts hold.
    pub fn load(&self, dump: Dump) {
        self.ids().skip(dump.ids);
        let accounts = dump.accounts.into_iter();
        let store = accounts
            .map(|(id, account)| (id, account.into_account()))
            .collect();
        self.state().history.write(store, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const POLICY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

    fn role() -> Role {
        Role {
            name: "Web".to_owned(),
            path: "/".to_owned(),
            id: "AROAEXAMPLE".to_owned(),
            arn: "arn:aws:iam::111122223333:role/Web".to_owned(),
            created: 1,
            trust: "{}".to_owned(),
            trusted_roles: [("arn".to_owned(), "id".to_owned())].into(),
            description: None,
            max_session: 3600,
            boundary: Some(POLICY.to_owned()),
            tags: vec![
                ("b".to_owned(), "1".to_owned()),
                ("a".to_owned(), "2".to_owned()),
            ],
            inline: [("name".to_owned(), "{}".to_owned())].into(),
            attached: [POLICY.to_owned()].into(),
            profiles: ["web".to_owned()].into(),
            last_used: Some(2),
        }
    }

    #[test]
    fn what_was_dumped_is_loaded_with_its_indexes_and_no_id_comes_again() {
        let (from, into) = (
            Emulator::new(Config::default()),
            Emulator::new(Config::default()),
        );
        let mut account = Account::default();
        account.put_role(role());
        let store = [("111122223333".to_owned(), account)].into_iter().collect();
        from.state().history.write(store, Instant::now());
        let first = from.ids().next("AROA");

        let stored = serde_json::to_value(from.dump()).unwrap();
        into.load(serde_json::from_value(stored.clone()).unwrap());
        assert_eq!(serde_json::to_value(into.dump()).unwrap(), stored);
        let state = into.state();
        let account = &state.history.current()["111122223333"];
        assert_eq!(account.attached_roles(POLICY).count(), 1);
        assert_eq!(account.bounded_roles(POLICY).count(), 1);
        assert_ne!(into.ids().next("AROA"), first);
    }
}
