//! The API server that tests emulate, held to the real one: what the emulator's list says of it.

use api_emulator::behaviours;

use crate::support::{new_namespace, plane};

#[tokio::test]
async fn the_real_api_server_does_what_the_emulated_one_does() {
    let plane = plane().await;
    let mut broken = Vec::new();
    let all = behaviours();
    for behaviour in &all {
        let namespace = new_namespace(&plane, "behaviour").await;
        let client = plane.client().unwrap();
        if let Err(why) = behaviour.holds(client, &namespace).await {
            broken.push(format!("{}: {why}", behaviour.name));
        }
    }
    println!("{} behaviours", all.len());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
