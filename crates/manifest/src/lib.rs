//! Manifests: text in, documents that know their lines out, and what the API server would refuse in
//! them. No IO, no client of Kubernetes or AWS: who reads files, or answers as an API server, calls it.

pub mod hints;
mod object;
pub mod schema;
pub mod shown;
mod stream;
pub mod yaml;

pub use object::check as check_object;
pub use stream::documents;
