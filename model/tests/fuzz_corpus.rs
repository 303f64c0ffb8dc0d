//! The files of `fuzz/corpus` through the bodies of the fuzz targets, without a fuzzer.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// The least number of files of a target. A corpus that is not found must not pass.
const MIN_FILES: usize = 10;

#[test]
fn each_file_of_the_corpus_does_what_its_target_promises() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut folders =
        fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    folders.sort();
    assert_eq!(folders, targets::TARGETS.map(|(name, _)| name));
    for (name, run) in targets::TARGETS {
        let mut paths: Vec<_> =
            fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(paths.len() >= MIN_FILES, "{name}: {} files", paths.len());
        for path in paths {
            let input = fs::read(&path).unwrap();
            if std::panic::catch_unwind(|| run(&input)).is_err() {
                panic!("{}: {}", path.display(), String::from_utf8_lossy(&input));
            }
        }
    }
}
