//! Manifests: text in, documents that know their lines out, and what the API server would refuse in
//! them. No IO, no client of Kubernetes or AWS: who reads files, or answers as an API server, calls it.

pub mod hints;
mod object;
mod ordered;
pub mod schema;
pub mod shown;
mod stream;
mod write;
pub mod yaml;

pub use object::check as check_object;
pub use ordered::Ordered;
pub use stream::documents;
pub use write::{WriteError, to_yaml};
