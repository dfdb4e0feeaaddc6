//! Objects in memory, which knows conditions as clouds do.

use object_store::memory::InMemory;
use waystation_core::id::JobId;

use super::*;
use crate::objects::place::Store;

fn write(overwrite: bool) -> Write {
    Write {
        place: Place {
            store: Store::Open(Arc::new(InMemory::new())),
            folder: Path::from("out"),
            base: "memory:///".to_owned(),
            is_ordered: true,
        },
        key: Template::parse("{key}").expect("a template"),
        content: Content::Params,
        overwrite,
        bytes_max: 10,
        output: "written".to_owned(),
    }
}

#[tokio::test]
async fn objects_are_never_written_over_in_silence() {
    let path = Path::from("out/a");
    let (careful, bold) = (write(false), write(true));
    for (writer, expected) in [(&careful, Err("exists with other content")), (&bold, Ok(()))] {
        let store = writer.place.open_to_write().await.expect("a store");
        let put = async |text: &str| {
            writer.put(&*store, &path, "memory:///out/a", text.as_bytes().to_vec()).await
        };
        put("one").await.expect("new");
        put("one").await.expect("the same again");
        match (put("two").await, expected) {
            (Ok(()), Ok(())) => {}
            (Err(failure), Err(words)) => {
                assert!(failure.message.contains(words), "{failure}");
                assert_eq!(failure.kind, ErrorKind::Permanent);
            }
            (got, expected) => panic!("{got:?}, not {expected:?}"),
        }
    }
}

#[test]
fn keys_stay_below_the_folder() {
    let job_id = JobId::from("j");
    for (key, expected) in [
        ("a/b.txt", Ok("out/a/b.txt")),
        ("../b", Err("which is no key")),
        ("a/./b", Err("which is no key")),
        ("a//b", Err("which is no key")),
        ("", Err("it is empty")),
        ("/", Err("which is no key")),
    ] {
        let params = Params::from_iter([("key".to_owned(), json!(key))]);
        let values = Values { job_id: &job_id, idempotency_key: String::new(), params: &params };
        match (write(false).path(&values), expected) {
            (Ok(path), Ok(expected)) => assert_eq!(path.as_ref(), expected),
            (Err(failure), Err(words)) => assert!(failure.message.contains(words), "{failure}"),
            (got, expected) => panic!("`{key}`: {got:?}, not {expected:?}"),
        }
    }
}
