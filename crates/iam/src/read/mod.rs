//! Reads IAM: one object, or the account at once. In: names, or what is of interest; out: what IAM
//! holds. Does network IO; never writes.

mod account;
mod lists;
mod object;
mod paging;
mod usage;

pub use account::{BulkFilter, Cost, WholeAccount, with_own_document};
pub use lists::ListedAccount;
