//! The stage in Rust and the program in Python say the same of the same objects.

use scene_detection::folder::Folder;
use scene_detection::run::{Classifier, Places, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_classifiers_agree_on_every_object() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = Folder::open(place.path()).expect("a folder to work in");
    // With noise enough for shapes that are none of the known ones.
    folder.generate(11, 5, 24.0).expect("scenes");
    let [rust, python] = [Classifier::Rust, Classifier::Python];
    let rust = run(&folder, rust, &Places::default()).await.expect("it runs");
    let python = run(&folder, python, &Places::default()).await.expect("it runs");
    assert_eq!((&*rust.failed, &*python.failed), (&[][..], &[][..]));
    assert_eq!(rust.scenes.len(), 5);
    assert_eq!(rust.scenes, python.scenes);
    assert_eq!(rust.to_string(), python.to_string());
}
