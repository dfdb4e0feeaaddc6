//! The stages in their pipeline: the contract of chapter 1, and images that are none.

use scene_detection::chain;
use scene_detection::classify::{Class, ClassTable};
use scene_detection::object::{Moments, Object, ObjectTable};
use scene_detection::stages::image_key;
use serde_json::{Value, json};
use waystation::testing::{Error, World};
use waystation::{App, BlobRef, Context, ErrorKind, Failure};

/// The chain with a table for what *detect* finds: four pixels in a row, far from each other.
async fn world() -> Result<World, Error> {
    let world = World::start(chain::in_rust()).await?;
    world.stand_in("detect", |context: Context, image: Value| async move {
        let mut moments = Moments::default();
        (0..4).for_each(|x| moments.add(10 + x, 10));
        let table = ObjectTable {
            image_id: image["image_id"].as_str().unwrap_or_default().to_owned(),
            width: 100,
            height: 100,
            threshold: 50,
            objects: vec![Object { id: 1, moments }],
        };
        let blob = context.blobs.put_json("objects.json", &table).await?;
        Ok(json!({ "detection_run_id": "det_456", "object_table": blob, "objects": 1 }))
    });
    Ok(world)
}

#[tokio::test]
async fn contract_carries_ids_references_and_small_values() -> Result<(), Error> {
    let world = world().await?;
    let job = world.submit(json!({ "image_id": "img_123" })).await?;
    let record = world.completed(&job).await?;
    let params = Value::Object(record.params);
    for (param, value) in [
        ("image_id", json!("img_123")),
        ("detection_run_id", json!("det_456")),
        ("classification_run_id", json!(format!("cls_{job}"))),
        ("prediction_id", json!(format!("pred_{job}"))),
        ("counts", json!({ "streak": 1 })),
    ] {
        assert_eq!(params[param], value, "{params}");
    }
    let classes: BlobRef = serde_json::from_value(params["class_table"].clone()).expect("one");
    let classes: ClassTable = world.blobs().get_json(&classes).await.expect("it is there");
    assert_eq!(classes.classes[0].class, Class::Streak);
    world.events(&job).await?.assert_are(&[
        ("created", "detect"),
        ("started", "detect"),
        ("completed", "detect"),
        ("started", "classify"),
        ("completed", "classify"),
        ("started", "predict"),
        ("completed", "predict"),
    ]);
    Ok(())
}

#[tokio::test]
async fn image_that_is_not_there_is_not_looked_for_again() -> Result<(), Error> {
    let world = World::start(chain::in_rust()).await?;
    for (image_id, kind, part) in [
        ("img_404", ErrorKind::NotFound, "there is no blob `images/img_404.png`"),
        ("../../etc/passwd", ErrorKind::InvalidParam, "is no key of a blob"),
    ] {
        let job = world.submit(json!({ "image_id": image_id })).await?;
        let failure = world.failed(&job).await?;
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains(part), "{failure}");
    }
    assert_eq!(world.calls("detect").len(), 2, "one attempt each");
    assert_eq!(image_key("img_1").expect("a key").as_str(), "images/img_1.png");
    Ok(())
}

#[tokio::test]
async fn tables_of_two_runs_do_not_go_together() -> Result<(), Error> {
    let world = world().await?;
    world.stand_in("classify", |context: Context, _: Value| async move {
        let empty = ClassTable { image_id: "img_1".to_owned(), classes: Vec::new() };
        let class_table = context.blobs.put_json("classes.json", &empty).await?;
        Ok(json!({ "classification_run_id": "c", "class_table": class_table, "counts": {} }))
    });
    let job = world.submit(json!({ "image_id": "img_1" })).await?;
    let failure = world.failed(&job).await?;
    assert_eq!(failure.kind, ErrorKind::Validation);
    assert!(failure.message.contains("object 1 of `img_1` has no class"), "{failure}");
    Ok(())
}

#[tokio::test]
async fn python_program_names_what_it_cannot_read() -> Result<(), Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let app: App = chain::with_python(folder.path()).expect("the pipeline file");
    let world = World::start(app).await?;
    // The world's blobs are in memory, where the program does not look.
    for (key, part) in [
        ("jobs/a/objects.json", "No such file or directory"),
        ("jobs/../../objects.json", "is no key of a blob"),
    ] {
        world.stand_in("detect", move |_: Context, _: Value| async move {
            let table = json!({ "$blob": key });
            Ok::<_, Failure>(
                json!({ "detection_run_id": "d", "object_table": table, "objects": 0 }),
            )
        });
        let job = world.submit(json!({ "image_id": "img_1" })).await?;
        let failure = world.failed(&job).await?;
        assert!(failure.to_string().contains(part), "{failure}");
    }
    Ok(())
}
