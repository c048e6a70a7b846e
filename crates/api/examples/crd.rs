//! Prints the CRD as YAML.
fn main() {
    print!(
        "{}",
        smr_api::crd_yaml(|v| serde_yaml::to_string(v).unwrap()).unwrap()
    );
}
