//! The science alone, held against the truth of many scenes.

use scene_detection::accuracy::Accuracy;
use scene_detection::classify::classify;
use scene_detection::detect::detect;
use scene_detection::predict::predict;
use scene_detection::raster::Raster;
use scene_detection::synthetic::scene;

/// Fewer would judge a scene, not the chain.
const SCENES: u32 = 40;

#[test]
fn objects_are_found_and_told_apart() {
    let mut accuracy = Accuracy::default();
    for index in 0..SCENES {
        let scene = scene(2026, index);
        let objects = detect(&scene.image_id, &scene.raster);
        let classes = classify(&objects);
        let prediction = predict(&objects, &classes).expect("tables of one run");
        accuracy.add(&scene.truth, &objects, &classes, &prediction);
    }
    println!("{accuracy}");
    assert!(accuracy.true_objects > 1_500, "{accuracy}");
    assert!(accuracy.recall() > 0.99, "{accuracy}");
    assert!(accuracy.precision() > 0.99, "{accuracy}");
    assert!(accuracy.well_classified() > 0.98, "{accuracy}");
    let (predicted, counted) = accuracy.errors();
    assert!(predicted < 0.7 * counted, "smoothing must be worth it: {accuracy}");
}

#[test]
fn noise_holds_no_objects() {
    let mut random = fastrand::Rng::with_seed(3);
    let values = (0..512 * 512).map(|_| {
        let noise: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        (40.0 + 6.0 * noise).round() as u8
    });
    let raster = Raster::new(512, 512, values.collect());
    let found = detect("noise", &raster);
    assert_eq!(found.objects, [], "threshold {}", found.threshold);
}
