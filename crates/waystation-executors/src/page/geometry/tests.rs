use super::{BadQuad, Point, Quad};

fn quad(corners: [[f32; 2]; 4]) -> Result<Quad, BadQuad> {
    Quad::from_unordered(corners.map(Point::from))
}

#[test]
fn corners_are_ordered_whatever_order_they_come_in() {
    let expect = [[10.0, 20.0], [110.0, 12.0], [120.0, 150.0], [5.0, 160.0]];
    for (a, b, c, d) in [(0, 1, 2, 3), (3, 1, 0, 2), (2, 0, 3, 1), (1, 0, 3, 2)] {
        let shuffled = [expect[a], expect[b], expect[c], expect[d]];
        let ordered = quad(shuffled).expect("the corners are convex");
        assert_eq!(ordered.corners().map(<[f32; 2]>::from), expect);
    }
}

#[test]
fn bad_corners_are_refused() {
    let check = |corners, expect: fn(&BadQuad) -> bool| {
        let reason = quad(corners).expect_err("the corners are no outline");
        assert!(expect(&reason), "{corners:?}: {reason}");
    };
    check([[0.0, 0.0], [f32::NAN, 0.0], [9.0, 9.0], [0.0, 9.0]], |reason| {
        matches!(reason, BadQuad::NotFinite { .. })
    });
    check([[0.0, 0.0], [90.0, 0.0], [90.5, 0.5], [0.0, 90.0]], |reason| {
        matches!(reason, BadQuad::CornersTogether { .. })
    });
    check([[0.0, 0.0], [90.0, 0.0], [20.0, 20.0], [0.0, 90.0]], |reason| {
        matches!(reason, BadQuad::NotConvex { .. })
    });
    check([[0.0, 0.0], [30.0, 30.0], [60.0, 60.0], [90.0, 90.0]], |reason| {
        matches!(reason, BadQuad::NotConvex { .. })
    });
}

#[test]
fn outline_travels_as_four_pairs_of_numbers() {
    let json = "[[1.0,2.0],[31.0,2.0],[31.0,42.5],[1.0,42.5]]";
    let quad: Quad = serde_json::from_str(json).expect("the corners are convex");
    assert_eq!(serde_json::to_string(&quad).expect("numbers are JSON"), json);
    let dented = serde_json::from_str::<Quad>("[[0,0],[90,0],[20,20],[0,90]]");
    assert!(dented.is_err_and(|reason| reason.to_string().contains("does not point outwards")));
}

#[test]
fn distance_and_area_are_in_pixels() {
    let near = quad([[0.0, 0.0], [40.0, 0.0], [40.0, 30.0], [0.0, 30.0]]).expect("a rectangle");
    let far = quad([[3.0, 4.0], [43.0, 4.0], [43.0, 34.0], [3.0, 34.0]]).expect("a rectangle");
    assert!((near.mean_distance(&far) - 5.0).abs() < 1e-5);
    assert!((near.area() - 1200.0).abs() < 1e-3);
}
