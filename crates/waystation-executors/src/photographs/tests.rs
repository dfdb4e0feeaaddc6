use super::{PHOTO_HEIGHT, PHOTO_WIDTH, photograph};

#[test]
fn same_seed_and_index_give_the_same_photo() {
    let (first, again) = (photograph(5, 1), photograph(5, 1));
    assert_eq!(first.image, again.image);
    assert_eq!(first.corners, again.corners);
    assert_ne!(first.image, photograph(5, 2).image);
    assert_ne!(first.image, photograph(6, 1).image);
}

#[test]
fn solvable_pages_lie_inside_the_frame_and_one_in_six_is_hopeless() {
    let mut hopeless = 0;
    for index in 0..12 {
        let photo = photograph(31, index);
        hopeless += u32::from(!photo.solvable);
        let inside = photo.corners.corners().iter().all(|corner| {
            corner.x > 0.0
                && corner.y > 0.0
                && corner.x < PHOTO_WIDTH as f32
                && corner.y < PHOTO_HEIGHT as f32
        });
        assert!(inside || !photo.solvable, "photo {index}: {:?}", photo.corners);
    }
    assert_eq!(hopeless, 2);
}
