use image::{Rgb, RgbImage};

use super::{NotFound, Point, Quad, find_page, warp_page};

#[test]
fn upright_part_is_copied_as_it_is() {
    let photo = RgbImage::from_fn(300, 200, |x, y| Rgb([x as u8, y as u8, 7]));
    let corners = [(20.0, 30.0), (120.0, 30.0), (120.0, 90.0), (20.0, 90.0)];
    let quad = Quad::from_unordered(corners.map(|(x, y)| Point::new(x, y)));
    let page = warp_page(&photo, &quad.expect("a rectangle is an outline"));
    assert_eq!(page.dimensions(), (100, 60));
    assert_eq!(page.get_pixel(0, 0), photo.get_pixel(20, 30));
    assert_eq!(page.get_pixel(99, 59), photo.get_pixel(119, 89));
}

#[test]
fn empty_photos_are_refused_with_a_reason() {
    let check = |width, height, level, expect: fn(&NotFound) -> bool| {
        let photo = RgbImage::from_pixel(width, height, Rgb([level; 3]));
        let reason = find_page(&photo).expect_err("there is no page");
        assert!(expect(&reason), "{width} x {height} of {level}: {reason}");
    };
    check(0, 0, 0, |reason| matches!(reason, NotFound::TooSmall { .. }));
    check(1, 4000, 200, |reason| matches!(reason, NotFound::TooSmall { .. }));
    check(640, 480, 10, |reason| matches!(reason, NotFound::TooDark { .. }));
    check(640, 480, 200, |reason| matches!(reason, NotFound::NoOutline));
}
