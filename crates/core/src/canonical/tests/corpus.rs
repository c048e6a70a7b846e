//! Documents kept as files. The first word of a file's name says what it is beside `wanted.json`: `same`,
//! or the most important of the differences. Reads files.

use std::path::Path;

use super::*;

#[test]
fn each_document_is_what_its_name_says() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/canonical/tests/corpus");
    let wanted = std::fs::read_to_string(dir.join("wanted.json")).unwrap();
    let mut count = 0;
    for file in std::fs::read_dir(&dir).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "wanted" {
            continue;
        }
        count += 1;
        let found = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
        let told = importance(&found, &wanted);
        let expected = name.split('-').next().unwrap();
        let mut all = ["excess", "missing", "other"].into_iter();
        let most = all.find(|m| told.contains(m)).unwrap_or("same");
        assert_eq!(most, expected, "{name}: {told:?}");
        // What is only written otherwise is so in both directions.
        assert_eq!(
            importance(&wanted, &found).is_empty(),
            told.is_empty(),
            "{name}"
        );
        if name.contains("unreadable") {
            assert!(Canonical::parse(&found).is_err(), "{name}");
        }
    }
    assert!(count >= 30, "{count}");
}
