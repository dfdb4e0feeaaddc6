//! Photos in and pages out.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};
use serde_json::Value;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};

/// The largest photo, in pixels a side. Larger ones are a mistake, or an attack.
const SIDE_MAX: u32 = 20_000;
/// The most memory that decoding may take.
const ALLOCATION_MAX: u64 = 1 << 30;

/// The photo that a param names.
pub fn read(params: &Params, param: &str) -> Result<(PathBuf, RgbImage), Failure> {
    let path = match params.get(param) {
        Some(Value::String(path)) => PathBuf::from(path),
        Some(other) => {
            let message = format!("param `{param}` must name a photo, not {other}");
            return Err(Failure::new(ErrorKind::InvalidParam, message));
        }
        None => {
            let message = format!("param `{param}`, which names the photo, is absent");
            return Err(Failure::new(ErrorKind::MissingParam, message));
        }
    };
    let shown = path.display();
    let bytes = std::fs::read(&path).map_err(|error| {
        Failure::new(ErrorKind::NotFound, format!("cannot read photo {shown}: {error}"))
    })?;
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| Failure::from_error(ErrorKind::InvalidParam, &error))?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(ALLOCATION_MAX);
    reader.limits(limits);
    let photo = decode(reader).map_err(|error| {
        let message = match error {
            ImageError::Limits(_) => format!(
                "photo {shown} is too large: at most {SIDE_MAX} pixels a side and \
                 {ALLOCATION_MAX} bytes decoded are taken"
            ),
            _ => format!("{shown} is no photo that can be read (PNG or JPEG): {error}"),
        };
        Failure::new(ErrorKind::InvalidParam, message)
    })?;
    Ok((path, photo))
}

/// The picture as its viewers show it: turned as the camera noted.
fn decode(reader: ImageReader<Cursor<Vec<u8>>>) -> Result<RgbImage, ImageError> {
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut photo = DynamicImage::from_decoder(decoder)?;
    photo.apply_orientation(orientation);
    Ok(photo.into_rgb8())
}

/// Writes a page as PNG, whole or not at all.
pub fn write(page: &RgbImage, folder: &Path, name: &str) -> Result<String, Failure> {
    let target = folder.join(name);
    let failed = |error: &dyn std::error::Error| {
        let message = format!("cannot write {}: {error}", target.display());
        Failure::new(ErrorKind::Error, message)
    };
    let mut bytes = Vec::new();
    page.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).map_err(|e| failed(&e))?;
    std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    std::io::Write::write_all(&mut file, &bytes).map_err(|error| failed(&error))?;
    file.persist(&target).map_err(|error| failed(&error))?;
    Ok(target.display().to_string())
}
