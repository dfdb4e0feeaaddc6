//! A picture to look at: a bright page on a dark desk, as an uncompressed bitmap.

/// How wide it is.
pub const WIDTH: u32 = 480;
/// How tall it is.
pub const HEIGHT: u32 = 360;
/// The corners of the page, in its pixels.
pub const CORNERS: [[u32; 2]; 4] = [[90, 50], [400, 80], [380, 320], [70, 290]];

/// The picture's file. The shift makes one picture differ from another.
pub fn photo(shift: u32) -> Vec<u8> {
    let pixels = WIDTH * HEIGHT * 3;
    let mut file = Vec::with_capacity(pixels as usize + 54);
    file.extend(b"BM");
    for number in [54 + pixels, 0, 54, 40, WIDTH, HEIGHT] {
        file.extend(number.to_le_bytes());
    }
    // One plane of 24 bits, not compressed; the rest may be zero.
    file.extend([1, 0, 24, 0]);
    file.extend([0; 24]);
    for row in 0..HEIGHT {
        // Rows stand from the lowest to the highest.
        let y = HEIGHT - 1 - row;
        (0..WIDTH).for_each(|x| file.extend(colour(x, y, shift)));
    }
    file
}

fn colour(x: u32, y: u32, shift: u32) -> [u8; 3] {
    if !is_page(f64::from(x), f64::from(y)) {
        let grain = ((x * 7 + y * 13 + shift * 31) % 23) as u8;
        return [40 + grain, 60 + grain, 84 + grain];
    }
    let is_text = y % 18 < 6 && (x + y / 18 * 37 + shift * 53) % 61 < 48 && x % 200 > 10;
    if is_text { [70, 64, 60] } else { [236, 240, 242] }
}

/// Whether a point lies within the page: on the same side of all its edges.
fn is_page(x: f64, y: f64) -> bool {
    (0..4).all(|index| {
        let [from, to] = [CORNERS[index], CORNERS[(index + 1) % 4]].map(|at| at.map(f64::from));
        (to[0] - from[0]) * (y - from[1]) - (to[1] - from[1]) * (x - from[0]) >= 0.0
    })
}
