//! The objects as the controller last saw them. In: watch events and answers to own writes; out: the
//! newest reading of an object. No IO.

mod object;
mod packed;
mod store;

#[cfg(test)]
pub(super) use object::tests::object as object_from;
pub use object::{Object, Trigger};
pub use store::{Change, Store};
