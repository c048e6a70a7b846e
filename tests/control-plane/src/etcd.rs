//! etcd past the API server: an object as it is stored enters. Does network IO, over etcd's JSON
//! gateway. For what the API server sets on every creation, such as an object's uid.

use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Error;

/// Writes one key.
pub(crate) async fn put(port: u16, key: &str, value: &Value) -> Result<(), Error> {
    let failed = |reason| Error::Io {
        what: format!("etcd's key {key}"),
        reason,
    };
    let value = value.to_string().into_bytes();
    let body = json!({ "key": ByteString(key.into()), "value": ByteString(value) }).to_string();
    let request = format!(
        "POST /v3/kv/put HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let send = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let head = answer.lines().next().unwrap_or_default();
        if head.contains(" 200 ") {
            return Ok(());
        }
        Err(std::io::Error::other(answer))
    };
    send.await.map_err(failed)
}
