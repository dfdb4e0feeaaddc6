//! The science alone, held against the truth of many scenes.

use scene_detection::accuracy::Accuracy;
use scene_detection::classify::classify;
use scene_detection::detect::detect;
use scene_detection::predict::predict;
use scene_detection::raster::Raster;
use scene_detection::synthetic::{NOISE, scene};

/// Fewer would judge a scene, not the chain.
const SCENES: u32 = 40;

fn accuracy(noise: f64) -> Accuracy {
    let mut accuracy = Accuracy::default();
    for index in 0..SCENES {
        let scene = scene(2026, index, noise);
        let objects = detect(&scene.image_id, &scene.raster);
        let classes = classify(&objects);
        let prediction = predict(&objects, &classes).expect("tables of one run");
        accuracy.add(&scene.truth, &objects, &classes, &prediction);
    }
    println!("noise {noise}: {accuracy}");
    accuracy
}

#[test]
fn objects_are_found_and_told_apart_as_far_as_noise_lets_them() {
    for (noise, found, classified) in
        [(4.0, 0.99, 0.99), (8.0, 0.99, 0.99), (16.0, 0.98, 0.98), (24.0, 0.7, 0.8)]
    {
        let accuracy = accuracy(noise);
        assert!(accuracy.true_objects > 1_500, "{accuracy}");
        assert!(accuracy.recall() > found, "{accuracy}");
        assert!(accuracy.precision() > found, "{accuracy}");
        assert!(accuracy.well_classified() > classified, "{accuracy}");
    }
}

#[test]
fn prediction_is_nearer_to_what_is_to_be_expected_than_the_counts() {
    let (predicted, counted) = accuracy(NOISE).errors();
    assert!(predicted < 0.7 * counted, "{predicted} is not much less than {counted}");
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
