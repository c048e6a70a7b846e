//! The emulator against its own list, and what it has besides: faults, time and the log.

use std::time::Duration;

use serde_json::json;

use super::*;

/// A server with a namespace, and a caller's client.
async fn space(server: &ApiServer, name: &str) -> kube::Client {
    let client = server.client("a-person");
    let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    let request = http::Request::post("/api/v1/namespaces").body(object.to_string().into_bytes());
    client.request_text(request.unwrap()).await.unwrap();
    client
}

#[tokio::test(start_paused = true)]
async fn every_sentence_holds() {
    let server = ApiServer::new(Config::default());
    let all = behaviours();
    let mut broken = Vec::new();
    for (number, behaviour) in all.iter().enumerate() {
        let namespace = format!("space-{number}");
        let client = space(&server, &namespace).await;
        if let Err(why) = behaviour.holds(client, &namespace).await {
            broken.push(format!("{}: {why}", behaviour.name));
        }
    }
    println!("{} behaviours", all.len());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(all.len() >= 80, "{}", all.len());
    tokio::time::sleep(Duration::from_secs(1)).await;
}
