//! A picture as the chain sees it: one brightness a pixel.

use std::io::Cursor;
use std::path::Path;

use image::{ExtendedColorType, ImageError, ImageFormat, ImageReader};

/// The most pixels that are read: an image of a gigabyte is a mistake, not a scene.
pub const PIXELS_MAX: u64 = 64 * 1024 * 1024;

/// Brightness from 0 to 255, row by row from the upper left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raster {
    width: usize,
    height: usize,
    values: Vec<u8>,
}

/// Why an image cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no PNG, or a broken one.
    #[error("it is no image that can be read: {0}")]
    Image(#[from] ImageError),
    /// It is too large.
    #[error("it has {0} pixels, more than the {PIXELS_MAX} that are read")]
    TooLarge(u64),
}

impl Raster {
    /// A raster of these values. Panics when they do not fill it.
    pub fn new(width: usize, height: usize, values: Vec<u8>) -> Self {
        assert_eq!(values.len(), width * height, "{width} x {height} values are due");
        Self { width, height, values }
    }

    /// Reads a PNG file; colours become their brightness. The size is looked at before the pixels
    /// are read.
    pub fn read_png(bytes: &[u8]) -> Result<Self, Error> {
        let reader = || ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
        let (width, height) = reader().into_dimensions()?;
        let pixels = u64::from(width) * u64::from(height);
        if pixels > PIXELS_MAX {
            return Err(Error::TooLarge(pixels));
        }
        let grey = reader().decode()?.into_luma8();
        Ok(Self::new(width as usize, height as usize, grey.into_raw()))
    }

    /// Writes a PNG file.
    pub fn write_png(&self, path: &Path) -> Result<(), ImageError> {
        let (width, height) = (self.width as u32, self.height as u32);
        image::save_buffer(path, &self.values, width, height, ExtendedColorType::L8)
    }

    /// Pixels from left to right.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels from top to bottom.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All values, row by row.
    pub fn values(&self) -> &[u8] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_come_back_as_they_were() {
        let file = tempfile::NamedTempFile::with_suffix(".png").expect("a file");
        let raster = Raster::new(3, 2, vec![0, 1, 2, 253, 254, 255]);
        raster.write_png(file.path()).expect("written");
        let bytes = std::fs::read(file.path()).expect("read");
        assert_eq!(Raster::read_png(&bytes).expect("an image"), raster);
        let error = Raster::read_png(&bytes[..30]).expect_err("cut off").to_string();
        assert!(error.starts_with("it is no image that can be read"), "{error}");
    }
}
